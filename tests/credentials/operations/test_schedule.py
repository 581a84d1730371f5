"""What is due is read from stored runs, and each due run is made by one of any number of clocks."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from builds.models import Store
from credentials.models import AuditFinding, JobRun, Lease
from credentials.operations.leases import LEASE_LIFE, only_run
from credentials.operations.runs import recorded_run
from credentials.operations.schedule import (
    CLOCK,
    SILENCE,
    beat,
    due_jobs,
    heartbeat,
    scheduled_jobs,
    turn,
)
from credentials.rules.schedule import JOBS, LATE

pytestmark = pytest.mark.django_db

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ROLL_UP = JOBS["roll_up"]
OF_STORE = replace(JOBS["count_builds"], is_per_store=True)


@pytest.fixture(autouse=True)
def _two_jobs(settings: Any) -> None:
    settings.LTD_SCHEDULE = (ROLL_UP, OF_STORE)


def ran(job: str, at: datetime, state: str = "finished", store: Store | None = None) -> JobRun:
    ended = None if state == "running" else at
    fields: dict[str, Any] = {"problem": "x"} if state == "failed" else {}
    return JobRun.objects.create(
        job=job, store=store, started_at=at, finished_at=ended, state=state, **fields
    )


def due(now: datetime) -> list[str]:
    return [each.name for each in due_jobs(now)]


def test_each_store_has_runs_of_its_own(store: Store, now: datetime) -> None:
    other = Store.objects.create(name="other", bucket="other-bucket", role_arn=store.role_arn)
    ran("roll_up", now)
    ran("count_builds", now, store=other)
    assert due(now) == ["count_builds of the store main"]
    [job] = due_jobs(now)
    assert job.arguments == ["count_builds", "main"]


def test_runs_are_found_in_two_statements(
    store: Store, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    finished = ran("roll_up", now - 2 * HOUR)
    failed = ran("roll_up", now - HOUR, "failed")
    with django_assert_num_queries(2):
        first, _ = scheduled_jobs()
    assert (first.finished, first.last) == (finished, failed)


def test_job_that_somebody_runs_is_not_due(now: datetime) -> None:
    assert due(now) == ["roll_up"]
    with recorded_run("roll_up"):
        assert due(now + 2 * MINUTE) == []
    assert due(now + MINUTE) == []
    assert due(now + HOUR + MINUTE) == ["roll_up"]


def test_job_whose_process_was_killed_is_due_when_its_lease_has_expired(now: datetime) -> None:
    ran("roll_up", now, "running")
    lease = {"token": "x", "holder": "x", "acquired_at": now, "expires_at": now + LEASE_LIFE}
    Lease.objects.create(name="roll_up", **lease)
    assert due(now + LEASE_LIFE - timedelta(seconds=1)) == []
    assert due(now + LEASE_LIFE) == ["roll_up"]


def test_clock_whose_turn_comes_second_finds_the_job_done(now: datetime) -> None:
    [job] = due_jobs(now)
    with turn(job) as is_due:
        assert is_due
        ran("roll_up", timezone.now())
    with turn(job) as is_due:
        assert not is_due


def test_job_that_was_taken_off_the_schedule_is_not_run(now: datetime, settings: Any) -> None:
    [job] = due_jobs(now)
    settings.LTD_SCHEDULE = ()
    assert due(now) == []
    with turn(job) as is_due:
        assert not is_due


def test_job_is_overdue_since_it_finished_last(now: datetime) -> None:
    ran("roll_up", now - 4 * HOUR)
    ran("roll_up", now - HOUR, "failed")
    [job] = scheduled_jobs()
    assert job.is_overdue(now)
    assert not job.is_overdue(now - 2 * HOUR)


def open_findings() -> list[tuple[str, str]]:
    with suppress(SystemExit):
        call_command("audit_schedule", stdout=StringIO())
    rows = AuditFinding.objects.filter(closed_at=None)
    return [(row.rule, row.subject) for row in rows]


def test_overdue_job_is_a_finding_until_it_has_finished(store: Store) -> None:
    now = timezone.now()
    ran("roll_up", now - 4 * HOUR)
    ran("count_builds", now, store=store)
    assert open_findings() == [("job_overdue", "roll_up")]
    ran("roll_up", now)
    assert open_findings() == []


def test_clock_that_has_just_started_opens_and_closes_nothing() -> None:
    now = timezone.now()
    late = ran("roll_up", now - 4 * HOUR)
    beat(now)
    assert open_findings() == []
    Lease.objects.filter(name=CLOCK).update(acquired_at=now - LATE)
    assert open_findings() == [("job_overdue", "roll_up")]
    Lease.objects.filter(name=CLOCK).update(acquired_at=now)
    JobRun.objects.filter(pk=late.pk).update(started_at=now)
    assert open_findings() == [("job_overdue", "roll_up")]


def test_heartbeat_tells_since_when_a_clock_is_alive_without_a_break(now: datetime) -> None:
    assert heartbeat() is None
    beat(now)
    beat(now + MINUTE)
    found = heartbeat()
    assert found
    assert (found.at, found.since) == (now + MINUTE, now)
    assert found.age_seconds(now + 2 * MINUTE) == 60
    beat(now + MINUTE + SILENCE)
    again = heartbeat()
    assert again
    assert again.since == again.at == now + MINUTE + SILENCE
    beat(now)  # the clock was set back
    back = heartbeat()
    assert back
    assert back.since == back.at == now


def test_clocks_lease_is_not_a_jobs(now: datetime) -> None:
    [job] = due_jobs(now)
    with turn(job), only_run("roll_up"):
        assert Lease.objects.count() == 2
