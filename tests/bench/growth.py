"""`python -m tests.bench.growth`: what the same costs as the ledger grows, on PostgreSQL.

Each size has a server of its own with `fsync` on; ten million sessions take 35 GB of disk and
a quarter of an hour. Writes a column for each size.
"""

import argparse
import csv
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from django.core.management import call_command
from django.db import connection

from credentials.access.callers import Caller
from credentials.access.clients import command_line_user, make_api_key
from credentials.models import IssuedSession
from tests.bench.admin_pages import open_pages
from tests.bench.audits import DATABASE, TABLE, count_hours, measure
from tests.bench.issuing import issuing, registering, statements_of
from tests.bench.many_rows import Filled, fill, limit_statements
from tests.bench.migrating import VERSIONS, beside, migrate, watch
from tests.bench.timing import measure as timed
from tests.fake_sts import FakeSts
from tests.faults.postgres import USER, Postgres

SIZES = [10_000, 100_000, 1_000_000, 10_000_000]
CALLS, BLOCKS_OF = 300, 100
SETTINGS = {"fsync": "on", "shared_buffers": "4GB", "max_wal_size": "16GB", "autovacuum": "off"}


def figures(sessions: int) -> Iterator[tuple[str, str]]:
    """What is measured, and how it is shown."""
    logging.disable(logging.WARNING)
    call_command("migrate", verbosity=0)
    filled = fill(sessions=sessions, builds=sessions // 10, job_tokens=sessions // 20)
    yield from ledger(sessions)
    yield from calls(filled)
    yield from pages(filled)
    with tempfile.TemporaryDirectory() as name:
        yield "audit_sessions", f"{measure('', Path(name), 'audit_sessions'):.1f} s"
        yield from pruning(Path(name))
    yield from migrations()


def ledger(sessions: int) -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_table_size('{TABLE}'), pg_indexes_size('{TABLE}')")
        table, indexes = cursor.fetchone()
    yield "ledger, bytes per session: table", f"{table / sessions:.0f}"
    yield "ledger, bytes per session: indexes", f"{indexes / sessions:.0f}"


def calls(filled: Filled) -> Iterator[tuple[str, str]]:
    key, _ = make_api_key(client=filled.client, actor=command_line_user())
    caller = Caller(client=filled.client, api_key=key)
    product = filled.client.products.earliest("pk")
    with mock.patch("credentials.vending.sts.client_for", return_value=FakeSts()):
        yield from one_by_one("register", registering(caller, product))
        yield from one_by_one("issue", issuing(caller, product))


def one_by_one(name: str, call: Callable[[], object]) -> Iterator[tuple[str, str]]:
    times = timed(name, call, count=CALLS)
    yield f"{name}: median, 95 %", f"{times.median:.1f}, {times.slow:.1f} ms"
    yield f"{name}: statements", str(len(statements_of(call)))
    before = blocks()
    for _ in range(BLOCKS_OF):
        call()
    yield f"{name}: blocks", f"{(blocks() - before) / BLOCKS_OF:.0f}"


def pages(filled: Filled) -> Iterator[tuple[str, str]]:
    before, times = blocks(), 2
    results = open_pages(filled, times)
    touched = (blocks() - before) / len(results) / (times + 1)
    assert not (failed := [name for name, (status, _, _) in results.items() if status >= 400]), (
        failed
    )
    every = [taken for _, _, times in results.values() for taken in times]
    slow = statistics.quantiles(every, n=20)[-1]
    yield "admin pages: median, 95 %", f"{statistics.median(every):.0f}, {slow:.0f} ms"
    slowest = max(statistics.median(times) for _, _, times in results.values())
    yield "admin pages: slowest", f"{slowest:.0f} ms"
    yield "admin pages: blocks of one", f"{touched:,.0f}"


def blocks() -> int:
    """Of 8 kB, that PostgreSQL has looked at so far: what no other work of the machine changes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def pruning(folder: Path) -> Iterator[tuple[str, str]]:
    """A tenth of the ledger."""
    count_hours()
    limit_statements(is_limited=False)
    before = IssuedSession.objects.count()
    seconds = measure("", folder, "prune_sessions", "--older-than", "81d", "--export", str(folder))
    removed = before - IssuedSession.objects.count()
    yield "prune_sessions: a tenth", f"{seconds:.1f} s ({removed / seconds:,.0f}/s)"


def migrations() -> Iterator[tuple[str, str]]:
    """From the last release to here, after going back to it."""
    held: dict[str, float] = {}
    for app, name in VERSIONS["1.0.0"].items():
        migrate(app, name)
    with beside(lambda ended: watch(ended, held)):
        begin = time.perf_counter()
        migrate()
        seconds = time.perf_counter() - begin
    longest = max(held.values(), default=0) * 1000
    yield "migrations since 1.0.0: time, longest lock", f"{seconds:.1f} s, {longest:.0f} ms"


def add_figure(path: Path, title: str, what: str, figure: str) -> None:
    """To a column of the table in a file; all else there stays."""
    table: dict[str, dict[str, str]] = {}
    if path.exists():
        with path.open(newline="") as file:
            table = {row["sessions"]: row for row in csv.DictReader(file)}
    table.setdefault(what, {"sessions": what})[title] = figure
    titles = {name for row in table.values() for name in row} - {"sessions"}
    names = ["sessions", *sorted(titles, key=lambda name: int(name.replace(",", "")))]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=SIZES)
    parser.add_argument("--csv", type=Path, default=Path(".build/growth.csv"))
    options = parser.parse_args()
    if DATABASE in os.environ:
        [sessions] = options.sessions
        for what, figure in figures(sessions):
            add_figure(options.csv, f"{sessions:,}", what, figure)
        return
    for sessions in options.sessions:
        server = Postgres()
        server.create()
        server.settings = SETTINGS
        with server.running():
            again = [sys.executable, "-m", "tests.bench.growth", "--csv", str(options.csv)]
            subprocess.run(
                [*again, "--sessions", str(sessions)], env=os.environ | place(server), check=True
            )


def place(server: Postgres) -> dict[str, str]:
    """The variables that lead to a server."""
    names = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": USER, "PGPASSWORD": "-"}
    return names | {DATABASE: "postgres:///postgres"}


if __name__ == "__main__":
    main()
