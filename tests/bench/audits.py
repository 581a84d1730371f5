"""`python -m tests.bench.audits`: what audits cost, in seconds and in the memory of their process.

Fills an empty database, and a bucket that a server on loopback lists. On PostgreSQL:

    pg_virtualenv sh -c \
        'LTD_TEST_DATABASE_URL=postgres://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/postgres python -m \
        tests.bench.audits'
"""

import argparse
import contextlib
import gzip
import io
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from builds.models import Store  # noqa: E402
from tests.bench.many_rows import PRODUCTS, fill  # noqa: E402
from tests.credentials.ledger_rows import issued_row  # noqa: E402
from tests.credentials.operations.audit.trail_records import (  # noqa: E402
    ACCOUNT,
    BUCKET,
    ROLE,
    background,
)

PAGE_KEYS, OF_A_BUILD = 1000, 10
# Of a log of CloudTrail, half of whose records are about us.
SESSIONS_OF_A_LOG, CALLS_OF_A_SESSION, LOGS = 40, 25, 20
RECORDS_OF_A_LOG = SESSIONS_OF_A_LOG * (1 + 2 * CALLS_OF_A_SESSION)
WRITTEN = "2020-01-01T00:00:00.000Z"


class Bucket(BaseHTTPRequestHandler):
    """Lists the first builds of each product, with some objects each, and no uploads."""

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


def measure(name: str, run: Callable[[], None]) -> None:
    begin, used = time.perf_counter(), time.process_time()
    run()
    seconds, processor = time.perf_counter() - begin, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(
        f"{connection.vendor}, {name}: {seconds:.1f} s, of it {processor:.1f} s of this process; "
        f"at most {memory:.0f} MB until now"
    )


def command(*arguments: str) -> None:
    """Run it as cron does; findings are no failure here."""
    output = io.StringIO()
    with contextlib.suppress(SystemExit):
        call_command(*arguments, stdout=output)
    say("\n".join(output.getvalue().splitlines()[-1:]))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--builds", type=int, default=200_000)
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--records", type=int, default=5_000_000, help="of CloudTrail; 0: none")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    if options.records:
        audit_cloudtrail(options.records)
    begin = timezone.now()
    fill(sessions=options.sessions, builds=options.builds, job_tokens=1000)
    say(f"{connection.vendor}: filled in {(timezone.now() - begin).total_seconds():.0f} s")
    measure(f"audit_sessions of {options.sessions:,} rows", lambda: command("audit_sessions"))
    with tempfile.NamedTemporaryFile("w") as profiles:
        profiles.write("[auditor]\naws_access_key_id = AKIA\naws_secret_access_key = none\n")
        profiles.flush()
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = profiles.name
        audit_bucket(options.objects)


def audit_cloudtrail(records: int) -> None:
    """Clean logs, in a database that holds their sessions alone; the same few again and again."""
    store = Store.objects.create(name="trail", bucket=BUCKET, role_arn=ROLE)
    with tempfile.TemporaryDirectory() as folder:
        logs = [_log(Path(folder) / f"log{number}", number) for number in range(LOGS)]
        for number in range(records // RECORDS_OF_A_LOG):
            at = datetime(2026, 11, 1, tzinfo=UTC) + number * timedelta(minutes=1)
            name = f"{ACCOUNT}_CloudTrail_eu-west-1_{at:%Y%m%dT%H%M}Z_x.json.gz"
            (Path(folder) / name).hardlink_to(logs[number % LOGS])
        measure(
            f"audit_cloudtrail of {records:,} records", lambda: command("audit_cloudtrail", folder)
        )
    store.delete()


def _log(path: Path, number: int) -> Path:
    ids = [f"01kb2m5v3xq8w9e7r6{number:04}{each:04}" for each in range(SESSIONS_OF_A_LOG)]
    for each in ids:
        root, key = f"guide/builds/{each}", f"ASIA{each.upper()}"
        issued_row(id=each, root=root, access_key_id=key, role_arn=ROLE, bucket_name=BUCKET)
    found = list(background([f"{each}-guide" for each in ids], CALLS_OF_A_SESSION))
    content = json.dumps({"Records": found}, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(content))
    return path


def audit_bucket(objects: int) -> None:
    """Twice: the second time finds the same."""
    with bucket(objects) as address:
        Store.objects.update(endpoint_url=address, addressing="path")
        for name in ("first", "second"):
            measure(
                f"{name} audit_bucket of {objects:,} objects",
                lambda: command("audit_bucket", "--profile", "auditor"),
            )


if __name__ == "__main__":
    main()
