"""Runs of jobs, and what audits found: each finding once, however many runs see it."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery

from builds.models import Build, Store
from credentials.models.sessions import IssuedSession

NOTE_LENGTH = 255
ACKNOWLEDGEMENT = ("acknowledged_at", "acknowledged_by", "acknowledged_until", "acknowledged_note")
SEVERITIES = [("error", "error"), ("warning", "warning")]


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def of(self, job: str, store: Store | None = None) -> "JobRunQuerySet":
        return self.filter(job=job, store=store)

    def finished(self) -> "JobRunQuerySet":
        return self.filter(state=JobRun.State.FINISHED)


class JobRun(models.Model):
    """One run of a command that is meant to run again and again. What is due is read from these.

    A row that is still `running` though its lease was taken over was killed: `interrupted`.
    `looked_at` counts what the run read, by name. `coverage` is a list of stretches of time
    (`since`, `until`) that its findings are complete for, where the job has such; `usage` is what
    a bucket held.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"
        INTERRUPTED = "interrupted"

    job = models.CharField(max_length=64, help_text="The name of its command.")
    store = models.ForeignKey(
        Store, null=True, on_delete=models.CASCADE, related_name="job_runs", db_index=False
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField("ended at", null=True)
    state = models.CharField(max_length=11, choices=State, default=State.RUNNING)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    holder = models.CharField("host and process", max_length=255)
    looked_at = models.JSONField(default=dict)
    coverage = models.JSONField(default=list)
    usage = models.JSONField(
        null=True, help_text="What a bucket holds: folder of a product -> objects and bytes."
    )
    errors = models.PositiveIntegerField(default=0)
    warnings = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(
        default=0, help_text="Findings that it saw first, or that had been gone."
    )
    problem = models.TextField(blank=True, help_text="What went wrong.")

    objects = JobRunQuerySet.as_manager()

    class Meta:
        verbose_name = "run"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["job", "store", "-id"], name="run_last_of_job"),
            models.Index(fields=["store"], name="run_of_store", condition=Q(store__isnull=False)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="running", finished_at=None)
                | Q(state__in=["finished", "failed", "interrupted"], finished_at__isnull=False),
                name="run_state_has_its_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed", problem=""), name="run_failure_has_problem"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job}{f' of {self.store}' if self.store else ''}, {self.started_at:%F %T} UTC"


def last_runs(job: str) -> dict[int, JobRun]:
    """The newest run of a job for each store: one statement, and one look into an index a store."""
    of_store = JobRun.objects.filter(job=job, store=OuterRef("pk")).order_by("-pk")
    newest = Store.objects.order_by().values_list(Subquery(of_store.values("pk")[:1]))
    return {run.store_id: run for run in JobRun.objects.filter(pk__in=newest) if run.store_id}


class AuditFindingQuerySet(models.QuerySet["AuditFinding"]):
    def open(self, now: datetime) -> "AuditFindingQuerySet":
        """Those that somebody has to look at: an acknowledged one again after its end."""
        is_over = Q(acknowledged_until__lte=now, is_event=False)
        return self.filter(Q(acknowledged_until=None) | is_over, closed_at=None)

    def acknowledged(self, now: datetime) -> "AuditFindingQuerySet":
        return self.filter(closed_at=None, acknowledged_until__gt=now)

    def closed(self, now: datetime) -> "AuditFindingQuerySet":
        """Gone; or an event that was acknowledged, when that has ended."""
        is_over = Q(acknowledged_until__lte=now, is_event=True)
        return self.filter(is_over | Q(closed_at__isnull=False))

    def of(self, job: str, store: Store | None = None) -> "AuditFindingQuerySet":
        return self.filter(job=job, store=store)


class AuditFinding(models.Model):
    """What one rule found about one subject, as the last run that saw it says.

    `fingerprint` is made of job, store, rule and subject. What is not seen again by a whole run is
    closed, and open again when it returns. An event (`is_event`) is a thing that happened: it
    stays open until it is acknowledged and that has ended, and never returns.

    The rows that it refers to may be gone: sessions and runs are removed after their time.
    """

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        CLOSED = "closed"

    fingerprint = models.CharField(max_length=64, unique=True)
    job = models.CharField(max_length=64)
    store = models.ForeignKey(
        Store, null=True, on_delete=models.CASCADE, related_name="findings", db_index=False
    )
    rule = models.CharField(max_length=64)
    subject = models.TextField()
    severity = models.CharField(max_length=7, choices=SEVERITIES)
    what = models.TextField()
    change = models.TextField("what to do", blank=True)
    why = models.TextField(blank=True)
    is_event = models.BooleanField(default=False)
    access_key_id = models.TextField("access key id", blank=True)
    build = models.ForeignKey(
        Build,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="findings",
        db_constraint=False,
        db_index=False,
    )
    session = models.ForeignKey(
        IssuedSession,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="findings",
        db_constraint=False,
        db_index=False,
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1, help_text="How many runs saw it.")
    first_run = models.ForeignKey(
        JobRun, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    last_run = models.ForeignKey(
        JobRun, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    closed_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(
        max_length=150, blank=True, help_text="A user's name, as it was then."
    )
    acknowledged_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then it is known and accepted: no job fails for it."
    )
    acknowledged_note = models.CharField("note", max_length=NOTE_LENGTH, blank=True)
    is_unsent = models.BooleanField(default=False, help_text="A mail about it is due.")

    objects = AuditFindingQuerySet.as_manager()

    class Meta:
        verbose_name = "finding"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["job", "store", "last_run"],
                condition=Q(closed_at=None),
                name="finding_open_of_job",
            ),
            models.Index(fields=["-id"], condition=Q(closed_at=None), name="finding_open"),
            models.Index(fields=["job"], condition=Q(is_unsent=True), name="finding_unsent"),
            models.Index(
                fields=["store"], condition=Q(store__isnull=False), name="finding_of_store"
            ),
            models.Index(
                fields=["session"], condition=Q(session__isnull=False), name="finding_of_session"
            ),
            models.Index(
                fields=["build"], condition=Q(build__isnull=False), name="finding_of_build"
            ),
            models.Index(
                fields=["access_key_id"], condition=~Q(access_key_id=""), name="finding_of_key"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(severity__in=["error", "warning"]), name="finding_severity_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    acknowledged_at=None,
                    acknowledged_by="",
                    acknowledged_until=None,
                    acknowledged_note="",
                )
                | (
                    Q(acknowledged_until__gt=F("acknowledged_at"))
                    & ~Q(acknowledged_by="")
                    & ~Q(acknowledged_note="")
                ),
                name="finding_acknowledged_with_note_and_end",
            ),
            models.CheckConstraint(
                condition=Q(last_seen_at__gte=F("first_seen_at"), times__gte=1),
                name="finding_seen_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}"

    def state(self, now: datetime) -> State:
        """What the querysets of the same names find."""
        until = self.acknowledged_until
        if self.closed_at or (until and until <= now and self.is_event):
            return self.State.CLOSED
        return self.State.ACKNOWLEDGED if until and until > now else self.State.OPEN

    def acknowledge(
        self,
        at: datetime | None = None,
        by: str = "",
        until: datetime | None = None,
        note: str = "",
    ) -> None:
        """Set who accepts it, why and until when; nothing is what nobody does. Does not save."""
        for name, value in zip(ACKNOWLEDGEMENT, (at, by, until, note), strict=True):
            setattr(self, name, value)
