"""An identity token as it was sent: taken apart strictly, with nothing in it believed yet. Pure.

PyJWT takes it apart again when it verifies. This reading is stricter, so that the two cannot see
different tokens: names that occur twice, NaN, half characters (lone surrogates), and the `crit` and
`b64` headers are refused.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from builds.slugs import has_controls

MAX_TOKEN_LENGTH = 16 * 1024
ALGORITHMS = ("RS256", "ES256")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


class Unreadable(ValueError):
    """The text is not an identity token that could be verified. The message says why."""


@dataclass(frozen=True, kw_only=True)
class UnverifiedToken:
    """A well-formed token. Only `issuer` and `key_id` are for use before it is verified."""

    issuer: str
    key_id: str
    signing_input: str


def read_token(raw_token: str) -> UnverifiedToken:
    """The parts of an identity token. Raises Unreadable, whose words hold nothing of its text."""
    if len(raw_token) > MAX_TOKEN_LENGTH:
        raise Unreadable("It is longer than 16 KB.")
    if not _COMPACT.match(raw_token):
        raise Unreadable("It is not a signed JWT: three parts in base64url.")
    signing_input = raw_token.rpartition(".")[0]
    header, claims = (_read_object(part) for part in signing_input.split("."))
    if "crit" in header or "b64" in header:
        raise Unreadable("It has critical headers, which are not understood here.")
    if header.get("alg") not in ALGORITHMS:
        raise Unreadable("It is not signed with RS256 or ES256.")
    return UnverifiedToken(
        issuer=_text(claims, "iss"), key_id=_text(header, "kid"), signing_input=signing_input
    )


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"It lacks `{name}`.")
    if has_controls(value):
        raise Unreadable(f"Its `{name}` holds control characters.")
    return value


def _read_object(encoded: str) -> dict[str, Any]:
    try:
        text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        read = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        orjson.loads(text)  # takes no lone surrogates, which no database and no hash takes either
    except Unreadable:
        raise
    except (binascii.Error, ValueError, RecursionError):
        raise Unreadable("Header or claims are not JSON.") from None
    if not isinstance(read, dict):
        raise Unreadable("Header or claims are not a JSON object.")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable("A name occurs twice in it.")
    return members


def _no_constant(name: str) -> Any:
    raise Unreadable(f"It holds {name}, which is not JSON.")
