"""The form of access tokens: `ltdk_<public id>_<secret>`. Pure.

The secret is 256 random bits, so one round of SHA-256 without salt is the right hash: there is
nothing to guess and no two are alike; a slow hash would only make every request slow. The prefix
lets secret scanners find a leaked one: `ltd[ksj]_[a-z0-9]{12}_[0-9a-f]{64}`.
"""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from enum import StrEnum

from credentials.rules.secret import Secret

PUBLIC_ID_LENGTH = 12
SECRET_BYTES = 32
PUBLIC_ID_ALPHABET = string.ascii_lowercase + string.digits

_TOKEN = re.compile(r"(ltd[ksj])_([a-z0-9]{12})_([0-9a-f]{64})\Z", re.ASCII)


class TokenKind(StrEnum):
    """The prefix says what a token is."""

    API_KEY = "ltdk"
    ACCESS_TOKEN = "ltds"  # noqa: S105 - a prefix
    JOB_TOKEN = "ltdj"  # noqa: S105 - a prefix


@dataclass(frozen=True, kw_only=True)
class PresentedToken:
    """A token as a caller sent it: well formed, not yet known to be right."""

    kind: TokenKind
    public_id: str
    unverified_secret: Secret


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """A token just made. `text` is shown once; only `public_id` and `digest` are stored."""

    public_id: str
    digest: str
    text: Secret


def new_token(kind: TokenKind) -> NewToken:
    public_id = "".join(secrets.choice(PUBLIC_ID_ALPHABET) for _ in range(PUBLIC_ID_LENGTH))
    secret = secrets.token_hex(SECRET_BYTES)
    text = Secret(f"{kind.value}_{public_id}_{secret}")
    return NewToken(public_id=public_id, digest=digest(Secret(secret)), text=text)


def parse_token(raw_token: str) -> PresentedToken | None:
    """The parts of a well-formed token, or None."""
    if (match := _TOKEN.match(raw_token)) is None:
        return None
    kind, public_id, secret = match.groups()
    return PresentedToken(
        kind=TokenKind(kind), public_id=public_id, unverified_secret=Secret(secret)
    )


def public_name(raw_token: str) -> str:
    """What the ledger calls a well-formed token, such as `ltdk_y8jw59d6g3it`; else nothing."""
    match = _TOKEN.match(raw_token)
    return f"{match[1]}_{match[2]}" if match else ""


def digest(secret: Secret) -> str:
    """SHA-256 of a secret, in hexadecimal: what is stored."""
    return hashlib.sha256(secret.reveal().encode("ascii")).hexdigest()


def matches(presented: PresentedToken, stored_digest: str) -> bool:
    """Whether the presented secret is the stored one, compared in constant time."""
    return hmac.compare_digest(digest(presented.unverified_secret), stored_digest)
