"""The power goes: what the disk holds then has a row for all that callers were given."""

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.callers import Callers
from tests.faults.conftest import Services, preloaded
from tests.faults.fake_store import FakeStore
from tests.faults.postgres import Postgres
from tests.faults.service import Service
from tests.faults.table import compare, times

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler"),
]
BLOCK = 4096
# Each commit in a way of its own, then the process is gone.
COMMITS = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for synchronous in sys.argv[2:]:
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("INSERT INTO t VALUES (?)", (synchronous,))
os._exit(0)
"""


class Power:
    """Of a disk that holds a folder. Programs that run with `env` have what they flush kept beside
    the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._kept, library = (self.folder.with_name(name) for name in ("kept", "power.so"))
        self.env = {
            "LD_PRELOAD": str(library),
            "POWER_FROM": str(self.folder),
            "POWER_TO": str(self._kept),
        }

    def record(self) -> None:
        """Whatever was written so far is on the disk."""
        copy(self.folder, self._kept)
        preloaded("power.c", Path(self.env["LD_PRELOAD"]))

    def copy_to(self, place: Path) -> "Power":
        """The same disk once more."""
        place.mkdir()
        for folder in (self.folder, self._kept):
            copy(folder, place / folder.name)
        return Power(place / self.folder.name)

    def cut(self, *, part: float) -> None:
        """Leave what was flushed, and a part of the blocks that were not: a disk may have written
        any of them. None of these programs runs any more.
        """
        for file in files(self.folder):
            if not (self._kept / file).exists():
                (self.folder / file).unlink()
        for file in files(self._kept):
            kept, now = self._kept / file, self.folder / file
            if not now.exists():
                copy(kept, now)
            elif (flushed := kept.read_bytes()) != (written := now.read_bytes()):
                left = mix(flushed, written, part)
                kept.write_bytes(left)
                now.write_bytes(left)  # in place: the service notices a file that was moved


def random_part() -> float:
    """Every other time none."""
    return random.choice((0, random.random()))  # noqa: S311


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", source, target], check=True)  # noqa: S607


def files(folder: Path) -> list[Path]:
    """Relative to the folder."""
    return [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()]


def mix(flushed: bytes, written: bytes, part: float) -> bytes:
    """A file of which so many blocks were written since it was flushed."""
    if not part:
        return flushed
    found = bytearray(flushed.ljust(len(written), b"\0"))
    for start in range(0, len(written), BLOCK):
        block = written[start : start + BLOCK]
        if random.random() < part:  # noqa: S311
            found[start : start + len(block)] = block
    return bytes(found)


@pytest.mark.parametrize(
    ("commits", "rows"),
    [
        pytest.param(["OFF"], 0, id="never flushed"),
        pytest.param(["NORMAL"], 0, id="not flushed yet"),
        pytest.param(["FULL"], 1, id="flushed"),
        pytest.param(["NORMAL", "FULL"], 2, id="flushed with the next"),
    ],
)
def test_only_what_was_flushed_survives(commits: list[str], rows: int, tmp_path: Path) -> None:
    database = tmp_path / "disk" / "db.sqlite3"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (synchronous)")
    power = Power(database.parent)
    power.record()
    subprocess.run([sys.executable, "-c", COMMITS, database, *commits], env=power.env, check=True)
    power.cut(part=0)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(rows,)]


def test_machine_with_sqlite_loses_no_row(
    services: Services, store: FakeStore, tmp_path: Path
) -> None:
    (disk := tmp_path / "disk").mkdir()
    service, tried = services.make("sqlite", disk), times(100, 3)
    callers, power = Callers(service, refreshing=True), Power(disk)
    power.record()
    service.env |= power.env
    with service.running(times(2, 1)), callers.asking():
        for number in range(tried):
            callers.wait_for_more(16)
            time.sleep(random.random() / 5)  # noqa: S311
            with service.frozen():
                held, other = dict(callers.held), power.copy_to(tmp_path / str(number))
            other.cut(part=random_part())
            assert held.items() <= issued(other.folder / "db.sqlite3").items()
        service.kill()
    power.cut(part=random_part())
    with service.running(), callers.asking():
        callers.wait_for_more()
    compare("the power is cut", service, callers, tried + 1)


def issued(database: Path) -> dict[str, str]:
    query = "SELECT access_key_id, root FROM credentials_issuedsession WHERE status = 'issued'"
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute(query).fetchall())


@contextmanager
def on_such_a_disk(server: Postgres) -> Iterator[Power]:
    """A running server; afterwards as before."""
    server.stop("fast")
    power = Power(server.data)
    power.record()
    server.settings["fsync"], server.env = "on", power.env
    server.start()
    yield power
    server.stop("fast")
    del server.settings["fsync"]
    server.env = {}
    server.start()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_machine_with_postgresql_loses_no_row(shared: Service) -> None:
    tried, server, callers = times(100, 3), shared.server, Callers(shared, refreshing=True)
    with on_such_a_disk(server) as power, callers.asking():
        for _ in range(tried):
            callers.wait_for_more(16)
            time.sleep(random.random() / 5)  # noqa: S311
            server.stop("immediate")
            power.cut(part=random_part())
            server.start()
        callers.wait_for_more()
    compare("the power is cut", shared, callers, tried)
