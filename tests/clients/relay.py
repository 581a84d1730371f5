"""A port in front of another one, which counts what passes, takes TLS off, or puts it far away."""

import asyncio
import contextlib
import re
import ssl
import threading
from collections import Counter
from functools import partial
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024
# What is watched for is not longer.
LONGEST = 20


class Relay:
    """Context manager: passes every byte between its own loopback port and `port`, both ways.

    `found` counts what fits the pattern `watched`, either way; `unanswered` counts connections that
    ended after a request and before its answer. With `tls`, callers speak TLS to it, as to the
    proxy in front of a service. What goes towards `port` is `seconds` on its way.
    """

    def __init__(
        self,
        port: int,
        *,
        watched: bytes = b"",
        tls: ssl.SSLContext | None = None,
        seconds: float = 0.0,
    ):
        self.target, self._tls, self._seconds = port, tls, seconds
        self._watched = re.compile(watched) if watched else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server
        self.found: Counter[bytes] = Counter()
        self.unanswered = 0
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=120)

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self.target)
            asked, answered = await asyncio.gather(
                self._pass(reader, downstream, seconds=self._seconds),
                self._pass(upstream, writer),
            )
            self.unanswered += asked > answered

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, seconds: float = 0.0
    ) -> float:
        """Until the end of the source; when the last piece came."""
        loop = asyncio.get_running_loop()
        tail, last, later = b"", 0.0, partial(loop.call_later, seconds)
        try:
            while piece := await source.read(CHUNK_BYTES):
                last = loop.time()
                tail = self._look_at(tail + piece)
                if seconds:
                    later(sink.write, piece)
                    continue
                sink.write(piece)
                await sink.drain()
        except ConnectionError:
            pass  # the other side notices
        finally:
            later(sink.close)
        return last

    def _look_at(self, seen: bytes) -> bytes:
        """Count what is watched for; what may be the beginning of more."""
        if self._watched is None:
            return b""
        end = max(0, len(seen) - LONGEST + 1)
        for match in self._watched.finditer(seen):
            self.found[match[0]] += 1
            end = max(end, match.end())
        return seen[end:]
