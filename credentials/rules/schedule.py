"""Which commands run by themselves, how often, and when one of them is due or overdue. Pure."""

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
INTERVAL = re.compile(r"([1-9][0-9]{0,5})([smhd])\Z", re.ASCII)
SHORTEST, LONGEST = 10 * SECOND, 30 * DAY
# A run that failed is repeated after such a part of its interval.
REPEATED = 12
# What is late by so many intervals, and by so long, is overdue.
LATE_INTERVALS, LATE = 3, 10 * MINUTE


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command that runs again and again. Without `every` it runs where an operator says so.

    A run that takes longer than its limit is broken off. One that is `is_per_store` runs for each
    store by itself, whose name is its last argument.
    """

    command: str
    every: timedelta | None = None
    limit: timedelta
    arguments: tuple[str, ...] = ()
    is_per_store: bool = False

    @property
    def interval(self) -> timedelta:
        return self.every or DAY


JOBS = {
    job.command: job
    for job in (
        Job(command="write_revocations", every=MINUTE, limit=5 * MINUTE),
        Job(command="deliver_webhooks", every=15 * SECOND, limit=5 * MINUTE),
        Job(command="audit_schedule", every=5 * MINUTE, limit=5 * MINUTE),
        Job(command="roll_up", every=HOUR, limit=30 * MINUTE),
        Job(command="audit_sessions", every=HOUR, limit=30 * MINUTE),
        Job(command="count_builds", every=HOUR, limit=2 * HOUR),
        Job(command="audit_bucket", every=DAY, limit=12 * HOUR, is_per_store=True),
        Job(command="audit_cloudtrail", limit=6 * HOUR),
        Job(command="compact_policies", every=DAY, limit=6 * HOUR),
        Job(command="purge_builds", limit=6 * HOUR),
        Job(command="prune_sessions", limit=6 * HOUR),
    )
}


def parse_schedule(text: str, *, without: Collection[str] = ()) -> tuple[Job, ...]:
    """The jobs to run: the table's, changed by `COMMAND [ARGUMENTS]=INTERVAL` entries with commas.

    An interval is a number with `s`, `m`, `h` or `d`, or `off`. `without` are commands that run
    only if they are named. Raises ValueError with what is wrong.
    """
    jobs = {name: job for name, job in JOBS.items() if job.every and name not in without}
    named = set()
    for entry in filter(None, map(str.strip, text.split(","))):
        call, equals, interval = entry.rpartition("=")
        command, *arguments = shlex.split(call if equals else interval) or [""]
        if command not in JOBS:
            raise ValueError(f"{command or entry} is no job: there are {', '.join(JOBS)}")
        if command in named:
            raise ValueError(f"{command} is named twice")
        named.add(command)
        if interval == "off":
            jobs.pop(command, None)
        else:
            every, job = _interval(interval if equals else ""), JOBS[command]
            jobs[command] = replace(job, every=every, arguments=tuple(arguments))
    return tuple(jobs.values())


def _interval(text: str) -> timedelta:
    found = INTERVAL.match(text)
    length = int(found[1]) * UNITS[found[2]] if found else timedelta(0)
    if not SHORTEST <= length <= LONGEST:
        raise ValueError(
            f"{text or 'nothing'} is neither off nor an interval from 10s to 30d, such as 90s, 5m, "
            "6h or 1d"
        )
    return length


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The newest run of a job that is not going on; `ended_at` is None for one that was killed."""

    started_at: datetime
    ended_at: datetime | None
    has_finished: bool
    has_failed: bool


def is_due(job: Job, last: LastRun | None, now: datetime) -> bool:
    """Whether it is time to run a job again.

    What failed, or was broken off at its limit, is repeated after a twelfth of the interval; what
    was broken off or killed for another reason, as by a new deployment, after a minute.
    """
    if last is None:
        return True
    if last.has_finished:
        pause = job.interval
    elif last.has_failed or _reached_its_limit(job, last):
        pause = max(job.interval / REPEATED, MINUTE)
    else:
        pause = MINUTE
    was_set_back = last.started_at > now + MINUTE  # the clock, since then
    return was_set_back or now - last.started_at >= min(pause, job.interval)


def _reached_its_limit(job: Job, last: LastRun) -> bool:
    return last.ended_at is not None and last.ended_at - last.started_at >= job.limit


def is_overdue(
    job: Job, *, finished: datetime | None, watched_since: datetime | None, now: datetime
) -> bool:
    """Whether a job should have finished long ago.

    `finished` is when the last run that did so began. Where none ever did, the job is waited for
    since a clock runs (`watched_since`); without either it is somebody's choice.
    """
    since = finished or watched_since
    return since is not None and now - since > max(LATE_INTERVALS * job.interval, LATE)
