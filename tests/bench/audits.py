"""`make bench-audits`: what audits, webhooks and the ledger's upkeep cost, run as cron runs them.

On SQLite and, where `pg_virtualenv` exists, on PostgreSQL with `fsync` on: an empty database is
filled, a server on loopback lists a bucket and takes webhooks, and each command has a process of
its own. Prints seconds, seconds of processor, and the peak of memory; of what writes much, also how
long others wait meanwhile.
"""

import argparse
import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from builds.models import Store
from credentials.models import HourlyCount, Webhook, WebhookDelivery
from credentials.operations.figures import HOUR, hour_of
from tests.bench.many_rows import PRODUCTS, Filler, fill
from tests.bench.migrating import beside, connect
from tests.credentials.ledger_rows import issued_row
from tests.credentials.operations.audit.trail_records import (
    ACCOUNT,
    BUCKET,
    ROLE,
    background,
)

DATABASE = "LTD_TEST_DATABASE_URL"
SESSIONS, BUILDS, OBJECTS, RECORDS = 1_000_000, 200_000, 200_000, 5_000_000
EVENTS = 100_000
PAGE_KEYS, OF_A_BUILD = 1000, 10
# Of a log of CloudTrail, half of whose records are about us.
SESSIONS_OF_A_LOG, CALLS_OF_A_SESSION, LOGS = 40, 25, 20
RECORDS_OF_A_LOG = SESSIONS_OF_A_LOG * (1 + 2 * CALLS_OF_A_SESSION)
WRITTEN = "2020-01-01T00:00:00.000Z"
PROFILE = "[auditor]\naws_access_key_id = AKIA\naws_secret_access_key = none\n"
TABLE, MEGABYTE = "credentials_issuedsession", 1024 * 1024
WRITING = {"compact_policies", "prune_sessions"}
# What a web process does to the newest row, and what it reads.
WRITE = f"UPDATE {TABLE} SET last_served_at = now() WHERE id = (SELECT max(id) FROM {TABLE})"  # noqa: S608
READ = f"SELECT id FROM {TABLE} ORDER BY id DESC LIMIT 20"  # noqa: S608
SIZE = f"""SELECT pg_relation_size('{TABLE}'), pg_indexes_size('{TABLE}'),
 (SELECT coalesce(sum(avail), 0) FROM pg_freespace('{TABLE}'))"""  # noqa: S608


class Bucket(BaseHTTPRequestHandler):
    """Lists the first builds of each product, with some objects each, and no uploads; and accepts
    webhooks.
    """

    objects = 0

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "list-type" not in query:
            body = "<ListMultipartUploadsResult></ListMultipartUploadsResult>"
        elif "delimiter" in query:
            names = sorted(f"p{number}/" for number in range(PRODUCTS))
            folders = (
                f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in names
            )
            body = _listing("".join(folders))
        else:
            body = self._page(query["prefix"], int(query.get("continuation-token", "0")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def _page(self, prefix: str, begin: int) -> str:
        builds = self.objects // PRODUCTS // OF_A_BUILD
        first = int(prefix[1:-1])
        roots = sorted(f"{prefix}builds/b{first + PRODUCTS * n}" for n in range(1, builds + 1))
        keys = [f"{root}/{number}.html" for root in roots for number in range(OF_A_BUILD)]
        end = begin + PAGE_KEYS
        entries = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{WRITTEN}</LastModified><Size>10</Size>"
            "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag></Contents>"
            for key in keys[begin:end]
        )
        return _listing(entries, after=end if end < len(keys) else 0)

    def log_message(self, *_: object) -> None:
        """No line for each request."""


def _listing(entries: str, *, after: int = 0) -> str:
    more = f"<NextContinuationToken>{after}</NextContinuationToken>" if after else ""
    flag = f"<IsTruncated>{str(bool(after)).lower()}</IsTruncated>"
    return f"<ListBucketResult>{flag}{more}{entries}</ListBucketResult>"


@contextmanager
def bucket(objects: int) -> Iterator[str]:
    """A server that lists so many objects, at the address."""
    Bucket.objects = objects
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def measure(what: str, folder: Path, *command: str) -> float:
    """Seconds that a command took. Findings are no failure here."""
    environment = {
        "PATH": os.environ["PATH"],
        "LTD_ENV_FILE": "tests/production.env",
        "DATABASE_URL": os.environ[DATABASE],
        "LTD_AUDITOR_PROFILE": "auditor",
        "LTD_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "profiles"),
    } | {name: value for name, value in os.environ.items() if name.startswith("PG")}
    waits: list[float] = []
    is_timed = connection.vendor == "postgresql" and command[0] in WRITING
    begin, used, peak = time.perf_counter(), processor(), 0
    with beside(lambda ended: work(ended, waits)) if is_timed else nullcontext():
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command], env=environment, stdout=subprocess.DEVNULL
        )
        while process.poll() is None:
            peak = max(peak, peak_of(process.pid))
            time.sleep(0.02)
    assert process.returncode in {0, 1}
    waited = f"; others waited {max(waits) * 1000:.0f} ms at most; {size()}" if waits else ""
    seconds = time.perf_counter() - begin
    say(
        f"{command[0]}{what}: {seconds:.1f} s, "
        f"{processor() - used:.1f} s of processor, {peak / 1024:.0f} MB{waited}"
    )
    return seconds


def processor() -> float:
    """Of the children that ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_of(pid: int) -> int:
    """In kB. What the system keeps of a child that ended begins with the memory of its parent."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


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
        other.execute("CREATE EXTENSION IF NOT EXISTS pg_freespacemap")
        other.execute(f"VACUUM ANALYZE {TABLE}")
        heap, indexes, free = (each / MEGABYTE for each in other.execute(SIZE).fetchone() or ())
    return f"heap {heap:.0f} MB, of it free {free:.0f} MB; indexes {indexes:.0f} MB"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="of all sizes: 0.1 is a tenth")
    parser.add_argument("--only", default="", help="commands whose name contains this")
    parser.add_argument("--database", default="", help="sqlite or postgres; else both")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if DATABASE in os.environ:
            measure_all(Path(name), options)
            return
        again = [sys.executable, "-m", "tests.bench.audits", *sys.argv[1:]]
        databases = {f"sqlite:///{name}/db.sqlite3": again}
        if shutil.which("pg_virtualenv"):
            databases["postgres:///postgres"] = ["pg_virtualenv", "-o", "fsync=on", *again]
        for address, program in databases.items():
            if not address.startswith(options.database):
                continue
            subprocess.run(program, env=os.environ | {DATABASE: address}, check=True)


def measure_all(folder: Path, options: argparse.Namespace) -> None:
    """Each of the commands that are asked for."""
    sizes = (SESSIONS, BUILDS, OBJECTS, RECORDS, EVENTS)
    sessions, builds, objects, records, events = (int(size * options.scale) for size in sizes)
    (folder / "profiles").write_text(PROFILE)
    (folder / "logs").mkdir()
    (folder / "exports").mkdir()
    call_command("migrate", verbosity=0)
    say(f"\n{connection.vendor}")
    if options.only in "audit_cloudtrail":
        write_logs(folder / "logs", records)
        measure(f", {records:,} records", folder, "audit_cloudtrail", str(folder / "logs"))
        Store.objects.all().delete()
    of_all, of_objects = f", {sessions:,} sessions", f", {objects:,} objects"
    prune = ("prune_sessions", "--older-than", "30d", "--export", str(folder / "exports"))
    commands = {
        ("clearsessions",): "",  # what any command takes
        ("audit_sessions",): of_all,
        ("audit_bucket",): of_objects,
        ("compact_policies",): of_all,
        prune: of_all,
        ("deliver_webhooks",): f", {events:,} events",
    }
    asked = {each: what for each, what in commands.items() if options.only in each[0]}
    if not asked:
        return
    with bucket(objects) as address:
        fill(sessions=sessions, builds=builds, job_tokens=1000)
        Store.objects.update(endpoint_url=address, addressing="path")
        count_hours()
        enqueue(address, events)
        for command, what in asked.items():
            measure(what, folder, *command)


def count_hours() -> None:
    """So that sessions of these hours may be removed."""
    now = hour_of(timezone.now())
    HourlyCount.objects.bulk_create(
        HourlyCount(hour=now - number * HOUR) for number in range(1, 100 * 24)
    )


def enqueue(url: str, events: int) -> None:
    """So many events wait for one webhook, each about something else."""
    Webhook.objects.update(url=url)
    first = WebhookDelivery.objects.earliest("pk")
    WebhookDelivery.objects.exclude(pk=first.pk).delete()
    filler = Filler(timezone.now())
    filler.copy(first, events, event_id=filler.padded("n", 26), subject="'build ' || n")


def write_logs(folder: Path, records: int) -> None:
    """A few clean logs again and again, and their sessions in an empty ledger."""
    Store.objects.create(name="trail", bucket=BUCKET, role_arn=ROLE)
    logs = [_log(number) for number in range(LOGS)]
    for number in range(records // RECORDS_OF_A_LOG):
        at = datetime(2026, 11, 1, tzinfo=UTC) + number * timedelta(minutes=1)
        name = f"{ACCOUNT}_CloudTrail_eu-west-1_{at:%Y%m%dT%H%M}Z_x.json.gz"
        (folder / name).write_bytes(logs[number % LOGS])


def _log(number: int) -> bytes:
    ids = [f"01kb2m5v3xq8w9e7r6{number:04}{each:04}" for each in range(SESSIONS_OF_A_LOG)]
    for each in ids:
        root, key = f"guide/builds/{each}", f"ASIA{each.upper()}"
        issued_row(id=each, root=root, access_key_id=key, role_arn=ROLE, bucket_name=BUCKET)
    found = list(background([f"{each}-guide" for each in ids], CALLS_OF_A_SESSION))
    return gzip.compress(json.dumps({"Records": found}, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
