"""An identity token is read strictly; a fetch of keys that does not end holds up one caller."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.access import identity_tokens
from credentials.access.identity_tokens import MAX_TOKEN_LENGTH, IssuerKeys, read_unverified
from credentials.errors import InvalidIdentityToken, JwksUnavailable

HEADER = {"alg": "RS256", "kid": "k"}
CLAIMS = {"iss": "https://ci.example.org"}
ISSUER_AND_KEY = ("https://ci.example.org", "k")
NOT_STRICT = "Its header and claims are not JSON objects in which each name occurs once."


def compact(header: bytes, claims: bytes) -> str:
    parts = (header, claims, b"signature")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def token(header: Any = HEADER, claims: Any = CLAIMS) -> str:
    return compact(json.dumps(header).encode(), json.dumps(claims).encode())


def with_claims(text: str) -> str:
    return compact(json.dumps(HEADER).encode(), text.encode())


def test_issuer_and_key_are_read() -> None:
    assert read_unverified(token()) == ISSUER_AND_KEY


def test_size_is_limited() -> None:
    longest = token() + "A" * (MAX_TOKEN_LENGTH - len(token()))
    assert read_unverified(longest) == ISSUER_AND_KEY
    with pytest.raises(InvalidIdentityToken, match=r"\. It is longer than 16 KB\.\Z"):
        read_unverified(f"{longest}A")


REFUSED: dict[str, tuple[str, str]] = {
    "no JWT": ("x.y", "It is not a signed JWT: three parts in base64url."),
    "space inside": (
        token().replace(".", ". ", 1),
        "It is not a signed JWT: three parts in base64url.",
    ),
    "line feed at the end": (token() + "\n", "It is not a signed JWT: three parts in base64url."),
    "crit": (
        token({**HEADER, "crit": ["exp"]}),
        "It has critical headers, which are not understood here.",
    ),
    "b64": (
        token({**HEADER, "b64": True}),
        "It has critical headers, which are not understood here.",
    ),
    "none": (token({**HEADER, "alg": "none"}), "It is not signed with RS256 or ES256."),
    "HS256": (token({**HEADER, "alg": "HS256"}), "It is not signed with RS256 or ES256."),
    "list": (token({**HEADER, "alg": ["RS256"]}), "It is not signed with RS256 or ES256."),
    "no algorithm": (token({"kid": "k"}), "It is not signed with RS256 or ES256."),
    "no kid": (token({"alg": "RS256"}), "It lacks `kid`, or that is not a line of text."),
    "kid of a number": (
        token({**HEADER, "kid": 1}),
        "It lacks `kid`, or that is not a line of text.",
    ),
    "empty iss": (token(claims={"iss": ""}), "It lacks `iss`, or that is not a line of text."),
    "iss with NUL": (
        token(claims={"iss": "https://ci\0"}),
        "It lacks `iss`, or that is not a line of text.",
    ),
    "header that is no JSON": (compact(b"{", b"{}"), NOT_STRICT),
    "one letter": ("A.e30.AAAA", NOT_STRICT),
    "not UTF-8": (compact(json.dumps(HEADER).encode(), b"\xff"), NOT_STRICT),
    "UTF-16": (compact(json.dumps(HEADER).encode(), "{}".encode("utf-16")), NOT_STRICT),
    "list of pairs": (token([["alg", "RS256"], ["kid", "k"]]), NOT_STRICT),
    "name twice": (with_claims('{"iss":"x","iss":"y"}'), NOT_STRICT),
    "name twice, deeper": (with_claims('{"iss":"x","a":{"b":1,"b":2}}'), NOT_STRICT),
    "NaN": (with_claims('{"iss":"x","n":NaN}'), NOT_STRICT),
    "half a character": (with_claims('{"iss":"x","n":"\\ud800"}'), NOT_STRICT),
    "half a character in the header": (token({**HEADER, "x": "\ud800"}), NOT_STRICT),
    "nested without end": (with_claims("[" * 9000), NOT_STRICT),
}  # fmt: skip


def test_refusal_says_why() -> None:
    for case, (text, reason) in REFUSED.items():
        with pytest.raises(InvalidIdentityToken) as caught:
            read_unverified(text)
        assert caught.value.message == f"The identity token is not valid. {reason}", case


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PARTS = st.binary(min_size=1, max_size=60)
TEXTS = st.text(max_size=200) | st.text(alphabet='eyJ.{}"', max_size=60)


@given(TEXTS | st.builds(token, JSON, JSON) | st.builds(compact, PARTS, PARTS))
def test_nothing_breaks_it(text: str) -> None:
    with pytest.raises(InvalidIdentityToken):
        read_unverified(text)


URL = "https://issuer.example.org/keys"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[IssuerKeys]:
    """Keys whose fetch has begun and does not end."""
    monkeypatch.setattr(identity_tokens, "WAIT_FOR_OTHERS_SECONDS", 0.01)
    keys = IssuerKeys(URL)
    keys._turn.acquire()
    yield keys
    identity_tokens.cooldown.clear()


def test_waiter_gives_up_and_the_address_is_left_alone(hanging: IssuerKeys) -> None:
    with pytest.raises(JwksUnavailable):
        hanging.find("any")
    assert identity_tokens.cooldown.is_on(URL)


def test_next_one_does_not_wait(hanging: IssuerKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    identity_tokens.cooldown.begin(URL)
    monkeypatch.setattr(identity_tokens, "WAIT_FOR_OTHERS_SECONDS", 3600)  # would never end
    with pytest.raises(JwksUnavailable):
        hanging.find("any")
