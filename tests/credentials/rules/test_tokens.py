"""The form of access tokens, what is stored of them, and how they are compared."""

import hashlib
import hmac
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules import tokens
from credentials.rules.secret import Secret
from credentials.rules.tokens import (
    NewToken,
    PresentedToken,
    TokenKind,
    digest,
    matches,
    new_token,
    parse_token,
    public_name,
)

# What the module documents for secret scanners.
SCANNERS = re.compile(r"ltd[ksj]_[a-z0-9]{12}_[0-9a-f]{64}")
GOOD = f"ltdk_{'a1' * 6}_{'0f' * 32}"


def parsed(raw_token: str) -> PresentedToken:
    presented = parse_token(raw_token)
    assert presented is not None
    return presented


def test_new_token_has_the_form_that_scanners_know() -> None:
    assert {kind.value for kind in TokenKind} == {"ltdk", "ltds", "ltdj"}
    for kind in TokenKind:
        text = new_token(kind).text.reveal()
        assert SCANNERS.fullmatch(text)
        assert text.startswith(f"{kind.value}_")
    assert SCANNERS.pattern in str(tokens.__doc__)


def test_secret_is_256_bits_from_the_system_s_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def token_hex(count: int) -> str:
        asked.append(count)
        return "ab" * count

    monkeypatch.setattr("secrets.token_hex", token_hex)
    assert new_token(TokenKind.API_KEY).text.reveal().endswith(f"_{'ab' * 32}")
    assert asked == [32]


def test_public_id_is_chosen_by_the_system_s_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def choice(alphabet: str) -> str:
        asked.append(alphabet)
        return "z"

    monkeypatch.setattr("secrets.choice", choice)
    assert new_token(TokenKind.API_KEY).public_id == "z" * 12
    assert asked == [string.ascii_lowercase + string.digits] * 12


def test_tokens_are_never_alike() -> None:
    made = [new_token(TokenKind.API_KEY) for _ in range(500)]
    for part in ["public_id", "digest"]:
        assert len({getattr(token, part) for token in made}) == 500


def test_only_the_sha256_of_the_secret_is_kept() -> None:
    token = new_token(TokenKind.ACCESS_TOKEN)
    secret = token.text.reveal().rpartition("_")[2]
    assert token.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(token)


def test_token_is_parsed_into_its_parts() -> None:
    token = new_token(TokenKind.ACCESS_TOKEN)
    presented = parsed(token.text.reveal())
    assert (presented.kind, presented.public_id) == (TokenKind.ACCESS_TOKEN, token.public_id)
    assert matches(presented, token.digest)


MALFORMED = {
    "empty": "",
    "prefix alone": "ltdk_",
    "another prefix": GOOD.replace("ltdk", "ltdx"),
    "upper-case prefix": GOOD.replace("ltdk", "LTDK"),
    "short id": GOOD.replace("a1a1", "a1a", 1),
    "upper-case id": GOOD.replace("a1", "A1"),
    "id with a wildcard": GOOD.replace("a1", "a%"),
    "short secret": GOOD[:-1],
    "upper-case secret": GOOD.replace("0f", "0F"),
    "secret that is not hexadecimal": GOOD.replace("0f", "0g"),
    "no secret": GOOD[:18],
    "another separator": GOOD.replace("_", "-"),
    "newline behind": f"{GOOD}\n",
    "text in front": f"x{GOOD}",
    "two tokens": GOOD + GOOD,
    "Arabic digits": GOOD.replace("0f", "\u0660f"),
}


def test_malformed_token_is_none() -> None:
    assert parse_token(GOOD) is not None
    assert {name for name, text in MALFORMED.items() if parse_token(text)} == set()


@given(st.text())
def test_any_text_is_parsed_or_refused_without_an_error(text: str) -> None:
    assert parse_token(text) is None or SCANNERS.fullmatch(text)


def test_secret_with_one_wrong_digit_does_not_match() -> None:
    token = new_token(TokenKind.API_KEY)
    head, _, secret = token.text.reveal().rpartition("_")
    assert matches(parsed(f"{head}_{secret}"), token.digest)
    for at in (0, 31, 63):
        wrong = secret[:at] + ("0" if secret[at] != "0" else "1") + secret[at + 1 :]
        assert not matches(parsed(f"{head}_{wrong}"), token.digest)


def test_nothing_but_the_digest_matches() -> None:
    for stored in ("", "0" * 64, GOOD[-64:]):
        assert not matches(parsed(GOOD), stored)


def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []

    def compare_digest(left: str, right: str) -> bool:
        compared.append((left, right))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    stored = digest(Secret(GOOD[-64:]))
    assert not matches(parsed(GOOD), stored)
    assert compared == [(stored, stored)]


def test_token_does_not_show_its_secret() -> None:
    for value in (parsed(GOOD), NewToken(public_id="a", digest="b", text=Secret(GOOD))):
        assert GOOD[-64:] not in f"{value!r} {value}"


def test_public_name_of_a_token_is_all_but_its_secret() -> None:
    for kind in TokenKind:
        token = new_token(kind)
        assert public_name(token.text.reveal()) == f"{kind.value}_{token.public_id}", kind
        assert public_name(token.text.reveal()[:-1]) == "", kind
