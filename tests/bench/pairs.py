"""Two sides of a comparison, measured in turn, and a small table of their ratios."""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds by the clock, and seconds of processor time of the programs that were run.

    The second says more on a machine that has other things to do.
    """

    clock: float
    processor: float


Side = Callable[[], Cost]


def cost_of(run: Callable[[], object]) -> Cost:
    """What it costs to run programs to their end."""
    before, began = _processor_seconds(), time.monotonic()
    run()
    return Cost(clock=time.monotonic() - began, processor=_processor_seconds() - before)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Costs of both sides, pair by pair."""

    title: str
    costs: list[tuple[Cost, Cost]]

    def line(self) -> str:
        """Medians of both sides by the clock; the median of the ratios, and each; processor."""
        first, second = (
            statistics.median(cost.clock for cost in side) for side in zip(*self.costs, strict=True)
        )
        ratios = [one.clock / other.clock for one, other in self.costs]
        processor = statistics.median(one.processor / other.processor for one, other in self.costs)
        each = " ".join(f"{ratio:.2f}" for ratio in ratios)
        figures = f"{first:>9.2f}{second:>9.2f}{statistics.median(ratios):>8.3f}{processor:>11.3f}"
        return f"{self.title:<24}{figures}  {each}"


def measure_in_turn(title: str, first: Side, second: Side, *, pairs: int) -> Pairs:
    """Sides begin a pair in turn; one pair before the others is not counted."""
    costs = []
    for number in range(pairs + 1):
        if number % 2:
            cost = first()
            costs.append((cost, second()))
        else:
            cost = second()
            costs.append((first(), cost))
    return Pairs(title=title, costs=costs[1:])


def heading(first: str, second: str) -> str:
    return f"{'seconds':<24}{first:>9}{second:>9}{'ratio':>8}{'processor':>11}  each pair"


def _processor_seconds() -> float:
    """Of all children that have ended, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
