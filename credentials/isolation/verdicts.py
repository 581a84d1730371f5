"""What a check of isolation says: a line for each call, and one sentence on the whole. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a store did with a call."""

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


IGNORES_POLICIES = (
    "This store ignores session policies: any build's credentials reach every build of the "
    "bucket, so hand out none for it and use a store that enforces them."
)
NOTHING_WORKS = (
    "Not even the build's own calls were accepted: look at the upload role's policy and at the "
    "bucket with `manage.py bootstrap_store`."
)


def is_passed(lines: Sequence[Line]) -> bool:
    """Whether every call went as it must. A run without lines proves nothing."""
    return bool(lines) and all(line.is_right for line in lines)


def summary(lines: Sequence[Line]) -> str:
    """One sentence on a run, with what to do when it did not pass."""
    if is_passed(lines):
        return f"Isolation holds: {len(lines)} calls, each as it must be."
    if _all(lines, Outcome.REFUSED, Outcome.ACCEPTED):
        return IGNORES_POLICIES
    if _all(lines, Outcome.ACCEPTED, Outcome.REFUSED):
        return NOTHING_WORKS
    wrong = [line.call for line in lines if not line.is_right]
    return f"Isolation does not hold: {len(wrong)} of {len(lines)} calls went wrong: " + (
        "; ".join(wrong)
    )


def _all(lines: Sequence[Line], expected: Outcome, outcome: Outcome) -> bool:
    """Whether every call of an expectation had the same, wrong outcome."""
    told = [line for line in lines if line.expected is expected]
    if expected is Outcome.REFUSED:
        told = [line for line in told if line.probes_session_policy]
    return bool(told) and all(line.outcome is outcome for line in told)
