"""What callers saw during a soak, and how processes grew: the rows of its table."""

import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import requests

from tests.demo.processes import descendants

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Size(NamedTuple):
    """Of a process, or of several together."""

    mb: float
    handles: float
    threads: float


class Tally:
    """Seconds of every call, by kind; how often callers were told to come back; what was wrong."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.later: Counter[str] = Counter()
        self.wrong: list[str] = []

    def call(
        self, kind: str, send: Callable[[], requests.Response], expected: int = HTTPStatus.OK
    ) -> requests.Response:
        """Send it, and again for as long as a busy service says so."""
        while (answer := send()).status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.later[kind] += 1
            if "Retry-After" not in answer.headers:
                self.wrong.append(f"{kind}: {answer.status_code} without Retry-After")
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        self.seconds[kind].append(answer.elapsed.total_seconds())
        if answer.status_code != expected:
            self.wrong.append(f"{kind}: {answer.status_code} {answer.text[:300]}")
        return answer

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[kind].append(time.monotonic() - started)

    def row(self, kind: str) -> list[str]:
        seconds = sorted(self.seconds[kind])
        most = seconds[int(len(seconds) * 0.95)]
        note = f"told to come back: {self.later[kind]}" if self.later[kind] else ""
        return [kind, str(len(seconds)), _time(statistics.median(seconds)), _time(most), note]


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


class Growth:
    """Memory (MB), file handles and threads of what long-lived processes have started, looked at
    often.
    """

    def __init__(self) -> None:
        self._looks: defaultdict[str, list[dict[int, Size]]] = defaultdict(list)

    def look(self, **parents: int) -> None:
        for name, parent in parents.items():
            self._looks[name].append(dict(_sizes(descendants(parent))))

    def always_there(self, name: str) -> set[int]:
        """The processes that have neither ended nor begun meanwhile."""
        first, *more = self._looks[name]
        return set(first).intersection(*more)

    def thirds(self, name: str) -> tuple[Size, Size]:
        """Of these together, the medians of the first and of the last third."""
        there = self.always_there(name)
        sums = [_sum(look[pid] for pid in there) for look in self._looks[name]]
        third = len(sums) // 3
        return _median(sums[:third]), _median(sums[-third:])

    def row(self, name: str) -> list[str]:
        first, last = self.thirds(name)
        grown = [
            f"{first.mb:.1f} to {last.mb:.1f} MB",
            f"{first.handles:.0f} to {last.handles:.0f} handles",
            f"{first.threads:.0f} to {last.threads:.0f} threads",
        ]
        return [f"{name}, processes", str(len(self.always_there(name))), "", "", ", ".join(grown)]


def _sizes(pids: Iterable[int]) -> Iterator[tuple[int, Size]]:
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            handles = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
            threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
            yield pid, Size(pages * PAGE_BYTES / 1e6, handles, threads)


def _sum(sizes: Iterable[Size]) -> Size:
    return Size(*map(sum, zip(*sizes, strict=True)))


def _median(sizes: list[Size]) -> Size:
    return Size(*map(statistics.median, zip(*sizes, strict=True)))
