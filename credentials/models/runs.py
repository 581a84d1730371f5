"""Runs of the check of isolation, kept as evidence."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, FilteredRelation, OuterRef, Q, Subquery
from django.utils import timezone

from builds.models import Store
from credentials.rules.verdicts import Outcome

# What a verdict is about.
JUDGED = (*Store.ENDPOINT_FIELDS, "with_sync")


class IsolationRunQuerySet(models.QuerySet["IsolationRun"]):
    def requested(self) -> "IsolationRunQuerySet":
        return self.filter(finished_at=None)

    def finished(self) -> "IsolationRunQuerySet":
        return self.exclude(finished_at=None)

    def current(self) -> "IsolationRunQuerySet":
        """Finished, of stores that are still as they were when they were checked."""
        return self.finished().filter(**{name: F(f"store__{name}") for name in JUDGED})

    def last_of(self, store: Store) -> "IsolationRun | None":
        return self.current().filter(store=store).order_by("-finished_at").first()


class IsolationRun(models.Model):
    """One check of one store: asked for, then finished with a verdict.

    Bucket, endpoint and role are those that were checked, and so is whether the role may read for
    sync products: a store that is changed afterwards is another one, of which the verdict says
    nothing. `with_sync` is None where copies in parts were not tried yet. `lines` holds one object
    a call: `call`, `expected`, `outcome`, `answer`.
    """

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="isolation_runs")
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    bucket = models.CharField(max_length=63, blank=True)
    endpoint_url = models.CharField(max_length=255, blank=True)
    role_arn = models.CharField(max_length=255, blank=True)
    with_sync = models.BooleanField("sync products", null=True)
    finished_at = models.DateTimeField(null=True)
    passed = models.BooleanField(null=True)
    summary = models.TextField(blank=True)
    lines = models.JSONField(default=list)

    objects = IsolationRunQuerySet.as_manager()

    class Meta:
        verbose_name = "isolation check"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["store", "-finished_at"], name="isolation_last")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(finished_at=None, passed=None)
                | Q(finished_at__isnull=False, passed__isnull=False),
                name="isolation_finished_has_verdict",
            )
        ]

    def __str__(self) -> str:
        return f"{self.store} {self.verdict}"

    def finish(
        self, *, passed: bool, summary: str = "", lines: list[dict[str, object]] | None = None
    ) -> None:
        """Store the verdict, with what it is about."""
        self.lines, self.passed, self.summary = lines or [], passed, summary
        for name in JUDGED:
            setattr(self, name, getattr(self.store, name))
        self.finished_at = timezone.now()
        self.save(update_fields=[*JUDGED, "lines", "passed", "summary", "finished_at"])

    @property
    def verdict(self) -> str:
        """`requested`, `passed`, `failed`, or `unchecked` where nothing could be shown."""
        if self.finished_at is None:
            return "requested"
        if self.passed:
            return "passed"
        return "unchecked" if self.lines and not self.has_leak else "failed"

    @property
    def has_leak(self) -> bool:
        """Whether a session did what it must not be able to do."""
        leak = (Outcome.REFUSED, Outcome.ACCEPTED)
        return any((line["expected"], line["outcome"]) == leak for line in self.lines)

    def age_seconds(self, now: datetime) -> int | None:
        """Since when the verdict stands."""
        return int((now - self.finished_at).total_seconds()) if self.finished_at else None


def last_verdicts() -> list[tuple[Store, IsolationRun | None]]:
    """Every store with its last current run: one query, however many stores and runs."""
    of_store = IsolationRun.objects.current().filter(store=OuterRef("pk"))
    newest = Subquery(of_store.order_by("-finished_at").values("pk")[:1])
    columns = [field.attname for field in IsolationRun._meta.concrete_fields]
    stores: Any = Store.objects.order_by("name").annotate(
        last=FilteredRelation("isolation_runs", condition=Q(isolation_runs__pk=newest)),
        **{f"last_{name}": F(f"last__{name}") for name in columns},
    )
    found = [(store, [getattr(store, f"last_{name}") for name in columns]) for store in stores]
    return [
        (store, IsolationRun.from_db(None, columns, values) if store.last_id else None)
        for store, values in found
    ]


class Lease(models.Model):
    """Who does the work of a name at the moment. `token` tells one holder from the next."""

    name = models.CharField(max_length=128, primary_key=True)
    token = models.CharField(max_length=26)
    holder = models.CharField(max_length=255)
    acquired_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("acquired_at")), name="lease_expires_later"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
