"""`python -m tests.bench.retention`: what compacting and pruning cost on PostgreSQL.

Fills an empty database and runs both commands, as cron does, on its sessions of 90 days. Prints
seconds, memory, the ledger's size after a vacuum, and how long others wait meanwhile.

    pg_virtualenv sh -c \
        'LTD_TEST_DATABASE_URL=postgres://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/postgres python -m \
        tests.bench.retention'
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from django.core.management import call_command
from django.utils import timezone

from credentials.models import HourlyCount
from credentials.operations.figures import HOUR, hour_of
from tests.bench.many_rows import fill
from tests.bench.migrating import beside, connect

TABLE = "credentials_issuedsession"
MEGABYTE = 1024 * 1024
# What a web process does to the newest row, and what it reads.
WRITE = f"UPDATE {TABLE} SET last_served_at = now() WHERE id = (SELECT max(id) FROM {TABLE})"  # noqa: S608
READ = f"SELECT id FROM {TABLE} ORDER BY id DESC LIMIT 20"  # noqa: S608


def work(ended: threading.Event, waits: list[float]) -> None:
    """Read and write again and again; note how long each took."""
    with connect() as other:
        while not ended.wait(0.005):
            for statement in (READ, WRITE):
                begin = time.perf_counter()
                other.execute(statement)
                waits.append(time.perf_counter() - begin)


def size() -> str:
    with connect() as other:
        other.execute(f"VACUUM ANALYZE {TABLE}")
        found = other.execute(
            "SELECT pg_relation_size(%(table)s), pg_indexes_size(%(table)s),"
            " (SELECT coalesce(sum(avail), 0) FROM pg_freespace(%(table)s))",
            {"table": TABLE},
        )
        heap, indexes, free = (number / MEGABYTE for number in found.fetchone() or ())
        return f"heap {heap:.0f} MB, of it free {free:.0f} MB; indexes {indexes:.0f} MB"


def run(*arguments: str) -> None:
    waits: list[float] = []
    environment = {
        "PATH": os.environ["PATH"],
        "LTD_ENV_FILE": "tests/production.env",
        "DATABASE_URL": os.environ["DATABASE_URL"],
    }
    begin = time.perf_counter()
    with beside(lambda ended: work(ended, waits)):
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, env=environment, check=True)
    seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    say(
        f"{arguments[0]}: {seconds:.0f} s, {memory:.0f} MB (largest process until now); others "
        f"waited {max(waits) * 1000:.0f} ms at most; {size()}"
    )


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=900_000, help="sessions in the ledger")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    with connect() as other:
        other.execute("CREATE EXTENSION pg_freespacemap")
    begin = time.perf_counter()
    fill(sessions=options.rows, builds=options.rows // 10, job_tokens=1000)
    say(f"{options.rows} sessions, filled in {time.perf_counter() - begin:.0f} s; {size()}")
    now = hour_of(timezone.now())
    HourlyCount.objects.bulk_create(
        HourlyCount(hour=now - number * HOUR) for number in range(1, 100 * 24)
    )
    run("clearsessions")  # what any command takes
    run("compact_policies")
    with tempfile.TemporaryDirectory() as folder:
        run("prune_sessions", "--older-than", "30d", "--export", folder)
        for path in sorted(Path(folder).iterdir()):
            say(f"{path.name}: {path.stat().st_size / MEGABYTE:.1f} MB")


if __name__ == "__main__":
    main()
