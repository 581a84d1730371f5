"""Times of one call after the other, and a small table of them."""

import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds of many calls, one thread."""

    title: str
    milliseconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def quick(self) -> float:
        """What 10 of 100 calls stay under: the cost when nothing else disturbs."""
        return statistics.quantiles(self.milliseconds, n=10)[0]

    @property
    def slow(self) -> float:
        """What 95 of 100 calls stay under."""
        return statistics.quantiles(self.milliseconds, n=20)[-1]

    @property
    def per_second(self) -> float:
        return 1000 / statistics.mean(self.milliseconds)


def measure(title: str, call: Callable[[], object], *, count: int, warm_up: int = 20) -> Times:
    """The times of `count` calls, after some that do not count."""
    for _ in range(warm_up):
        call()
    return Times(title=title, milliseconds=[_time(call) for _ in range(count)])


def _time(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def show(rows: Iterable[Times], *notes: str) -> None:
    """The table, and what is to be said about it."""
    lines = [f"{'':<34}{'10 % ms':>10}{'median ms':>10}{'95 % ms':>10}{'per s':>8}"]
    for row in rows:
        figures = f"{row.quick:>10.2f}{row.median:>10.2f}{row.slow:>10.2f}{row.per_second:>8.0f}"
        lines.append(f"{row.title:<34}{figures}")
    sys.stdout.write("\n".join([*lines, *notes]) + "\n")
