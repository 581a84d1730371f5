"""Runs of jobs under a lease, and the life of what audits find.

`with recorded_run("audit_bucket", store=store) as run:` writes the run's row, and
`run.keep(findings)` stores what an audit yields. Whatever was written when a process is killed,
the next whole run makes right: a finding is stored once, by its fingerprint.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.db import Error, transaction
from django.db.models import Count, F
from django.utils import timezone

from builds.errors import DomainError
from builds.models import Store
from credentials.models import AuditFinding, JobRun, Webhook
from credentials.models.audits import ACKNOWLEDGEMENT
from credentials.operations.findings import Finding, Rule, Severity
from credentials.operations.kept_findings import is_alerting, record_opened, send_mail_of
from credentials.operations.leases import only_run, this_process

AT_A_TIME = 500
# Runs are kept for so long, and those of jobs that run every few minutes for less.
KEPT, KEPT_OF_MINUTES = timedelta(days=100), timedelta(days=2)
EVERY_FEW_MINUTES = {"write_revocations", "deliver_webhooks", "audit_schedule"}
MOST_REMOVED = 5_000
# Of one run so many findings are events: the rest is in the list, and in the count of the mail.
MOST_EVENTS = 1_000
# Of each rule so many findings are open at most; nobody reads more. What is left out is counted.
MOST_OF_A_RULE = 10_000
# What a run writes: as it was found, and of the row.
AS_FOUND = (
    *("rule", "subject", "severity", "what", "change", "why"),
    *("access_key_id", "build_id", "is_event"),
)
SEEN = (
    *("severity", "what", "change", "why", "access_key_id", "build", "session", "is_event"),
    *("last_seen_at", "times", "last_run", "closed_at", "is_unsent", *ACKNOWLEDGEMENT),
)
CONTENT = (*AS_FOUND, "session_id", "closed_at", "is_unsent", "acknowledged_at")
COUNTS = ("errors", "warnings", "new")
State = JobRun.State


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A finding that is stored, unless there are too many of its rule. It is new where it was not
    open before; nothing is reported twice.
    """

    finding: Finding
    fingerprint: str
    is_new: bool
    is_acknowledged: bool


def lease_name(job: str, store: Store | None = None) -> str:
    """The lease that is held by whoever runs a job."""
    return f"{job} of the store {store.name}" if store else job


@contextmanager
def recorded_run(job: str, *, store: Store | None = None) -> Iterator["RecordedRun"]:
    """Within, this process alone does the job, for the store if one is given, and a row says so.

    At a clean end, what `keep` was not given again is closed. Raises AlreadyRunning.
    """
    with only_run(lease_name(job, store)):
        now = timezone.now()
        _interrupt(JobRun.objects.of(job, store), now)
        row = JobRun.objects.create(job=job, store=store, started_at=now, holder=this_process())
        run = RecordedRun(row)
        try:
            yield run
            run.close_gone()
        except BaseException as err:
            state = State.FAILED if isinstance(err, Exception) else State.INTERRUPTED
            with suppress(Error):  # then the next run notes that this one was interrupted
                run.end(state, problem=_reason(err))
            raise
        run.end(State.FINISHED, problem=run.problem)
        _remove_old(job, now)


def _interrupt(runs: Any, now: datetime) -> None:
    """Whoever held the lease before and did not say how it ended was killed."""
    problem = "Its process was killed, or lost the database."
    running = runs.filter(state=State.RUNNING)
    running.update(state=State.INTERRUPTED, finished_at=now, problem=problem)


def _reason(err: BaseException) -> str:
    """Of an error that is not ours only its kind: its text may hold anything."""
    if isinstance(err, DomainError):
        return err.message
    return str(err) if isinstance(err, CommandError) else f"Interrupted by {type(err).__name__}."


def _remove_old(job: str, now: datetime) -> None:
    kept = KEPT_OF_MINUTES if job in EVERY_FEW_MINUTES else KEPT
    old = JobRun.objects.filter(job=job, started_at__lt=now - kept).order_by("pk")
    JobRun.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:MOST_REMOVED])).delete()


class RecordedRun:
    """A run that is going on. Its memory does not grow with what it finds."""

    def __init__(self, row: JobRun) -> None:
        self.row = row
        self.problem = ""  # of a run that finishes all the same
        self._looked_at: Counter[str] = Counter()
        self._severities: Counter[str] = Counter()
        self._is_whole = False
        self._told = 0
        self._left_out: Counter[tuple[str, str, bool]] = Counter()

    def looked_at(self, **counts: int) -> None:
        """Add to what was read, by name."""
        self._looked_at.update(counts)

    def covers(self, *, since: datetime, until: datetime, **of: str) -> None:
        """Note a stretch of time that the findings are complete for, and of what, if of a part;
        neighbours become one.
        """
        covered, stretch = self.row.coverage, {"since": since.isoformat(), **of}
        last = covered[-1] if covered else {}
        is_same = last.keys() - {"since", "until"} == of.keys() and of.items() <= last.items()
        if last and is_same and since <= datetime.fromisoformat(last["until"]):
            last["until"] = max(last["until"], until.isoformat())
        else:
            covered.append(stretch | {"until": until.isoformat()})

    def keep(self, findings: Iterable[Finding], *, is_whole: bool = True) -> Iterator[Kept]:
        """The same findings, stored, some at a time; with what an audit found before it broke off.

        Where it looked at a part of its subjects only, nothing is closed. While it goes on, this
        writes: an audit must not hold a cursor of the database open. At the end, a finding says how
        many of a rule were left out.
        """
        self._is_whole = is_whole
        source = iter(findings)
        while True:
            some: list[Finding] = []
            problem: BaseException | None = None
            try:
                some.extend(islice(source, AT_A_TIME))
            except BaseException as err:  # noqa: BLE001 - raised below
                problem = err
            yield from self._store(some)
            if problem:
                raise problem
            if len(some) < AT_A_TIME:
                yield from self._store(list(self._summaries()))
                return

    def _store(self, findings: list[Finding]) -> list[Kept]:
        """Three statements for all of them, in one transaction."""
        now = timezone.now()
        found = {self._fingerprint(each): each for each in findings}
        errors = (each for each in findings if each.severity is Severity.ERROR)
        found |= {self._fingerprint(each): each for each in errors}
        with transaction.atomic():
            before = AuditFinding.objects.select_for_update().in_bulk(
                list(found), field_name="fingerprint"
            )
            rows = {
                each: before.get(each) or self._first(each, now)
                for each, finding in found.items()
                if each in before or self._has_room(finding)
            }
            was = {each: _content(row) for each, row in rows.items()}
            kept = [
                self._see(rows[each], finding, now) if each in rows else _unkept(each, finding)
                for each, finding in found.items()
            ]
            self._write(
                same=[row.pk for each, row in before.items() if _content(row) == was[each]],
                other=[row for each, row in rows.items() if _content(row) != was[each]],
                now=now,
            )
            for each in kept:
                if each.is_new:
                    self._tell(rows[each.fingerprint], now)
        self._severities.update(each.finding.severity for each in kept)
        self.row.new += sum(each.is_new for each in kept)
        return kept

    def _write(self, *, same: list[int], other: list[AuditFinding], now: datetime) -> None:
        """Of those that are as they were, only that they were seen, a third of the work."""
        rows = AuditFinding.objects.filter(pk__in=same).exclude(last_run=self.row)
        rows.update(last_seen_at=now, last_run=self.row, times=F("times") + 1)
        for row in other:
            row.pk = None  # so that the fingerprint alone says which row it is
        AuditFinding.objects.bulk_create(
            other, update_conflicts=True, unique_fields=["fingerprint"], update_fields=SEEN
        )

    @cached_property
    def _open(self) -> Counter[tuple[str, str]]:
        """Of each rule and severity, how many findings are open."""
        is_open = AuditFinding.objects.of(self.row.job, self.row.store).open(timezone.now())
        counted = is_open.order_by().values_list("rule", "severity").annotate(number=Count("pk"))
        return Counter({(rule, severity): number for rule, severity, number in counted})

    def _has_room(self, finding: Finding) -> bool:
        rule = finding.rule, finding.severity
        if self._open[rule] >= MOST_OF_A_RULE:
            self._left_out[*rule, finding.is_event] += 1
            return False
        self._open[rule] += 1
        return True

    def _summaries(self) -> Iterator[Finding]:
        """What was left out. Of events each run says it anew, since none sees them again."""
        for (rule, severity, is_event), number in self._left_out.items():
            of_run = f", {self.row.started_at:%F %T} UTC" if is_event else ""
            yield Finding(
                rule=Rule.LEFT_OUT,
                subject=f"{severity} {rule}{of_run}",
                severity=Severity(severity),
                what=f"{number:,} findings of this rule are not kept, since {MOST_OF_A_RULE:,} of "
                "it are open.",
                change="Look for what they have in common. The command's own output has them all.",
                is_event=is_event,
            )

    def _tell(self, row: AuditFinding, now: datetime) -> None:
        if is_alerting(row.severity) and self._told < MOST_EVENTS and self._has_webhooks:
            record_opened(row, now)
            self._told += 1

    @cached_property
    def _has_webhooks(self) -> bool:
        return Webhook.objects.filter(is_active=True).exists()

    def _fingerprint(self, finding: Finding) -> str:
        parts = (self.row.job, self.row.store_id, finding.rule, finding.subject)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _first(self, fingerprint: str, now: datetime) -> AuditFinding:
        return AuditFinding(
            fingerprint=fingerprint,
            job=self.row.job,
            store=self.row.store,
            first_seen_at=now,
            first_run=self.row,
            times=0,
        )

    def _see(self, row: AuditFinding, finding: Finding, now: datetime) -> Kept:
        """Bring a row up to what was found just now. What is worse than it was acknowledged for
        has to be acknowledged again. An error that happened stays one, with its calls.
        """
        was_open = bool(row.times) and row.state(row.last_seen_at) is AuditFinding.State.OPEN
        if row.severity == Severity.WARNING and finding.severity is Severity.ERROR:
            row.acknowledge()
        if not row.is_event:
            row.closed_at = None
        is_milder = finding.severity is Severity.WARNING and row.severity == Severity.ERROR
        for name in () if row.is_event and is_milder else AS_FOUND:
            value = getattr(finding, name)
            setattr(row, name, _storable(value) if isinstance(value, str) else value)
        row.session_id = finding.session_id or None
        row.times += row.last_run_id != self.row.pk
        row.last_run, row.last_seen_at = self.row, now
        is_open = row.state(now) is AuditFinding.State.OPEN
        is_new = is_open and not was_open
        row.is_unsent |= is_new and bool(settings.LTD_MAIL_FINDINGS) and is_alerting(row.severity)
        return Kept(
            finding=finding,
            fingerprint=row.fingerprint,
            is_new=is_new,
            is_acknowledged=not is_open,
        )

    def close_gone(self) -> None:
        """After a whole run: what it did not see, and events whose acknowledgement has ended."""
        if not self._is_whole:
            return
        now = timezone.now()
        left = AuditFinding.objects.of(self.row.job, self.row.store).filter(closed_at=None)
        left.filter(is_event=False).exclude(last_run=self.row).update(closed_at=now)
        left.filter(is_event=True, acknowledged_until__lte=now).update(closed_at=now)

    def end(self, state: JobRun.State, *, problem: str = "") -> None:
        """Send what is due, and write how the run ended, unless another one took it for killed."""
        row, row.finished_at = self.row, timezone.now()
        unsent = send_mail_of(row, row.finished_at)
        row.state, row.problem = state, " ".join(filter(None, (problem, unsent)))
        row.looked_at = dict(self._looked_at)
        row.errors = self._severities[Severity.ERROR]
        row.warnings = self._severities[Severity.WARNING]
        fields = ("finished_at", "state", "problem", "looked_at", "coverage", "usage", *COUNTS)
        still_running = JobRun.objects.filter(pk=row.pk, state=State.RUNNING)
        still_running.update(**{name: getattr(row, name) for name in fields})


def _unkept(fingerprint: str, finding: Finding) -> Kept:
    return Kept(finding=finding, fingerprint=fingerprint, is_new=False, is_acknowledged=False)


def _content(row: AuditFinding) -> tuple[Any, ...]:
    """What may differ from one run to the next, but for when it was seen."""
    return tuple(getattr(row, name) for name in CONTENT)


def _storable(text: str) -> str:
    """PostgreSQL takes no NUL."""
    return str(text).replace("\0", "\\0")
