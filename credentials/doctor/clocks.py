"""Judges how far this machine's clock is from the store's. Pure.

AWS refuses requests that are signed more than 5 minutes from its own time (AWS IAM user guide,
signing), and counts a session's life by its own clock.
"""

from collections.abc import Iterator

from credentials.doctor.findings import Finding, Severity

WARNING_SECONDS, ERROR_SECONDS = 60, 240


def judge_clock(ahead_seconds: float) -> Iterator[Finding]:
    """`ahead_seconds` is this machine's time less the store's."""
    skew = abs(ahead_seconds)
    if skew <= WARNING_SECONDS:
        return
    yield Finding(
        id="clock.skewed",
        what=f"This machine's clock is {skew:.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'}"
        " the store's.",
        why="From 5 minutes on the store refuses every request. Before that, sessions seem to "
        "end sooner or later than they do.",
        change="Set the clock, and keep it so: timedatectl set-ntp true",
        severity=Severity.ERROR if skew > ERROR_SECONDS else Severity.WARNING,
    )
