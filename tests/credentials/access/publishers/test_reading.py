"""Taking a token apart, before anything in it is believed."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.access.identity_tokens import MAX_TOKEN_LENGTH, Unreadable, read_token

HEADER = {"alg": "RS256", "kid": "k"}
CLAIMS = {"iss": "https://ci.example.org"}


def token(header: Any = HEADER, claims: Any = CLAIMS, signature: bytes = b"s") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_issuer_and_key_are_read_and_what_is_signed() -> None:
    text = token()
    read = read_token(text)
    assert (read.issuer, read.key_id) == ("https://ci.example.org", "k")
    assert read.signing_input == text.rpartition(".")[0]


@given(st.text(max_size=200) | st.text(alphabet='eyJ.{}"', max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(Unreadable):
        read_token(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(header=JSON, claims=JSON)
def test_no_json_breaks_it(header: Any, claims: Any) -> None:
    with pytest.raises(Unreadable):
        read_token(token(header, claims))


@given(st.binary(min_size=1, max_size=60), st.binary(min_size=1, max_size=60))
def test_no_bytes_break_it(header: bytes, claims: bytes) -> None:
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, claims)]
    with pytest.raises(Unreadable):
        read_token(".".join((*parts, "AAAA")))


def test_size_is_limited() -> None:
    padding = "x" * MAX_TOKEN_LENGTH
    with pytest.raises(Unreadable, match="16 KB"):
        read_token(token(claims={**CLAIMS, "x": padding}))
    assert read_token(token(claims={**CLAIMS, "x": padding[: MAX_TOKEN_LENGTH // 2]}))


WRONG: dict[str, tuple[Any, Any, str]] = {
    "none": ({**HEADER, "alg": "none"}, CLAIMS, "RS256 or ES256"),
    "HS256": ({**HEADER, "alg": "HS256"}, CLAIMS, "RS256 or ES256"),
    "RS512": ({**HEADER, "alg": "RS512"}, CLAIMS, "RS256 or ES256"),
    "ES384": ({**HEADER, "alg": "ES384"}, CLAIMS, "RS256 or ES256"),
    "small letters": ({**HEADER, "alg": "rs256"}, CLAIMS, "RS256 or ES256"),
    "list": ({**HEADER, "alg": ["RS256"]}, CLAIMS, "RS256 or ES256"),
    "no algorithm": ({"kid": "k"}, CLAIMS, "RS256 or ES256"),
    "no kid": ({"alg": "RS256"}, CLAIMS, "kid"),
    "kid that is a number": ({**HEADER, "kid": 1}, CLAIMS, "kid"),
    "no iss": (HEADER, {}, "iss"),
    "iss that is a list": (HEADER, {"iss": ["x"]}, "iss"),
    "crit": ({**HEADER, "crit": ["b64"], "b64": True}, CLAIMS, "critical"),
    "b64": ({**HEADER, "b64": True}, CLAIMS, "critical"),
}


@pytest.mark.parametrize(("header", "claims", "reason"), WRONG.values(), ids=WRONG)
def test_token_that_is_refused_unread(header: Any, claims: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_token(token(header, claims))


def encoded(header: str, claims: str = json.dumps(CLAIMS)) -> str:
    parts = (header.encode(), claims.encode(), b"s")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


ALG = json.dumps(HEADER)
REASONS: dict[str, tuple[str, str]] = {
    "too long": ("x" * (MAX_TOKEN_LENGTH + 1), "It is longer than 16 KB."),
    "no JWT": ("x.y", "It is not a signed JWT: three parts in base64url."),
    "crit alone": (
        token({**HEADER, "crit": ["exp"]}),
        "It has critical headers, which are not understood here.",
    ),
    "algorithm": (token({**HEADER, "alg": "none"}), "It is not signed with RS256 or ES256."),
    "no issuer": (token(claims={}), "It lacks `iss`."),
    "not JSON": (encoded("{"), "Header or claims are not JSON."),
    "not UTF-8": ("_w.e30.AAAA", "Header or claims are not JSON."),
    "list": (token([1]), "Header or claims are not a JSON object."),
    "name twice": (encoded('{"alg":"RS256","kid":"k","kid":"l"}'), "A name occurs twice in it."),
    "name twice, deeper": (
        encoded(ALG, '{"iss":"x","a":{"b":1,"b":2}}'),
        "A name occurs twice in it.",
    ),
    "NaN": (encoded(ALG, '{"iss":"x","n":NaN}'), "It holds NaN, which is not JSON."),
    "Infinity": (
        encoded(ALG, '{"iss":"x","n":-Infinity}'),
        "It holds -Infinity, which is not JSON.",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_refusal_says_why_in_one_sentence(case: str) -> None:
    text, reason = REASONS[case]
    with pytest.raises(Unreadable) as caught:
        read_token(text)
    assert str(caught.value) == reason


def test_token_of_the_greatest_length_is_read() -> None:
    text = token()
    assert read_token(text + "A" * (MAX_TOKEN_LENGTH - len(text)))
