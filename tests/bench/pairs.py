"""Sides of a comparison, measured in turn, and a small table of the ratios of two of them."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice, permutations


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds by the clock, and seconds of processor time of the programs that were run.

    The second says more on a machine that has other things to do.
    """

    clock: float
    processor: float


Side = Callable[[], Cost]
Round = Mapping[str, Cost]


def cost_of(run: Callable[[], object]) -> Cost:
    """What it costs to run programs to their end."""
    before, began = _processor_seconds(), time.monotonic()
    run()
    return Cost(clock=time.monotonic() - began, processor=_processor_seconds() - before)


def measure_in_turn(sides: Mapping[str, Side], *, rounds: int) -> list[Round]:
    """Measure every side in every round, in every order in turn: each follows each as often.

    One run of each before that is not counted.
    """
    for side in sides.values():
        side()
    orders = islice(cycle(permutations(sides)), rounds)
    return [{name: sides[name]() for name in order} for order in orders]


def heading() -> str:
    columns = f"{'this':>9}{'that':>9}{'ratio':>8}{'processor':>11}"
    return f"{'seconds':<40}{columns}  each round"


def line(title: str, rounds: list[Round], this: str, that: str) -> str:
    """Medians of two sides by the clock; the median of the ratios, and each; processor."""
    pairs = [(costs[this], costs[that]) for costs in rounds]
    one, other = (
        statistics.median(cost.clock for cost in side) for side in zip(*pairs, strict=True)
    )
    ratios = [first.clock / second.clock for first, second in pairs]
    processor = statistics.median(first.processor / second.processor for first, second in pairs)
    each = " ".join(f"{ratio:.2f}" for ratio in ratios)
    figures = f"{one:>9.2f}{other:>9.2f}{statistics.median(ratios):>8.3f}{processor:>11.3f}"
    return f"{f'{title}: {this} / {that}':<40}{figures}  {each}"


def _processor_seconds() -> float:
    """Of all children that have ended, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
