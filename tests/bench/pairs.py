"""Two sides of a comparison, timed in turn, and a small table of their ratios."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

Seconds = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Seconds of both sides, pair by pair."""

    title: str
    times: list[tuple[float, float]]

    @property
    def ratios(self) -> list[float]:
        return [first / second for first, second in self.times]

    def line(self) -> str:
        """Medians of both sides, median of the ratios, each ratio."""
        first, second = (statistics.median(side) for side in zip(*self.times, strict=True))
        each = " ".join(f"{ratio:.2f}" for ratio in self.ratios)
        ratio = statistics.median(self.ratios)
        return f"{self.title:<24}{first:>10.2f}{second:>10.2f}{ratio:>8.3f}  {each}"


def time_in_turn(title: str, first: Seconds, second: Seconds, *, pairs: int) -> Pairs:
    """Sides begin a pair in turn; one pair before the others is not counted."""
    times = []
    for number in range(pairs + 1):
        if number % 2:
            seconds = first()
            times.append((seconds, second()))
        else:
            seconds = second()
            times.append((first(), seconds))
    return Pairs(title=title, times=times[1:])


def heading(first: str, second: str) -> str:
    return f"{'seconds':<24}{first:>10}{second:>10}{'ratio':>8}  each pair"
