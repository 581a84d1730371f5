"""What a check of isolation says: a line for each call, and one sentence on the whole. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCLEAR = "unclear"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One call: what it tried, what has to happen, what happened and what the store answered.

    `probes_session_policy` is set where the upload role itself allows the call, so that only the
    session's own policy can refuse it.
    """

    call: str
    expected: Outcome
    outcome: Outcome
    answer: str
    probes_session_policy: bool = False

    @property
    def is_right(self) -> bool:
        return self.outcome is self.expected

    @property
    def is_leak(self) -> bool:
        """Whether a session did what it must not be able to do."""
        return self.expected is Outcome.REFUSED and self.outcome is Outcome.ACCEPTED


IGNORES_POLICIES = (
    "This store ignores session policies: any build's credentials can access every "
    "build in the bucket. Issue none for it and use a store that enforces them."
)
UNCHECKED_SOURCE = (
    "Isolation does not hold: for the source of a multipart copy, this store checks only the "
    "upload role and not the session's policy (as Ceph 18.2 does), so a session can {}. Clear sync "
    "products on the store, run `manage.py bootstrap_store --apply`, so that the role reads "
    "nothing, and check again."
)
DOCTOR = "`manage.py doctor` finds out why."
IN_PARTS = "in parts into its root"


def is_passed(lines: Sequence[Line]) -> bool:
    """Whether every call went as it must. A run without lines proves nothing."""
    return bool(lines) and all(line.is_right for line in lines)


def summary(lines: Sequence[Line]) -> str:
    """One sentence on a run, with what to do when it did not pass."""
    if is_passed(lines):
        return f"Isolation holds: {len(lines)} calls, each as it must be."
    leaks = [line for line in lines if line.is_leak]
    if not leaks:
        wrong = [f"{line.call} ({line.answer})" for line in lines if not line.is_right]
        return f"Isolation could not be checked. {DOCTOR} What went wrong: {'; '.join(wrong)}."
    refused = [line for line in lines if line.expected is Outcome.REFUSED]
    probes = [line for line in refused if line.probes_session_policy]
    if probes and all(line.is_leak for line in probes):
        return IGNORES_POLICIES
    told = "; ".join(line.call for line in leaks)
    if all(line.call.endswith(IN_PARTS) for line in leaks):
        return UNCHECKED_SOURCE.format(told)
    return f"Isolation does not hold: a session can {told}."
