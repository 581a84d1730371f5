"""What is measured: each function gives one row or more. Rounds of both sides alternate, so that
whatever else the machine does falls on both alike.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.main_path.programs import CLIENTS, WORKERS, Keeper, Sts, Talker

# Source of the predecessor's figures: ltd-keeper 1.23.0, measured on loopback. Its presigned URLs
# took 189 ms each, of which 20 directories need 40: a client is made anew for each of them.
PREDECESSOR_REGISTERS_PER_SECOND = 42.0
PREDECESSOR_POSTS_PER_SECOND = 3.8
PHASE_SECONDS = 2.5
NO_LIMIT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. `before` is the same of the older tree, in the same run; `goal` is in words."""

    what: str
    value: float
    unit: str
    goal: str
    before: float | None = None
    note: str = ""


class Side:
    """A running service, and for each of its clients a product with an open build."""

    def __init__(self, keeper: Keeper, load: Talker) -> None:
        self.keeper = keeper
        self._load = load
        self.builds: list[str] = []
        for number, key in enumerate(keeper.keys):
            slug = f"guide-{number}"
            self.load(
                [_request("POST", "/products/", key, {"slug": slug, "store": "default"})], count=1
            )
            self.builds.append("")
        self._register_builds()

    def _register_builds(self) -> None:
        """Their addresses are not in the load's answers, so the lists are read instead."""
        self.load(self.registrations, count=CLIENTS)
        for number, key in enumerate(self.keeper.keys):
            self.builds[number] = _first_build(self.keeper.port, key, f"guide-{number}")

    @property
    def registrations(self) -> list[dict[str, Any]]:
        return [
            _request("POST", f"/products/guide-{number}/builds/", key, {"git_refs": ["main"]})
            for number, key in enumerate(self.keeper.keys)
        ]

    def each_build(self, method: str, suffix: str, body: Any = None) -> list[dict[str, Any]]:
        """A request for the open build of every client."""
        pairs = zip(self.builds, self.keeper.keys, strict=True)
        return [_request(method, build + suffix, key, body) for build, key in pairs]

    def load(
        self,
        requests: list[dict[str, Any]],
        *,
        callers: int = 1,
        count: int = NO_LIMIT,
        seconds: float = 30,
        per_second: float = 0,
    ) -> dict[str, Any]:
        """Send them, again and again; the load's tally."""
        document = {
            "port": self.keeper.port,
            "requests": requests,
            "callers": callers,
            "count": count,
            "seconds": seconds,
            "per_second": per_second,
        }
        return self._load.ask(json.dumps(document))

    def processor_ms(self, requests: list[dict[str, Any]], *, callers: int, count: int) -> float:
        """Processor time of the workers for one request."""
        before = self.keeper.processor_ms
        answered = _good(self.load(requests, callers=callers, count=count))
        return (self.keeper.processor_ms - before) / max(1, answered)


def _request(method: str, path: str, key: str, body: Any = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    return {"method": method, "path": path, "headers": headers, "body": body}


def _first_build(port: int, key: str, product: str) -> str:
    from urllib.request import Request, urlopen  # noqa: PLC0415

    request = Request(
        f"http://127.0.0.1:{port}/products/{product}/builds/",
        headers={"Authorization": f"Bearer {key}"},
    )
    with urlopen(request, timeout=10) as answer:
        url = str(json.loads(answer.read())["builds"][0])
    return "/builds/" + url.rpartition("/")[2]


def _good(tally: dict[str, Any]) -> int:
    return sum(count for status, count in tally["statuses"].items() if status in {"200", "201"})


def _failed(tally: dict[str, Any]) -> float:
    """The share of requests that got anything but success, in percent."""
    sent = sum(tally["statuses"].values())
    return 100 * (sent - _good(tally)) / max(1, sent)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The two sides, the STS that both ask, and the calls without a service around them."""

    now: Side
    before: Side | None
    sts: Sts
    bare: Talker
    folder: Path

    @property
    def sides(self) -> list[Side]:
        return [side for side in (self.before, self.now) if side]

    def bare_call(self, kind: str = "shared", calls: int = 100) -> dict[str, float]:
        return self.bare.ask(f"{self.sts.url} {kind} {calls}")

    def both(self, measure: Callable[[Side], float], rounds: int = 3) -> tuple[float, float | None]:
        """The median of each side's rounds, made in turn: now, before."""
        figures: dict[int, list[float]] = {id(side): [] for side in self.sides}
        for _ in range(rounds):
            for side in self.sides:
                figures[id(side)].append(measure(side))
        before = statistics.median(figures[id(self.before)]) if self.before else None
        return statistics.median(figures[id(self.now)]), before


def bare_calls(bench: Bench) -> Iterator[Row]:
    """The base lines: a shared client, and a new one for each call."""
    shared, new = bench.bare_call(calls=300), bench.bare_call("new", 20)
    yield Row(what="bare call, shared client", value=shared["processor_ms"], unit="ms CPU", goal="")
    ratio = new["processor_ms"] / shared["processor_ms"]
    yield Row(what="bare call, a client per call, to that", value=ratio, unit="x", goal="")


def processor_time_of_issuing(bench: Bench) -> Iterator[Row]:
    """Processor time in the service, to the bare call measured in turn with it."""
    for callers in (1, 16):

        def ratio(side: Side, callers: int = callers) -> float:
            bare = bench.bare_call()["processor_ms"]
            requests = side.each_build("POST", "/credentials", {})
            return side.processor_ms(requests, callers=callers, count=120) / bare

        now, before = bench.both(ratio, rounds=5)
        yield Row(
            what=f"issue, {callers} caller{'s' * (callers > 1)}: processor time to the bare call",
            value=now,
            unit="x",
            goal="at most 3",
            before=before,
        )


def latency_of_issuing(bench: Bench) -> Iterator[Row]:
    """By the clock, without the bare call and without the two flushes to the disk."""
    flush = flush_ms(bench.folder)

    def latency(side: Side) -> float:
        bare = bench.bare_call()["median_ms"]
        tally = side.load(side.each_build("POST", "/credentials", {}), count=150)
        return float(tally["median_ms"]) - bare - 2 * flush

    now, before = bench.both(latency)
    yield Row(
        what="issue, 1 caller: latency on top of the bare call",
        value=now,
        unit="ms",
        goal="at most 4",
        before=before,
        note=f"two flushes of {flush:.2f} ms taken off",
    )


def issues_per_second(bench: Bench) -> Iterator[Row]:
    """16 callers, two workers."""
    failures: dict[int, list[float]] = {id(side): [] for side in bench.sides}

    def rate(side: Side) -> float:
        requests = side.each_build("POST", "/credentials", {})
        tally = side.load(requests, callers=16, seconds=PHASE_SECONDS)
        failures[id(side)].append(_failed(tally))
        return _good(tally) / float(tally["elapsed_seconds"])

    yield _rate_row("issues, 16 callers", bench.both(rate), failures[id(bench.now)], "at least 4 x")


def _rate_row(what: str, rates: tuple[float, float | None], failed: list[float], goal: str) -> Row:
    now, before = rates
    times = f"{now / before:.1f} x, " if before else ""
    note = f"{times}{max(failed):.1f} % failed"
    return Row(what=what, value=now, unit="/s", goal=goal, before=before, note=note)


def forty_at_once(bench: Bench) -> Iterator[Row]:
    """40 callers that send together and do not try again."""
    longest: list[float] = []

    def failed(side: Side) -> float:
        requests = side.each_build("POST", "/credentials", {})
        tallies = [side.load(requests, callers=40, count=40) for _ in range(5)]
        if side is bench.now:
            longest.extend(float(tally["longest_ms"]) for tally in tallies)
        return statistics.mean(_failed(tally) for tally in tallies)

    now, before = bench.both(failed)
    yield Row(
        what="40 callers at once: failed",
        value=now,
        unit="%",
        goal="0, within 1.5 s",
        before=before,
        note=f"the longest waited {max(longest):.0f} ms",
    )


def quota_of_sts(bench: Bench) -> Iterator[Row]:
    """STS gives 100 sessions a second and is asked for twice that."""
    bench.sts.settle(quota=100)
    was = bench.sts.counters
    tally = bench.now.load(
        bench.now.each_build("POST", "/credentials", {}),
        callers=32,
        per_second=200,
        seconds=PHASE_SECONDS,
    )
    counters = bench.sts.counters
    bench.sts.settle()
    asked = sum(counters.values()) - sum(was.values())
    refused = sum(tally["statuses"].values()) - _good(tally)
    yield Row(
        what="STS at its quota of 100/s: issued",
        value=_good(tally) / float(tally["elapsed_seconds"]),
        unit="/s",
        goal="the quota; the rest 503 with Retry-After",
        note=f"{refused} refused, {tally['with_retry_after']} of them with Retry-After; "
        f"{asked / max(1, sum(tally['statuses'].values())):.2f} calls of STS a request",
    )


def served_from_memory(bench: Bench) -> Iterator[Row]:
    """What SDKs ask for again, and 500 of them at once."""
    failures: dict[int, list[float]] = {id(side): [] for side in bench.sides}

    def rate(side: Side) -> float:
        tally = side.load(
            side.each_build("GET", "/credentials"), callers=16, seconds=PHASE_SECONDS / 2
        )
        failures[id(side)].append(_failed(tally))
        return _good(tally) / float(tally["elapsed_seconds"])

    for side in bench.sides:  # now each worker has them
        side.load(side.each_build("GET", "/credentials"), callers=16, count=6 * CLIENTS)
    rates = bench.both(rate)
    yield _rate_row(
        "served from memory, 16 callers", rates, failures[id(bench.now)], "at least 5 x"
    )
    bench.now.load(bench.now.registrations[:1], count=1)
    key = bench.now.keeper.keys[0]
    path = _first_build(bench.now.keeper.port, key, "guide-0") + "/credentials"
    was = bench.sts.counters["answered"]
    tally = bench.now.load([_request("GET", path, key)], callers=500, count=500)
    yield Row(
        what="500 at once: calls of STS",
        value=bench.sts.counters["answered"] - was,
        unit="",
        goal=f"at most {WORKERS}, one a process",
        note=f"{_failed(tally):.1f} % failed",
    )


def registering(bench: Bench) -> Iterator[Row]:
    """Builds, and whether it matters how many there are."""
    failures: dict[int, list[float]] = {id(side): [] for side in bench.sides}

    def rate(side: Side) -> float:
        tally = side.load(side.registrations, callers=16, seconds=PHASE_SECONDS / 2)
        failures[id(side)].append(_failed(tally))
        return _good(tally) / float(tally["elapsed_seconds"])

    rates = bench.both(rate)
    yield _rate_row("register, 16 callers", rates, failures[id(bench.now)], "at least 4 x")
    yield Row(
        what="register, to the predecessor's 42/s",
        value=rates[0] / PREDECESSOR_REGISTERS_PER_SECOND,
        unit="x",
        goal="10 is the aim",
    )
    side = bench.now

    def one(number: int) -> float:
        """By the clock, so that the database's work is in it."""
        return float(side.load([side.registrations[number]], count=100)["median_ms"])

    empty = [one(1)]
    side.keeper.fill("guide-2", 100_000)
    full = []
    for _ in range(3):
        full.append(one(2))
        empty.append(one(1))
    yield Row(
        what="register at 100,000 builds, to an empty product",
        value=statistics.median(full) / statistics.median(empty),
        unit="x",
        goal="at most 1.2",
    )


def presigning(bench: Bench) -> Iterator[Row]:
    """POSTs for 20 directories."""
    body = {"directories": [f"section/{number}/" for number in range(20)]}

    def rate(side: Side) -> float:
        requests = side.each_build("POST", "/presigned-posts", body)
        tally = side.load(requests, callers=4, seconds=PHASE_SECONDS / 2)
        return _good(tally) / float(tally["elapsed_seconds"])

    now, before = bench.both(rate)
    yield Row(
        what="presigned POSTs for 20 directories",
        value=now,
        unit="/s",
        goal="at least 190, 50 x the predecessor's 3.8",
        before=before,
        note=f"{now / PREDECESSOR_POSTS_PER_SECOND:.0f} x the predecessor's",
    )


def reading(bench: Bench) -> Iterator[Row]:
    """A build, to `/livez`."""

    def ratio(side: Side) -> float:
        # So many that a tick of the processor's clock, 10 ms, is little beside them.
        live = side.processor_ms([_request("GET", "/livez", "")], callers=1, count=500)
        return side.processor_ms(side.each_build("GET", ""), callers=1, count=500) / live

    now, before = bench.both(ratio)
    yield Row(
        what="read a build: processor time to /livez",
        value=now,
        unit="x",
        goal="at most 2",
        before=before,
    )


def latency_of_sts(bench: Bench) -> Iterator[Row]:
    """STS takes 40 ms; the service must run with 16 threads a worker."""
    bench.sts.settle(latency_ms=40)
    possible = 16 / 0.040

    def share(side: Side) -> float:
        requests = side.each_build("POST", "/credentials", {})
        tally = side.load(requests, callers=16, seconds=PHASE_SECONDS)
        return 100 * _good(tally) / float(tally["elapsed_seconds"]) / possible

    now, before = bench.both(share, rounds=2)
    bench.sts.settle()
    yield Row(
        what="STS at 40 ms, 16 callers, 2 x 16 threads: of 16 / 40 ms",
        value=now,
        unit="%",
        goal="at least 60, 85 is the aim",
        before=before,
    )


def memory(bench: Bench, *, issues: int) -> Iterator[Row]:
    """How a worker grows while sessions are issued."""
    requests = bench.now.each_build("POST", "/credentials", {})
    bench.now.load(requests, callers=16, count=500)
    before = bench.now.keeper.memory_mb
    tally = bench.now.load(requests, callers=16, count=issues, seconds=issues)
    yield Row(
        what=f"memory of a worker after {_good(tally)} more issues",
        value=bench.now.keeper.memory_mb - before,
        unit="MB",
        goal="under 10 after 100,000",
    )


def flush_ms(folder: Path) -> float:
    """What a flush of one page to the disk takes where the database is."""
    times = []
    with (folder / "flushed").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


MEASURES: tuple[Callable[[Bench], Iterator[Row]], ...] = (
    bare_calls,
    processor_time_of_issuing,
    latency_of_issuing,
    issues_per_second,
    forty_at_once,
    quota_of_sts,
    served_from_memory,
    registering,
    presigning,
    reading,
)
