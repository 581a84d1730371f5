"""What an audit calls a finding. Pure: plain facts in, a sentence or None out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Rule(StrEnum):
    """The stable names of the rules."""

    STUCK = "session_stuck"
    TOO_LONG = "session_too_long"
    BUILD_CLOSED = "session_of_closed_build"
    CLIENT_DISABLED = "session_of_disabled_client"
    KEY_WITHOUT_EXPIRY = "key_without_expiry"
    KEY_UNUSED = "key_unused"
    CLIENT_AT_LIMIT = "client_at_limit"
    FOREIGN_WRITE = "build_written_without_session"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be: which rule, about what, and what to do."""

    rule: Rule
    subject: str
    message: str


# How many rows are read at a time.
CHUNK = 500
# The longest that issuing can take: two STS attempts, two lock waits, and room.
STUCK_AFTER = timedelta(minutes=2)
# A store's clock may be a little ahead of ours.
EXPIRY_TOLERANCE = timedelta(minutes=1)
UNUSED_AFTER = timedelta(days=90)


def is_stuck(*, requested_at: datetime, now: datetime) -> bool:
    """Whether a row without an outcome is older than any request can be."""
    return now - requested_at > STUCK_AFTER


def is_too_long(*, requested_at: datetime, expires_at: datetime, longest_seconds: int) -> bool:
    """Whether a session lives longer than today's settings would let it."""
    longest = timedelta(seconds=longest_seconds) + EXPIRY_TOLERANCE
    return expires_at - requested_at > longest


def outlives_its_build(*, closed_at: datetime | None, now: datetime, grace: timedelta) -> bool:
    """Whether a live session's build has been closed for longer than the grace."""
    return closed_at is not None and now - closed_at >= grace


def is_unused(*, created_at: datetime, last_used_at: datetime | None, now: datetime) -> bool:
    """Whether a key was not used for 90 days; one that never was, since it was made."""
    return now - (last_used_at or created_at) > UNUSED_AFTER
