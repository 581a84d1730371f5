"""Two clocks on one PostgreSQL: one is killed again and again while it runs an audit."""

import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest

from demo.processes import ROOT
from tests.demo.processes import PATIENCE_SECONDS, become, descendants
from tests.faults.callers import Callers
from tests.faults.conftest import Services
from tests.faults.service import Service
from tests.faults.table import compare, times

pytestmark = pytest.mark.faults
EVERY = timedelta(seconds=10)
JOBS = ("audit_sessions", "audit_schedule", "deliver_webhooks", "roll_up")
OFF = ("write_revocations", "count_builds", "audit_bucket", "compact_policies")
SCHEDULE = ",".join([*(f"{job}=10s" for job in JOBS), *(f"{job}=off" for job in OFF)])
STUCK = 6
PLANT = f"""
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from credentials.models import Webhook
from tests.credentials.ledger_rows import requested_row
Webhook.objects.create(name="receiver", url="http://127.0.0.1:9/")
for _ in range({STUCK}):
    requested_row(requested_at=timezone.now() - timedelta(hours=1))
"""
FOUND = "SELECT subject FROM credentials_auditfinding WHERE rule = 'session_stuck'"
EVENTS = "SELECT subject FROM credentials_webhookdelivery WHERE kind = 'finding.opened'"


class Run(NamedTuple):
    """Of a job, as its row says."""

    job: str
    state: str
    holder: str
    started_at: datetime
    finished_at: datetime

    @property
    def pid(self) -> int:
        return int(self.holder.rpartition(" ")[2])


class Clocks:
    """Two of them, each in a group of its own with the jobs that it runs."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._clocks: list[subprocess.Popen[bytes]] = []
        self.killed: set[int] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """At the end they are told to stop."""
        try:
            self._clocks = [self._start(), self._start()]
            yield
            for clock in self._clocks:
                clock.terminate()
            assert [clock.wait() for clock in self._clocks] == [0, 0]
        finally:
            for clock in self._clocks:
                self._kill(clock)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.faults.clock_program"]
        with self._service.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self._service.env, stderr=log, start_new_session=True
            )

    def _kill(self, clock: "subprocess.Popen[bytes]") -> None:
        if clock.poll() is None:
            os.killpg(clock.pid, signal.SIGSTOP)  # it starts nothing meanwhile
            self.killed |= descendants(clock.pid)
            os.killpg(clock.pid, signal.SIGKILL)
            clock.wait()

    def replace_one_that_audits(self) -> bool:
        """Kill it with its jobs, and start another one; whether there was one."""
        auditing = {run.pid for run in self.runs("audit_sessions") if run.state == "running"}
        for number, clock in enumerate(self._clocks):
            if auditing & descendants(clock.pid):
                self._kill(clock)
                self._clocks[number] = self._start()
                return True
        return False

    def runs(self, job: str = "%") -> list[Run]:
        """The oldest first."""
        query = (
            "SELECT job, state, holder, started_at, finished_at FROM credentials_jobrun"  # noqa: S608
            f" WHERE job LIKE '{job}' ORDER BY id"
        )
        return [Run(*row) for row in self._service.read(query)]

    def wait_for_an_audit(self) -> None:
        """Until one has begun and finished since now."""
        begun = len(self.runs("audit_sessions"))
        assert become(
            lambda: {run.state for run in self.runs("audit_sessions")[begun:]} & {"finished"}
        )


def test_two_clocks_run_each_job_once_though_one_is_killed(services: Services) -> None:
    service, tried = services.make("postgresql"), times(20, 2)
    service.env["LTD_SCHEDULE"] = SCHEDULE
    service.python("-c", PLANT)
    callers, clocks = Callers(service, 4), Clocks(service)
    with service.running(2), clocks.running(), callers.asking():
        clocks.wait_for_an_audit()
        for _ in range(tried):
            assert become(clocks.replace_one_that_audits)
            clocks.wait_for_an_audit()
    note = each_ran_once(clocks.runs(), clocks.killed)
    for reported in (FOUND, EVENTS):
        subjects = service.read(reported)
        assert len(set(subjects)) == len(subjects) == STUCK
    compare("one of two clocks is killed with its jobs", service, callers, tried, note)


def each_ran_once(runs: list[Run], killed: set[int]) -> str:
    """Nothing was left out, begun too soon, or interrupted but by the test."""
    of_job, longest = defaultdict(list), timedelta(0)
    for run in runs:
        of_job[run.job].append(run)
    assert of_job.keys() == set(JOBS)
    for job in JOBS:
        for earlier, later in pairwise(of_job[job]):
            pause = later.started_at - earlier.started_at
            assert pause >= EVERY
            assert earlier.finished_at <= later.started_at
            longest = max(longest, pause)
    assert longest.total_seconds() <= PATIENCE_SECONDS
    interrupted = [run for run in runs if run.state != "finished"]
    assert {run.state for run in interrupted} == {"interrupted"}
    assert {run.pid for run in interrupted} <= killed
    pause = f"at most {longest.total_seconds():.0f} s apart"
    return f"{len(runs)} runs, {len(interrupted)} of them killed, {pause}"
