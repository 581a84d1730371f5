"""`manage.py run_clock`: due jobs run once, within their limits, and a stopped clock hands back."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.core.management import get_commands
from django.db import OperationalError

from credentials.operations.schedule import ScheduledJob
from credentials.rules.schedule import JOBS
from ltdkeeper.management.commands import run_clock
from ltdkeeper.management.commands.run_clock import MOST_AT_ONCE, Clock
from tests.ltdkeeper.test_command_line import ENVIRONMENT, ROOT

EVERY = timedelta(seconds=10)
# Runs a job whose work never ends, in this process.
ENDLESS = """
import sys, time
from datetime import timedelta
from dataclasses import replace
from ltdkeeper.management import job_process
from ltdkeeper.management.commands import audit_sessions
from credentials.rules.schedule import JOBS
audit_sessions.audit_ledger = lambda **_: iter(lambda: time.sleep(60), 0)
job = replace(JOBS["audit_sessions"], limit=timedelta(seconds=1))
job_process.run_job(job_process.ScheduledJob(job=job))
"""
# Runs a job whose lease another takes over. It would work on until that was noticed twice, or until
# nothing renews the lease any more.
TAKEN_OVER = """
import threading, time
from ltdkeeper.management import job_process
from ltdkeeper.management.commands import audit_sessions
from credentials.models import Lease
from credentials.operations import leases
from credentials.rules.schedule import JOBS
leases.RENEWAL_SECONDS, renew, renewed = 0.1, leases.renew, []
leases.renew = lambda *lease: renewed.append(renew(*lease)) or renewed[-1]
def work(**_):
    Lease.objects.filter(name="audit_sessions").update(token="another")
    threads = threading.active_count()
    while renewed.count(False) < 2 and threading.active_count() == threads:
        time.sleep(0.01)
    return []
audit_sessions.audit_ledger = work
job_process.run_job(job_process.ScheduledJob(job=JOBS["audit_sessions"]))
"""


def test_every_scheduled_job_is_a_command_of_ours() -> None:
    assert {get_commands().get(name) for name in JOBS} == {"ltdkeeper"}


class Processes(list[MagicMock]):
    """Stands in for multiprocessing: what was started."""

    def Process(self, **_: Any) -> MagicMock:  # noqa: N802 - multiprocessing's name
        self.append(MagicMock(exitcode=None))
        return self[-1]


@pytest.fixture
def processes() -> Processes:
    return Processes()


@pytest.fixture
def clock(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock._processes = processes  # type: ignore[assignment]
    monkeypatch.setattr(run_clock, "connection", MagicMock())
    monkeypatch.setattr(run_clock, "beat", MagicMock())
    return clock


def jobs_due(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    due = [ScheduledJob(job=JOBS[name]) for name in names]
    monkeypatch.setattr(run_clock, "due_jobs", lambda _now: due)


def test_job_runs_in_one_process_at_a_time(
    clock: Clock, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_due(monkeypatch, "roll_up")
    clock.look()
    clock.look()
    assert len(processes) == 1
    processes[0].exitcode = 2  # it recorded no run, so it is due still
    clock.look()
    assert len(processes) == 1
    processes[0].close.assert_called_once_with()


def test_clock_runs_so_many_jobs_at_a_time(
    clock: Clock, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_due(monkeypatch, *JOBS)
    clock.look()
    assert len(processes) == MOST_AT_ONCE < len(JOBS)


def test_revocations_do_not_wait_for_long_jobs(
    clock: Clock, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_due(monkeypatch, "audit_bucket", "audit_cloudtrail", "count_builds", "purge_builds")
    clock.look()
    jobs_due(monkeypatch, "roll_up", "write_revocations", "deliver_webhooks", "audit_schedule")
    clock.look()
    assert len(processes) == MOST_AT_ONCE + 3


def test_clock_waits_for_a_database_that_is_away(
    clock: Clock, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_clock, "due_jobs", MagicMock(side_effect=OperationalError))
    clock.look()
    jobs_due(monkeypatch, "roll_up")
    clock.look()
    assert len(processes) == 1


def test_stopped_clock_lets_jobs_finish_then_hands_them_back(
    clock: Clock, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_due(monkeypatch, "roll_up")
    clock.look()
    clock.stop()
    called = [name for name, *_ in processes[0].method_calls]
    assert called == ["start", "join", "terminate", "join", "kill", "join"]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of processes with a database of their own, in which a clock has one job."""
    file = tmp_path_factory.mktemp("clock") / "db.sqlite3"
    off = ",".join(f"{name}=off" for name in JOBS if name != "audit_sessions")
    schedule = {"LTD_SCHEDULE": f"audit_sessions=10s,{off}", "DATABASE_URL": f"sqlite:///{file}"}
    environment = ENVIRONMENT | schedule
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], env=environment, cwd=ROOT, check=True
    )
    return environment


@pytest.fixture
def environment(migrated: dict[str, str]) -> dict[str, str]:
    """The same before any run, and with no lease that one left behind."""
    with closing(sqlite3.connect(database_file(migrated))) as rows, rows:
        rows.executescript("DELETE FROM credentials_jobrun; DELETE FROM credentials_lease")
    return migrated


def database_file(environment: dict[str, str]) -> str:
    return environment["DATABASE_URL"].removeprefix("sqlite:///")


def runs(environment: dict[str, str]) -> list[tuple[datetime, str]]:
    """When each run began, and its state, the oldest first."""
    query = "SELECT started_at, state FROM credentials_jobrun ORDER BY id"
    with closing(sqlite3.connect(database_file(environment))) as database:
        return [(datetime.fromisoformat(at), state) for at, state in database.execute(query)]


def wait_for_runs(
    environment: dict[str, str], count: int, *clocks: subprocess.Popen[bytes]
) -> None:
    while sum(state == "finished" for _, state in runs(environment)) < count:
        assert [clock.poll() for clock in clocks] == [None] * len(clocks)
        time.sleep(0.2)


@contextmanager
def running_clock(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "manage.py", "run_clock"]
    with subprocess.Popen(command, env=environment, cwd=ROOT) as clock:
        try:
            yield clock
        finally:
            clock.kill()


@pytest.mark.slow
def test_two_clocks_run_each_job_once_and_one_is_enough(environment: dict[str, str]) -> None:
    with running_clock(environment) as first, running_clock(environment) as second:
        wait_for_runs(environment, 1, first, second)
        first.kill()
        wait_for_runs(environment, 2, second)
        second.send_signal(signal.SIGTERM)
        assert second.wait() == 0
    found = runs(environment)
    assert {state for _, state in found} == {"finished"}
    assert all(later - earlier >= EVERY for (earlier, _), (later, _) in pairwise(found))


BROKEN_OFF = {"is over its limit": ENDLESS, "lost its lease": TAKEN_OVER}


@pytest.mark.slow
@pytest.mark.parametrize("why", BROKEN_OFF)
def test_job_is_broken_off(why: str, environment: dict[str, str]) -> None:
    program = [sys.executable, "-c", BROKEN_OFF[why]]
    settings = {"DJANGO_SETTINGS_MODULE": "ltdkeeper.settings", "PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run(program, env=environment | settings, cwd=ROOT, check=False)
    assert [state for _, state in runs(environment)] == ["interrupted"]
    assert done.returncode == 3
