"""Load on loopback from a process of its own, run as a program: `python load.py`.

Reads one JSON document a line from standard input and answers each with one, until the input ends.
A document says `port`, `requests` (each `method`, `path`, `headers`, `body`), `callers`, and how
much: at most `count` requests and at most `seconds`; `per_second` (0: as fast as answers come)
spreads them. Each caller has a connection of its own, and asks for the next request that nobody
has sent yet; the list is gone through again and again. Nothing is tried twice.
"""

import asyncio
import itertools
import json
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

NO_ANSWER = 0


@dataclass
class Tally:
    """What the callers saw, all together."""

    statuses: "Counter[int]" = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    with_retry_after: int = 0

    def add(self, status: int, seconds: float, headers: bytes) -> None:
        self.statuses[status] += 1
        self.milliseconds.append(seconds * 1000)
        self.with_retry_after += b"\nretry-after:" in headers.lower()

    def document(self, elapsed: float) -> dict[str, Any]:
        ordered = sorted(self.milliseconds) or [0.0]
        return {
            "elapsed_seconds": elapsed,
            "statuses": dict(self.statuses),
            "median_ms": statistics.median(ordered),
            "p95_ms": ordered[int(len(ordered) * 0.95)] if len(ordered) > 1 else ordered[0],
            "longest_ms": ordered[-1],
            "with_retry_after": self.with_retry_after,
        }


class Load:
    """One run: callers that share a list of requests and a bound."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._port = int(document["port"])
        self._callers = int(document["callers"])
        self._per_second = float(document.get("per_second", 0))
        self._requests = itertools.cycle([self._encode(each) for each in document["requests"]])
        self._numbers = iter(range(int(document["count"])))
        self._seconds = float(document["seconds"])
        self._tally = Tally()

    def _encode(self, request: dict[str, Any]) -> bytes:
        body = json.dumps(request["body"]).encode() if request.get("body") is not None else b""
        headers = {"Host": f"127.0.0.1:{self._port}", **request.get("headers", {})}
        if request["method"] != "GET":
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{request['method']} {request['path']} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    async def run(self) -> dict[str, Any]:
        started = time.perf_counter()
        self._started = started
        await asyncio.gather(*(self._call_on_and_on() for _ in range(self._callers)))
        return self._tally.document(time.perf_counter() - started)

    async def _call_on_and_on(self) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for number in self._numbers:
            if not await self._is_due(number):
                return
            request = next(self._requests)
            sent = time.perf_counter()
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", self._port)
                status, headers = await self._ask(*streams, request)
            except (OSError, asyncio.IncompleteReadError):
                status, headers, streams = NO_ANSWER, b"", None
            self._tally.add(status, time.perf_counter() - sent, headers)
        if streams:
            streams[1].close()

    async def _is_due(self, number: int) -> bool:
        """Wait for the request's turn; False when the time is over."""
        if self._per_second:
            due = self._started + number / self._per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        return time.perf_counter() - self._started < self._seconds

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> tuple[int, bytes]:
        writer.write(request)
        headers = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in headers.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        await reader.readexactly(length)
        return int(headers[9:12]), headers


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asyncio.run(Load(json.loads(line)).run())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
