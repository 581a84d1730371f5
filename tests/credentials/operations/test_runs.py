"""A run is a row, a finding is one row whatever happens, and only what nobody accepted is new."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from builds.models import Store
from credentials.errors import AlreadyRunning, StsThrottled
from credentials.models import AuditFinding, JobRun, Lease
from credentials.operations import runs
from credentials.operations.findings import Finding, Severity
from credentials.operations.kept_findings import acknowledge, withdraw_acknowledgement
from credentials.operations.runs import Kept, recorded_run

pytestmark = pytest.mark.django_db

JOB = "audit_sessions"
DAY = timedelta(days=1)
NOW = datetime.fromisoformat("2026-11-27T12:00:00Z")


@pytest.fixture
def actor(db: None) -> User:
    return User.objects.create_user("ada")


def found(subject: str = "one", **changes: Any) -> Finding:
    return Finding(**{"rule": "a_rule", "subject": subject, "what": "wrong", **changes})


def run_on(day: int, *findings: Finding, store: Store | None = None) -> list[Kept]:
    """What a whole run on that day keeps."""
    with time_machine.travel(NOW + day * DAY, tick=False), recorded_run(JOB, store=store) as run:
        return list(run.keep(findings))


def states(day: int = 0) -> dict[str, str]:
    return {row.subject: row.state(NOW + day * DAY) for row in AuditFinding.objects.all()}


def accept(actor: User, day: int, *, until: int) -> int:
    """Acknowledge all findings on a day until another."""
    return acknowledge(
        findings=AuditFinding.objects.all(),
        actor=actor,
        note="known",
        until=NOW + until * DAY,
        now=NOW + day * DAY,
    )


# The row of a run.


def test_run_is_a_row_with_what_it_looked_at(store: Store) -> None:
    with recorded_run("audit_bucket", store=store) as run:
        assert JobRun.objects.get().state == "running"
        run.looked_at(objects=500)
        run.looked_at(objects=7, builds=1)
        list(run.keep([found(), found("two", severity=Severity.WARNING)]))
    row = JobRun.objects.get()
    assert (row.state, row.store, row.problem) == ("finished", store, "")
    assert row.looked_at == {"objects": 507, "builds": 1}
    assert (row.errors, row.warnings, row.new) == (1, 1, 2)


ENDS: dict[str, tuple[BaseException, str, str]] = {
    "ours": (StsThrottled(), "failed", StsThrottled().message),
    "command": (CommandError("No such store."), "failed", "No such store."),
    "anything": (ValueError("s3cret"), "failed", "Interrupted by ValueError."),
    "signal": (KeyboardInterrupt("SIGTERM"), "interrupted", "Interrupted by KeyboardInterrupt."),
}


@pytest.mark.parametrize("case", ENDS)
def test_run_that_breaks_off_says_why_and_closes_nothing(case: str) -> None:
    error, state, problem = ENDS[case]
    run_on(0, found())
    with suppress(type(error)), recorded_run(JOB) as run:
        list(run.keep([found("two")]))
        raise error
    row = JobRun.objects.latest("pk")
    assert (row.state, row.problem) == (state, problem)
    assert states() == {"one": "open", "two": "open"}


def test_what_was_found_before_an_audit_breaks_off_is_kept() -> None:
    def audit() -> Iterator[Finding]:
        yield found()
        raise KeyboardInterrupt

    seen: list[Kept] = []
    with suppress(KeyboardInterrupt), recorded_run(JOB) as run:
        seen.extend(run.keep(audit()))
    assert [each.finding.subject for each in seen] == ["one"]
    assert states() == {"one": "open"}


def test_run_that_was_killed_is_interrupted_by_the_next(store: Store) -> None:
    fields = {"started_at": NOW, "holder": "elsewhere"}
    killed = JobRun.objects.create(job=JOB, **fields)
    other = JobRun.objects.create(job=JOB, store=store, **fields)
    run_on(1)
    assert [JobRun.objects.get(pk=each.pk).state for each in (killed, other)] == [
        "interrupted",
        "running",
    ]


def test_one_run_at_a_time_of_a_job_and_store(store: Store) -> None:
    with recorded_run(JOB), recorded_run(JOB, store=store):
        for where in (None, store):
            with pytest.raises(AlreadyRunning), recorded_run(JOB, store=where):
                pass
    assert (JobRun.objects.count(), Lease.objects.count()) == (2, 0)


@pytest.mark.parametrize(("job", "kept"), [(JOB, 100), ("write_revocations", 2)])
def test_old_runs_are_removed(job: str, kept: int) -> None:
    for day in (0, 1, kept + 1):
        with time_machine.travel(NOW + day * DAY, tick=False), recorded_run(job):
            pass
    days = [(run.started_at - NOW).days for run in JobRun.objects.order_by("pk")]
    assert days == [1, kept + 1]


def test_stretches_that_touch_are_one() -> None:
    with recorded_run(JOB) as run:
        for since, until in ((0, 2), (1, 3), (3, 4), (6, 7)):
            run.covers(since=NOW + since * DAY, until=NOW + until * DAY)
    assert [each["until"][:10] for each in JobRun.objects.get().coverage] == [
        "2026-12-01",
        "2026-12-04",
    ]


# The life of a finding.


def test_finding_is_one_row_that_counts_the_runs_that_saw_it() -> None:
    first = run_on(0, found())
    second = run_on(1, found(what="worse"))
    row = AuditFinding.objects.get()
    assert [first[0].is_new, second[0].is_new] == [True, False]
    assert (row.times, row.what) == (2, "worse")
    assert (row.first_seen_at, row.last_seen_at) == (NOW, NOW + DAY)
    assert row.first_run_id < row.last_run_id


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_twice_in_a_run_is_once(at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "AT_A_TIME", at_a_time)
    run_on(0, found(), found())
    assert AuditFinding.objects.get().times == 1


def test_what_is_gone_is_closed_and_opens_again() -> None:
    run_on(0, found(), found("two"))
    run_on(1, found("two"))
    assert states() == {"one": "closed", "two": "open"}
    assert [each.is_new for each in run_on(2, found(), found("two"))] == [True, False]
    assert states() == {"one": "open", "two": "open"}


def test_findings_of_another_store_or_job_are_others(store: Store) -> None:
    run_on(0, found())
    run_on(0, found(), store=store)
    run_on(1, store=store)
    assert sorted(row.state(NOW) for row in AuditFinding.objects.all()) == ["closed", "open"]


def test_run_over_a_part_closes_nothing() -> None:
    run_on(0, found())
    with recorded_run(JOB) as run:
        list(run.keep([], is_whole=False))
    assert states() == {"one": "open"}


@pytest.mark.parametrize("is_event", [False, True], ids=["state", "event"])
def test_of_a_rule_so_many_are_open_and_the_rest_is_counted(
    *, is_event: bool, monkeypatch: pytest.MonkeyPatch, actor: User
) -> None:
    monkeypatch.setattr(runs, "MOST_OF_A_RULE", 2)
    many = [found(str(number), is_event=is_event) for number in range(5)]
    warning = found("warning", severity=Severity.WARNING)
    kept = run_on(0, *many, warning)
    assert [each.is_new for each in kept] == [True, True, False, False, False, True, True]
    summary = AuditFinding.objects.get(rule="findings_left_out")
    assert summary.what.startswith("3 findings of this rule are not kept")
    run_on(1, *reversed(many), warning)
    assert set(states()) >= {"0", "1", "warning"}
    accept(actor, 1, until=5)
    run_on(2, *many, warning)
    assert set(states()) >= {"0", "1", "2", "3", "warning"}
    run_on(3, *many[:2], warning)
    summary.refresh_from_db()
    assert summary.state(NOW + 6 * DAY) == "closed"


def test_texts_that_postgresql_refuses_are_stored() -> None:
    run_on(0, found("a\0b", what="\0", access_key_id="A" * 500))
    assert AuditFinding.objects.get().subject == "a\\0b"


# Acknowledging. Days: seen on 0, acknowledged on 1 until 5.

ACKNOWLEDGED: dict[str, tuple[list[tuple[int, bool]], str, int]] = {
    "as long as it lasts": ([(2, True), (4, True)], "acknowledged", 0),
    "again after its end": ([(2, True), (6, True)], "open", 1),
    "gone": ([(2, False)], "closed", 0),
    "back while it lasts": ([(2, False), (3, True)], "acknowledged", 0),
    "back after its end": ([(2, False), (6, True)], "open", 1),
}


@pytest.mark.parametrize("case", ACKNOWLEDGED)
def test_acknowledged_finding_is_no_news_until_its_end(case: str, actor: User) -> None:
    sightings, state, news = ACKNOWLEDGED[case]
    run_on(0, found())
    accept(actor, 1, until=5)
    kept = [each for day, is_seen in sightings for each in run_on(day, *[found()] * is_seen)]
    assert states(sightings[-1][0]) == {"one": state}
    assert sum(each.is_new for each in kept) == news
    assert not any(each.is_acknowledged for each in kept if each.is_new)


def test_what_became_worse_has_to_be_acknowledged_again(actor: User) -> None:
    run_on(0, found(severity=Severity.WARNING))
    accept(actor, 1, until=5)
    assert [(each.is_new, each.is_acknowledged) for each in run_on(2, found())] == [(True, False)]
    assert accept(actor, 2, until=5) == 1
    assert run_on(3, found(severity=Severity.WARNING))[0].is_acknowledged


def test_event_stays_until_it_was_acknowledged_and_never_returns(actor: User) -> None:
    event = found(is_event=True)
    run_on(0, event)
    run_on(1)
    assert states(1) == {"one": "open"}
    accept(actor, 1, until=5)
    assert (states(2), states(6)) == ({"one": "acknowledged"}, {"one": "closed"})
    run_on(7)
    assert AuditFinding.objects.get().closed_at == NOW + 7 * DAY
    assert [(each.is_new, each.is_acknowledged) for each in run_on(8, event)] == [(False, True)]
    assert AuditFinding.objects.get().closed_at == NOW + 7 * DAY


@pytest.mark.parametrize("at_a_time", [1, 500])
def test_error_that_happened_stays_one_whatever_is_found_later(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "AT_A_TIME", at_a_time)
    outside = found(is_event=True, what="outside")
    inside = found(is_event=True, what="inside", severity=Severity.WARNING)
    run_on(0, outside, inside)
    run_on(1, inside)
    row = AuditFinding.objects.get()
    assert (row.severity, row.what, row.times) == ("error", "outside", 2)


def test_querysets_say_what_a_row_says(actor: User) -> None:
    event = found("event", is_event=True)
    run_on(0, found(), event, found("gone"))
    accept(actor, 0, until=5)
    run_on(1, found(), event, found("fresh"))
    for day in (1, 6):
        now, rows = NOW + day * DAY, AuditFinding.objects
        for name in AuditFinding.State.values:
            expected = {row for row in rows.all() if row.state(now) == name}
            assert set(getattr(rows, name)(now)) == expected


@pytest.mark.parametrize(("until", "note"), [(0, "x"), (-1, "x"), (367, "x"), (5, " ")], ids=str)
def test_acknowledging_needs_a_note_and_an_end(until: int, note: str, actor: User) -> None:
    run_on(0, found())
    findings = AuditFinding.objects.all()
    with pytest.raises(ValidationError):
        acknowledge(findings=findings, actor=actor, note=note, until=NOW + until * DAY, now=NOW)
    assert states() == {"one": "open"}


def test_acknowledgement_names_who_and_can_be_withdrawn(actor: User) -> None:
    run_on(0, found())
    accept(actor, 1, until=5)
    row = AuditFinding.objects.get()
    assert (row.acknowledged_by, row.acknowledged_note) == ("ada", "known")
    findings = AuditFinding.objects.all()
    assert withdraw_acknowledgement(findings=findings, actor=actor, note="wrong") == 1
    assert states(2) == {"one": "open"}
    messages = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(messages) == [
        "Acknowledged until 2026-12-02 12:00 UTC. Reason: known",
        "Acknowledgement withdrawn. Reason: wrong",
    ]


def test_database_refuses_half_an_acknowledgement() -> None:
    run_on(0, found())
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditFinding.objects.update(acknowledged_until=NOW + DAY)


# What it costs, and what is left when it is killed.


@pytest.mark.parametrize("day", [0, 1])
def test_statements_grow_with_batches_not_with_findings(day: int) -> None:
    findings = [found(str(number)) for number in range(30)]
    if day:
        run_on(0, *findings)
    with CaptureQueriesContext(connection) as queries:
        run_on(day, *findings)
    assert len(queries) <= 22


def some_days(actor: User) -> None:
    """A first and a second run, with an event, one that is gone and one that is new."""
    run_on(0, found(), found("gone"), found("event", is_event=True))
    run_on(1, found(), found("new"))


def end_state() -> dict[str, str]:
    return states(1)


class Killed(BaseException):
    """As a signal comes: anywhere."""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_at_any_statement_and_run_again_is_the_same_end(
    actor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "AT_A_TIME", 2)
    some_days(actor)
    expected, statement = end_state(), 0
    while True:
        for model in (AuditFinding, JobRun, Lease):
            model.objects.all().delete()
        statement += 1
        if not killed_at(statement, actor):
            break
        Lease.objects.all().delete()  # it expires
        some_days(actor)
        assert end_state() == expected, statement
        assert not JobRun.objects.filter(state="running").exists()
    assert statement > 20


def killed_at(number: int, actor: User) -> bool:
    """Whether there was such a statement."""
    count, main = 0, threading.current_thread()

    def kill(execute: Any, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count >= number and threading.current_thread() is main:
            raise Killed
        return execute(*arguments)

    try:
        with connection.execute_wrapper(kill):
            some_days(actor)
    except Killed:
        return True
    return False
