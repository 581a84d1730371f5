"""What became of each step of setting a store up. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a step ended. The last four need somebody to look."""

    UNCHANGED = "unchanged"
    CONFIRMED = "confirmed"
    MADE = "made"
    CHANGED = "changed"
    WOULD_MAKE = "would make"
    WOULD_CHANGE = "would change"
    BY_HAND = "by hand"
    NOT_TRIED = "not tried"
    NOT_SUPPORTED = "not supported"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One step: what it is about, why it is wanted, how it ended, and a sentence where needed."""

    what: str
    why: str
    status: Status
    detail: str = ""
