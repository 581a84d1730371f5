"""`python -m tests.bench.through_service`: uploads through the service beside direct ones.

The service runs as in production, on SQLite; a stub is STS and throws objects away, so that the
figures are the service's part. Says for each way how much went through in a second, what processor
time the service's workers took, and how much the largest of them grew; and how long issuing takes
meanwhile.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from tests.bench.main_path.programs import ROOT, Keeper, Sts
from tests.store.uploader import RegisteredBuild, Uploader

AT_ONCE, MEGABYTE = 4, 1 << 20
BATCHES = {"50 KB": (50 * 1024, 800), "16 MB": (16 * MEGABYTE, 40), "1 GB": (1024 * MEGABYTE, 1)}
ISSUES = 150
Put = Callable[[int, int], None]


class Zeros:
    """A file of a length, made as it is read."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        given = self.left if size < 0 else min(size, self.left)
        self.left -= given
        return bytes(given)


class Ways:
    """Two ways of uploading one file to a build."""

    def __init__(self, uploader: Uploader, build: RegisteredBuild, key: str) -> None:
        self.uploader, self.build = uploader, build
        self.token = {"Authorization": f"Bearer {key}"}
        self.http = urllib3.PoolManager(maxsize=2 * AT_ONCE, blocksize=MEGABYTE // 4)

    def through(self, number: int, size: int) -> None:
        url = f"{self.build.url}/objects/{number}.html"
        while self._put(url, size, self.token) == 503:  # the worker is busy, as clients find it
            time.sleep(0.02)

    def direct(self, number: int, size: int) -> None:
        body = {"files": [{"key": f"{number}.html", "size": size}]}
        url = f"{self.build.url}/presigned-urls"
        answer = self.http.request("POST", url, json=body, headers=self.token)
        [signed] = answer.json()["urls"].values()
        assert self._put(signed["url"], size, signed["headers"]) == 200

    def _put(self, url: str, size: int, headers: dict[str, str]) -> int:
        sent = headers | {"Content-Length": str(size)}
        return self.http.request("PUT", url, body=Zeros(size), headers=sent, retries=False).status


@contextmanager
def peak_memory(keeper: Keeper) -> Iterator[list[float]]:
    """Fills a list with the memory of the largest worker until it ends."""
    seen, ended = [keeper.memory_mb], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            seen.append(keeper.memory_mb)

    watch = threading.Thread(target=look)
    watch.start()
    yield seen
    ended.set()
    watch.join()


def measure(keeper: Keeper, title: str, put: Put, size: int, count: int) -> str:
    put(0, 1)
    with peak_memory(keeper) as seen, ThreadPoolExecutor(AT_ONCE) as pool:
        processor, began = keeper.processor_ms, time.perf_counter()
        list(pool.map(put, range(count), [size] * count))
        seconds, processor = time.perf_counter() - began, keeper.processor_ms - processor
    rate, each = (
        f"{count / seconds:>9.1f}{count * size / MEGABYTE / seconds:>9.1f}",
        seconds / count,
    )
    return f"{title:<22}{rate}{processor / count:>10.1f}{max(seen) - seen[0]:>9.1f}{each:>9.3f}\n"


def issuing(uploader: Uploader, build: RegisteredBuild) -> str:
    times = []
    for _ in range(ISSUES):
        began = time.perf_counter()
        answer = uploader.ask(build)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.ok, answer.text
    slow = statistics.quantiles(times, n=20)[-1]
    return f"median {statistics.median(times):.1f} ms, 95 % {slow:.1f} ms"


@contextmanager
def uploading(put: Put, size: int) -> Iterator[None]:
    """Uploads without end meanwhile."""
    ended = threading.Event()

    def again(number: int) -> None:
        while not ended.is_set():
            put(number, size)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(AT_ONCE):
            pool.submit(again, number)
        yield
        ended.set()


def run(keeper: Keeper, write: Callable[[str], Any]) -> None:
    url = f"http://127.0.0.1:{keeper.port}"
    uploader = Uploader(url, api_key=keeper.keys[0], store="default")
    uploader.create_product("handbook")
    build = uploader.register("handbook")
    ways = Ways(uploader, build, keeper.keys[0])
    write(f"{'':<22}{'files/s':>9}{'MB/s':>9}{'ms/file':>10}{'MB more':>9}{'s/file':>9}\n")
    for title, (size, count) in BATCHES.items():
        for way, put in {"direct": ways.direct, "through": ways.through}.items():
            write(measure(keeper, f"{title}, {way}", put, size, count))
    write(f"issuing alone: {issuing(uploader, build)}\n")
    for size in (50 * 1024, 16 * MEGABYTE):
        with uploading(ways.through, size):
            write(f"beside uploads of {size // 1024} KB: {issuing(uploader, build)}\n")


def main() -> None:
    sts = Sts()
    with tempfile.TemporaryDirectory(prefix="ltdkeeper-bench-") as name:
        folder = Path(name)
        keeper = Keeper(
            tree=ROOT,
            database_url=f"sqlite:///{folder}/db.sqlite3",
            sts_url=sts.url,
            log=folder / "log",
        )
        limits = {"LTD_SESSIONS_AN_HOUR": "100000", "LTD_PROXY_MAX_BYTES": str(2048 * MEGABYTE)}
        keeper._env |= limits | {"LTD_PROXY_UPLOADS": str(AT_ONCE)}
        with keeper.running(threads=8):
            run(keeper, sys.stdout.write)
    sts.stop()


if __name__ == "__main__":
    main()
