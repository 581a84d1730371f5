"""Whether two series of times can be told apart: the area under the ROC curve, with its error.

The area is the share of all pairs (one time of each series) in which the second is the longer:
0.5 where nothing can be told. The interval is DeLong's (Biometrics 44, 1988): no assumption about
how the times are distributed, but each is taken as independent of the others.
"""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

# Of a normal distribution, what 95 of 100 lie within.
WITHIN_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class Area:
    """The area and the standard error of it."""

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """Within which the true area lies, 95 times of 100."""
        return self.value - WITHIN_95 * self.error, self.value + WITHIN_95 * self.error

    @property
    def tells_apart(self) -> bool:
        low, high = self.interval
        return not low <= 0.5 <= high

    def __str__(self) -> str:
        low, high = self.interval
        verdict = "told apart" if self.tells_apart else "not told apart"
        return f"{self.value:.4f} (95 %: {low:.4f} to {high:.4f}), {verdict}"


def area_between(first: Sequence[float], second: Sequence[float]) -> Area:
    """How well the second series is told from the first by its times. Each needs two or more."""
    above = _shares_below(second, sorted(first))
    below = [1 - share for share in _shares_below(first, sorted(second))]
    variance = statistics.variance(above) / len(second) + statistics.variance(below) / len(first)
    return Area(value=statistics.fmean(above), error=variance**0.5)


def _shares_below(times: Sequence[float], others: Sequence[float]) -> list[float]:
    """For each time the share of the sorted others that it is longer than; equal ones half."""
    return [
        (bisect_left(others, time) + bisect_right(others, time)) / (2 * len(others))
        for time in times
    ]
