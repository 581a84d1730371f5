"""`python -m tests.bench.admin_pages`: what each page of the admin costs with many rows.

Fills an empty database, opens every list, filter, miss, last page and record, and pastes one
of each kind into the search box, as a superuser. On PostgreSQL, as web processes use it:

    pg_virtualenv sh -c \
        'LTD_TEST_DATABASE_URL=postgres://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/postgres python -m \
        tests.bench.admin_pages --sessions 1000000 --builds 500000 --job-tokens 250000'
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client as Browser  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from tests.bench.many_rows import Filled, fill  # noqa: E402
from tests.ltdkeeper.admin.big_pages import addresses, pastes  # noqa: E402

TIMES = 5
SLOWEST = 12


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(call: Callable[[], Any], times: int) -> tuple[int, int, list[float]]:
    """Status, number of statements, and milliseconds of some calls; the first does not count."""
    with CaptureQueriesContext(connection) as queries:
        status = call().status_code
    statements, taken = len(queries), []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begin) * 1000)
    return status, statements, taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20_000)
    parser.add_argument("--builds", type=int, default=10_000)
    parser.add_argument("--job-tokens", type=int, default=5_000)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    begin = time.perf_counter()
    filled = fill(sessions=options.sessions, builds=options.builds, job_tokens=options.job_tokens)
    say(f"{connection.vendor}: filled in {time.perf_counter() - begin:.0f} s")
    report(open_pages(filled))


def open_pages(filled: Filled, times: int = TIMES) -> dict[str, tuple[int, int, list[float]]]:
    """What `measure` says of every page, by address or what is pasted."""
    browser = Browser()
    browser.force_login(User.objects.create_superuser("operator"))
    rows = {"session": filled.session, "build": filled.build, "job_token": filled.job_token}
    calls: dict[str, Callable[[], Any]] = {
        address: lambda address=address: browser.get(address)  # type: ignore[misc]
        for address in addresses(**rows, quiet_client=filled.quiet_client)
    }
    calls |= {
        f"find {text}": lambda text=text: browser.post("/admin/find/", {"text": text})  # type: ignore[misc]
        for text in pastes(**rows)
    }
    return {name: measure(call, times) for name, call in calls.items()}


def report(results: dict[str, tuple[int, int, list[float]]]) -> None:
    """The slowest pages, the one that asks most, and errors."""
    every = [taken for _, _, times in results.values() for taken in times]
    for name in sorted(results, key=lambda name: max(results[name][2]), reverse=True)[:SLOWEST]:
        status, statements, times = results[name]
        worst, usual = max(times), statistics.median(times)
        say(f"{worst:7.0f} ms (median {usual:.0f}), {statements:2} statements, {status}  {name}")
    most = max(results, key=lambda name: results[name][1])
    p95 = statistics.quantiles(every, n=20)[-1]
    say(f"{len(results)} pages: p95 {p95:.0f} ms, slowest {max(every):.0f} ms")
    say(f"most statements: {results[most][1]} ({most})")
    broken = [name for name, (status, _, _) in results.items() if status >= 400]
    say(f"answered with an error: {', '.join(broken) or 'none'}")


if __name__ == "__main__":
    main()
