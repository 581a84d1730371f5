"""What is due, read from the stored runs, whoever made them: cron, a person, or one of the clocks.

Any number of clocks may run. Each says at every look that it is alive, in one row for all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, Subquery
from django.utils import timezone

from builds.models import Store
from credentials.models import JobRun, Lease
from credentials.operations.findings import Finding, Rule
from credentials.operations.leases import only_run, this_process
from credentials.operations.runs import lease_name
from credentials.rules.schedule import LATE, Job, LastRun, is_due, is_overdue

CLOCK = "clock"
# A clock that says nothing for as long has stopped.
SILENCE = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class ScheduledJob:
    """A job, of one store where each has runs of its own, with its newest runs.

    `last` is the newest, and `finished` the newest that ended well. A clock has been alive
    `watched_since`.
    """

    job: Job
    store: Store | None = None
    last: JobRun | None = None
    finished: JobRun | None = None
    watched_since: datetime | None = None

    @property
    def name(self) -> str:
        """The name of its lease."""
        return lease_name(self.job.command, self.store)

    @property
    def arguments(self) -> list[str]:
        store = [self.store.name] if self.store else []
        return [self.job.command, *self.job.arguments, *store]

    def is_due(self, now: datetime) -> bool:
        """Whether it is to run, unless somebody holds its lease."""
        run = self.last
        if run is None:
            return is_due(self.job, None, now)
        last = LastRun(
            started_at=run.started_at,
            ended_at=run.finished_at,
            has_finished=run.state == JobRun.State.FINISHED,
            has_failed=run.state == JobRun.State.FAILED,
        )
        return is_due(self.job, last, now)

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have finished long ago."""
        finished = self.finished.started_at if self.finished else None
        return is_overdue(self.job, finished=finished, watched_since=self.watched_since, now=now)

    @property
    def lateness(self) -> str:
        """What is wrong with one that is overdue."""
        last = f"since {self.finished.started_at:%F %H:%M} UTC" if self.finished else "ever"
        return f"{self.name} is overdue: no run has finished {last}"


def scheduled_jobs() -> list[ScheduledJob]:
    """What `LTD_SCHEDULE` and its defaults say, with the newest runs: two statements, three
    where there is no run.
    """
    per_store = any(job.is_per_store for job in settings.LTD_SCHEDULE)
    stores = list(Store.objects.order_by("name")) if per_store else []
    pairs = [
        (job, store)
        for job in settings.LTD_SCHEDULE
        for store in (stores if job.is_per_store else [None])
    ]
    wanted = Q(pk=None)
    for job, store in pairs:
        runs = JobRun.objects.of(job.command, store).order_by("-pk")
        for newest in (runs, runs.finished()):
            wanted |= Q(pk=Subquery(newest.values("pk")[:1]))
    clock = Lease.objects.filter(name=CLOCK).values("acquired_at")
    newest_runs: Any = JobRun.objects.filter(wanted).annotate(watched_since=Subquery(clock))
    last, finished, since = {}, {}, None
    for run in newest_runs.order_by("pk"):
        since = run.watched_since
        last[run.job, run.store_id] = run
        if run.state == JobRun.State.FINISHED:
            finished[run.job, run.store_id] = run
    if not last:
        since = clock.values_list("acquired_at", flat=True).first()
    keys = [(job.command, store.pk if store else None) for job, store in pairs]
    return [
        ScheduledJob(
            job=job,
            store=store,
            last=last.get(key),
            finished=finished.get(key),
            watched_since=since,
        )
        for (job, store), key in zip(pairs, keys, strict=True)
    ]


def due_jobs(now: datetime) -> list[ScheduledJob]:
    """Those that are to run and that nobody runs: three statements."""
    due = [each for each in scheduled_jobs() if each.is_due(now)]
    names = [each.name for each in due]
    held = Lease.objects.filter(name__in=names, expires_at__gt=now).values_list("name", flat=True)
    running = set(held) if due else set()
    return [each for each in due if each.name not in running]


@contextmanager
def turn(job: ScheduledJob) -> Iterator[bool]:
    """Within, no other clock starts the job; whether it is still due. Raises AlreadyRunning."""
    with only_run(f"{CLOCK}: {job.name}"):
        again = {each.name: each for each in scheduled_jobs()}.get(job.name)
        yield again is not None and again.is_due(timezone.now())


def beat(now: datetime) -> None:
    """Say that a clock is alive. The row tells since when one has been without a break."""
    alive = {"holder": this_process(), "expires_at": now + SILENCE}
    # One from the future is from before the clock was set back.
    unbroken = Lease.objects.filter(name=CLOCK, acquired_at__lte=now, expires_at__gt=now)
    if not unbroken.update(**alive):
        anew = {"token": "", "acquired_at": now}
        Lease.objects.update_or_create(name=CLOCK, defaults=alive | anew)


def overdue_jobs(now: datetime) -> list[ScheduledJob]:
    """Those that should have finished long ago: two statements."""
    return [each for each in scheduled_jobs() if each.is_overdue(now)]


WHY_OVERDUE = "Check whether the clock or cron runs it, and what went wrong in its last runs."


def audit_schedule(now: datetime) -> Iterator[Finding]:
    """A finding for each overdue job; it closes when a run has finished."""
    for job in overdue_jobs(now):
        what = f"{job.lateness}."
        yield Finding(rule=Rule.JOB_OVERDUE, subject=job.name, what=what, change=WHY_OVERDUE)


def has_caught_up(now: datetime) -> bool:
    """Whether the clock, where there is one, has had time for what was due when it started."""
    alive = heartbeat()
    return alive is None or now - alive.since >= LATE


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """When a clock was last alive, and since when without a break."""

    at: datetime
    since: datetime

    def age_seconds(self, now: datetime) -> int:
        return int((now - self.at).total_seconds())


def heartbeat() -> Heartbeat | None:
    """None: there never was a clock."""
    row = Lease.objects.filter(name=CLOCK).first()
    return Heartbeat(at=row.expires_at - SILENCE, since=row.acquired_at) if row else None
