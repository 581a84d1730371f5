"""Addresses of issuers: what is filled in, and what could not be fetched safely."""

from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.publishers import (
    IssuerKind,
    default_issuer,
    default_jwks_url,
    is_https_address,
)

GOOD = [
    "https://token.actions.githubusercontent.com",
    "https://gitlab.example.org:8443/sub/",
    "https://[2001:db8::1]/jwks?x=1",
]
BAD = [
    "",
    "https://",
    "https:///jwks",
    "http://gitlab.com",
    "HTTPS://gitlab.com",
    "file:///etc/passwd",
    "https://me@gitlab.com",
    "https://me:secret@gitlab.com",
    "https://gitlab.com/#x",
    "https://gitlab.com:port",
    "https://gitlab.com:0",
    "https://gitlab.com/a b",
    "https://gitlab.com/\n",
    "https://gitlab.com\\@evil.example",
    "https://gitläb.com",
    "https://[::1",
]


def test_address_is_https_with_a_host_and_nothing_that_hides_it() -> None:
    assert [address for address in GOOD + BAD if is_https_address(address)] == GOOD


@given(st.text(alphabet="https://[]@:#?%a1.", max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    assert is_https_address(text) in {True, False}


def test_keys_are_below_the_issuer_where_the_kind_is_known() -> None:
    assert default_jwks_url(IssuerKind.GITLAB, "https://git.example.org/") == (
        "https://git.example.org/oauth/discovery/keys"
    )
    assert default_jwks_url(IssuerKind.GITLAB, "https://git.example.org/X") == (
        "https://git.example.org/X/oauth/discovery/keys"
    )
    assert default_issuer(IssuerKind.GITHUB) == "https://token.actions.githubusercontent.com"
    assert default_issuer(IssuerKind.GITLAB) == "https://gitlab.com"
    assert default_issuer(IssuerKind.OTHER) == ""
    assert default_jwks_url(IssuerKind.OTHER, "https://ci.example.org") == ""
    assert default_jwks_url(IssuerKind.GITHUB, "") == ""
