"""A port in front of another one, which counts what passes, takes TLS off, or puts it far away."""

import asyncio
import contextlib
import ssl
import threading
from functools import partial
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024


class Relay:
    """Context manager: passes every byte between its own loopback port and `port`, both ways.

    `count` is how often `watched` went towards `port`. With `tls`, callers speak TLS to it, as to
    the proxy in front of a service. What goes towards `port` is `seconds` on its way.
    """

    def __init__(
        self,
        port: int,
        *,
        watched: bytes = b"",
        tls: ssl.SSLContext | None = None,
        seconds: float = 0.0,
    ):
        self._target, self._watched, self._tls, self._seconds = port, watched, tls, seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server
        self.count = 0
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
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(
                self._pass(reader, downstream, watched=self._watched, seconds=self._seconds),
                self._pass(upstream, writer),
            )

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        watched: bytes = b"",
        seconds: float = 0.0,
    ) -> None:
        """Until the end of the source. What is watched for may lie across two pieces."""
        tail, later = b"", partial(asyncio.get_running_loop().call_later, seconds)
        try:
            while piece := await source.read(CHUNK_BYTES):
                if watched:
                    seen = tail + piece
                    self.count += seen.count(watched)
                    tail = seen[-(len(watched) - 1) :]
                if seconds:
                    later(sink.write, piece)
                    continue
                sink.write(piece)
                await sink.drain()
        finally:
            later(sink.close)
