"""What so many builds a day need, from what was measured; and a simulation that says how it queues.

Pure: reads docs/bench. The documentation shows `plan` and `checks`.
"""

import csv
import math
import random
import re
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import accumulate
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "docs" / "bench"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# Of the machine that was measured: load, stub of STS, service and database shared it.
PROCESSORS, CALLERS, AT_ONCE, STS_MS, THREADS = 2, 16, 40, 40, 8
ISSUE, REGISTER = "issues, 16 callers", "register, 16 callers"
BARE, ISSUE_TO_BARE = (
    "bare call, shared client",
    "issue, 16 callers: processor time to the bare call",
)
SLOW_STS = "STS at 40 ms, 16 callers, 2 x 16 threads: of 16 / 40 ms"
BATCH = "40 callers at once: failed"

BUILDS_A_DAY = (100, 10_000, 1_000_000)
# A build is uploaded with one session, looked at with another when it is finished, and counted with
# a third. A token, the registration and the finish count as registrations, which cost most of the
# three.
SESSIONS_A_BUILD, OTHERS_A_BUILD = 3, 3
DAY_SECONDS, PEAK, BUSY, LEDGER_DAYS = 86_400, 10, 0.6, 90
# IAM User Guide, "IAM and AWS STS quotas": requests per second of an account in a Region.
STS_QUOTA = 600
# Dollars an hour for two processors and 8 GB, m7g.large in us-east-1, June 2026: factualminds.com,
# "Amazon EC2 On-Demand Pricing".
PRICE, HOURS_A_MONTH = 0.0816, 730

Table = list[list[str]]


def simulate(
    arrivals: Iterable[float],
    *,
    calls: int,
    work_ms: float,
    wait_ms: float,
    processors: int = PROCESSORS,
) -> list[tuple[float, float]]:
    """When each call began and ended. It works, waits for STS and works again, each time on
    whichever processor is free first; whoever has an answer calls again until all were made.
    """
    dice = random.Random(1)  # noqa: S311 - the same each time
    free = [0.0] * processors
    events = [(at, number, at, 0) for number, at in enumerate(arrivals)]
    heapify(events)
    begun, ended = len(events), []
    while events:
        now, number, began, step = heappop(events)
        if step < 2:
            end = max(now, heappop(free)) + dice.expovariate(2 / work_ms)
            heappush(free, end)
            heappush(events, (end + wait_ms * (step == 0), number, began, step + 1))
            continue
        ended.append((began, now))
        if begun < calls:
            begun += 1
            heappush(events, (now, begun, now, 0))
    return ended


def figures(database: str) -> dict[str, tuple[float, str]]:
    """What was measured last: the newer figure of each row, and all that the cell says."""
    with (BENCH / "last.csv").open(newline="") as file:
        rows = [(row["what"], row[database].rpartition("→ ")[2]) for row in csv.DictReader(file)]
    return {what: (float(re.match(r"-?[\d.]+", cell)[0]), cell) for what, cell in rows if cell}  # type: ignore[index]


def work_ms(measured: dict[str, tuple[float, str]], what: str) -> float:
    """Processor time of a call, all programs of the machine together."""
    return PROCESSORS * 1000 / measured[what][0]


def points(database: str) -> Iterator[tuple[str, float, float]]:
    """What the simulation says, and what was measured. The throughput of 16 callers is given."""
    measured = figures(database)
    work, possible = work_ms(measured, ISSUE), CALLERS * 1000 / STS_MS
    calls = simulate([0.0] * CALLERS, calls=4000, work_ms=work, wait_ms=STS_MS)
    yield (
        f"{CALLERS} callers, STS takes {STS_MS} ms: sessions per second",
        len(calls) * 1000 / calls[-1][1],
        measured[SLOW_STS][0] / 100 * possible,
    )
    calls = simulate([0.0] * AT_ONCE, calls=AT_ONCE, work_ms=work, wait_ms=0)
    longest = float(measured[BATCH][1].partition("waited ")[2].split()[0])
    yield f"{AT_ONCE} callers at once: the longest waits, ms", calls[-1][1], longest


def checks() -> Table:
    rows = [
        [f"{title}, {what}", f"{said:.0f}", f"{measured:.0f}"]
        for name, title in DATABASES.items()
        for what, said, measured in points(name)
    ]
    return [["", "Simulated", "Measured"], *rows]


def bytes_a_session() -> int:
    """Of the ledger and its indexes, at the largest size that was measured."""
    with (BENCH / "growth.csv").open(newline="") as file:
        rows = [list(row.values()) for row in csv.DictReader(file)]
    return sum(int(row[-1]) for row in rows if row[0].startswith("ledger, bytes"))


def plan() -> Table:
    """A column for each number of builds a day."""
    needs = [_needs(builds) for builds in BUILDS_A_DAY]
    rows = [[what, *(each[what] for each in needs)] for what in needs[0]]
    return [["Builds per day", *(f"{builds:,}" for builds in BUILDS_A_DAY)], *rows]


def _needs(builds: int) -> dict[str, str]:
    measured, peak = figures("postgresql"), builds / DAY_SECONDS * PEAK
    issue_ms, sessions = work_ms(measured, ISSUE), peak * SESSIONS_A_BUILD
    others = peak * OTHERS_A_BUILD
    calls = sessions + others * work_ms(measured, REGISTER) / issue_ms  # as dear as so many issues
    web_ms = measured[BARE][0] * measured[ISSUE_TO_BARE][0]
    web, database = (math.ceil(calls * each / 1000 / BUSY) for each in (web_ms, issue_ms - web_ms))
    machines = math.ceil((web + database) / PROCESSORS)
    ledger = builds * SESSIONS_A_BUILD * LEDGER_DAYS * bytes_a_session() / 1e6
    return {
        "Builds per second, at the peak": f"{peak:.2f}",
        "Sessions per second": f"{sessions:.2f}",
        "Share of STS's quota": f"{sessions / STS_QUOTA:.2%}",
        "Commits per second that wait for the disk": f"{sessions + others:.1f}",
        "Web processes": str(web),
        "Database connections, at most": str(web * 2 * THREADS),
        "Processors for the database": str(database),
        "95 % of sessions issued within": f"{_p95_ms(calls, issue_ms, web + database):.0f} ms",
        f"Ledger after {LEDGER_DAYS} days": f"{ledger:,.0f} MB",
        "Machines with two processors": str(machines),
        "Price of these per month": f"${machines * HOURS_A_MONTH * PRICE:.0f}",
    }


def _p95_ms(per_second: float, work: float, processors: int) -> float:
    """Of calls that arrive at random."""
    dice = random.Random(2)  # noqa: S311 - the same each time
    arrivals = accumulate(dice.expovariate(per_second / 1000) for _ in range(5000))
    calls = simulate(arrivals, calls=0, work_ms=work, wait_ms=STS_MS, processors=processors)
    return sorted(end - began for began, end in calls)[int(len(calls) * 0.95)]
