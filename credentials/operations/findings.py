"""Findings of checks and audits, the rules of the ledger, and how findings are printed. Pure."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

WIDTH = 96
WRAPPING: Any = {"width": WIDTH, "break_long_words": False, "break_on_hyphens": False}
MARGIN = " " * 8
# What a line begins with that stays in one piece: a command, a statement of a policy.
WHOLE = ("manage.py ", "+ ", "- ")
# A store's clock may be a little ahead of ours.
EXPIRY_TOLERANCE = timedelta(minutes=1)
UNUSED_AFTER = timedelta(days=90)
NEARLY_FULL_PERCENT = 80


class Severity(StrEnum):
    """An error makes a job fail or weakens access control; a warning is worth checking."""

    ERROR = "error"
    WARNING = "warning"


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
    POLICY_NEARLY_FULL = "session_policy_nearly_full"
    MANY_SESSIONS = "build_with_many_sessions"
    MANY_ADDRESSES = "build_with_many_addresses"
    NOT_GRANTED = "session_without_grant"
    BUILD_EXPIRED = "build_expired"

    OBJECT_OUTSIDE = "object_outside_builds"
    OBJECT_OF_UNKNOWN_BUILD = "object_of_unknown_build"
    OBJECT_OF_DELETED_BUILD = "object_of_deleted_build"
    OBJECT_OF_PURGED_BUILD = "object_of_purged_build"
    OBJECT_WITHOUT_SESSION = "object_without_session"
    OBJECT_AFTER_SESSIONS = "object_after_sessions"
    OBJECT_AFTER_CLOSE = "object_after_close"
    UPLOAD_UNFINISHED = "upload_unfinished"

    UNKNOWN_SESSION = "assume_role_unknown"
    USED_AFTER_REVOCATION = "used_after_revocation"
    USED_AFTER_EXPIRY = "used_after_expiry"
    USED_OUTSIDE_ROOT = "used_outside_root"
    DENIED_CALL = "denied_call"
    OTHER_ADDRESS = "other_address"
    ACCOUNT_CHANGED = "account_changed"
    ROLE_CHAINED = "role_chained"
    NOT_IN_TRAIL = "session_not_in_trail"
    BAD_FILE = "bad_file"

    LEFT_OUT = "findings_left_out"
    JOB_OVERDUE = "job_overdue"

    ACCOUNT_WRONG = "account_wrong"
    ISOLATION_BROKEN = "isolation_broken"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it must be.

    `rule` is a stable name. `subject` is what it is about, where that does not follow from where
    the finding stands. `change` says what to do; a line of it that begins with `manage.py` is a
    command. `access_key_id` names the session that it is about, if it is about one, and
    `session_id` its row. An event is a thing that happened: it does not go away by itself.
    """

    rule: str
    what: str
    change: str = ""
    why: str = ""
    subject: str = ""
    severity: Severity = Severity.ERROR
    access_key_id: str = ""
    session_id: str = ""
    build_id: int | None = None
    is_event: bool = False

    @property
    def message(self) -> str:
        """What is wrong and what to do, in one line."""
        return f"{self.what} {self.change}".strip()


def count(findings: Iterable[Finding], severity: Severity) -> int:
    """How many findings of a severity there are."""
    return sum(finding.severity is severity for finding in findings)


def finding_lines(finding: Finding, *, is_change_known: bool = False) -> Iterator[str]:
    """A finding with its reason and its change, which is not repeated where it is known."""
    yield f"    {finding.severity} {finding.rule}"
    yield from indented(finding.what)
    yield from indented(f"Why: {finding.why}")
    yield from indented(f"Change: {'The same.' if is_change_known else finding.change}")


def indented(text: str, margin: str = MARGIN) -> Iterator[str]:
    """The lines of a text, wrapped. A command, and a statement of a policy, stays in one piece."""
    for line in text.split("\n"):
        if line.startswith(WHOLE):
            yield f"{margin}    {line}"
        else:
            yield from textwrap.wrap(
                line, initial_indent=margin, subsequent_indent=margin, **WRAPPING
            )


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


def is_unusual(count: int, counts: Mapping[int, int], *, factor: int, least: int) -> bool:
    """Whether a build has far more of something than the others of its product.

    `counts` says how many builds of the product, this one among them, have how many. Usual is what
    95 of 100 of the others do not exceed; one, where there are no others.
    """
    others = Counter(counts) - Counter([count])
    left = others.total() * 95 / 100
    usual = 1
    for each in sorted(others):
        if left <= 0:
            break
        usual, left = each, left - others[each]
    return count >= least and count > factor * usual
