"""Decisions to revoke sessions, and what became of each at the store."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from builds.models import Store
from credentials.rules.revocation import CLOCK_TOLERANCE

REASON_LENGTH = 255
NAME_LENGTH = 255


class RevocationQuerySet(models.QuerySet["Revocation"]):
    def in_force(self, now: datetime) -> "RevocationQuerySet":
        """Those that have to be in the store's policy: a session that they cover is not over by
        the store's clock, which may be behind.
        """
        return self.filter(ends_at__gt=now - CLOCK_TOLERANCE)

    def of_store(self, store: Store) -> "RevocationQuerySet":
        return self.filter(store=store)

    def of_role(self, store: Store) -> "RevocationQuerySet":
        """Those of all stores with the store's role: they are in one policy."""
        return self.filter(store__role_arn=store.role_arn, store__endpoint_url=store.endpoint_url)


class Revocation(models.Model):
    """One decision to revoke sessions of one store. It names its target as text, and outlives it.

    `requested` (recorded here) -> `written` (in the role's policy, read back) -> `verified` (the
    store refused a session of the same name). `failed` says why, and the next write tries again.
    """

    class Kind(models.TextChoices):
        SESSION = "session", "session"
        BUILD = "build", "build"
        JOB_TOKEN = "job_token", "job token"
        API_KEY = "api_key", "API key"
        CLIENT = "client", "client"
        PRODUCT = "product", "product"
        STORE = "store", "store"

    class State(models.TextChoices):
        REQUESTED = "requested", "requested"
        WRITTEN = "written", "written"
        VERIFIED = "verified", "verified"
        FAILED = "failed", "failed"

    kind = models.CharField(max_length=10, choices=Kind)
    target_name = models.CharField("target", max_length=NAME_LENGTH)
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="revocations")
    before = models.DateTimeField(
        null=True, help_text="Sessions issued up to here were meant. Empty: all of them."
    )
    reason = models.CharField(max_length=REASON_LENGTH)
    requested_by = models.CharField(max_length=150, help_text="A user's name, as it was then.")
    requested_at = models.DateTimeField()
    may_go_on = models.BooleanField(
        default=False,
        help_text="Yes: the credential that requested the sessions may request new ones.",
    )
    session_count = models.PositiveIntegerField("sessions", default=0)
    ends_at = models.DateTimeField(
        help_text="When the last session that it covers would have ended by itself: from then on "
        "it is no longer in the store's policy."
    )
    state = models.CharField(max_length=9, choices=State, default=State.REQUESTED)
    written_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, help_text="What failed, and what to do about it.")

    objects = RevocationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["store", "ends_at"], name="revocation_in_force"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "session",
                        "build",
                        "job_token",
                        "api_key",
                        "client",
                        "product",
                        "store",
                    ]
                ),
                name="revocation_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(state="requested", written_at=None, verified_at=None, failed_at=None)
                | Q(state="written", written_at__isnull=False, verified_at=None, failed_at=None)
                | Q(
                    state="verified",
                    written_at__isnull=False,
                    verified_at__isnull=False,
                    failed_at=None,
                )
                | Q(state="failed", failed_at__isnull=False, verified_at=None),
                name="revocation_state_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(state="failed") ^ Q(problem=""), name="revocation_failure_has_problem"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="revocation_has_reason"),
            models.CheckConstraint(
                condition=~Q(kind="store") | Q(before__isnull=False),
                name="revocation_of_store_has_time",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("requested_at")), name="revocation_ends_later"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.target_name}"
