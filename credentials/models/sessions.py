"""The ledger: one row for every session ever requested from STS, with everything but the secret."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from ulid import ULID

from builds.models import ROOT_LENGTH, Build, Store
from credentials.models.clients import Client
from credentials.models.retention import PolicyTemplate
from credentials.models.revocations import Revocation
from credentials.rules.durations import REFRESHING_FLOOR, STUCK_AFTER
from credentials.rules.policy import fill_template


def new_ledger_id() -> str:
    """A ULID in lower case; it also begins the session's name at the store."""
    return str(ULID()).lower()


def first_ledger_id(moment: datetime) -> str:
    """The least that a ledger id of that moment or later can be."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return str(ULID.from_bytes(milliseconds.to_bytes(6) + bytes(10))).lower()


class Delivery(models.TextChoices):
    """Why or how a session left."""

    JSON = "json", "credentials as JSON"
    CONTAINER = "container", "container credentials"
    PROCESS = "process", "credential_process"
    POST = "post", "presigned POSTs"
    URL = "url", "presigned URLs"
    UPLOAD = "upload", "upload through this service"
    LIST = "list", "this service itself, to list"
    PROBE = "probe", "this service itself, to check isolation"
    CLEAN = "clean", "this service itself, to remove objects"
    VERIFY = "verify", "this service itself, to check a revocation"


WRITING = (
    Delivery.JSON,
    Delivery.CONTAINER,
    Delivery.PROCESS,
    Delivery.POST,
    Delivery.URL,
    Delivery.UPLOAD,
)
INTERNAL = (Delivery.LIST, Delivery.PROBE, Delivery.CLEAN, Delivery.VERIFY)
# What is known of the store while a revocation is not verified.
AT_THE_STORE = {
    "requested": ", not yet written to the store",
    "written": ", not yet verified at the store",
    "failed": ", but the store may still accept it",
}


class IssuedSessionQuerySet(models.QuerySet["IssuedSession"]):
    def in_state(self, state: "IssuedSession.State", now: datetime) -> "IssuedSessionQuerySet":
        """The rows that `IssuedSession.state` calls so at a moment."""
        states, statuses = IssuedSession.State, IssuedSession.Status
        early = now - STUCK_AFTER
        condition = {
            states.ACTIVE: Q(status=statuses.ISSUED, revoked_at=None, expires_at__gt=now),
            states.EXPIRED: Q(status=statuses.ISSUED, revoked_at=None, expires_at__lte=now),
            states.REVOKED: Q(status=statuses.ISSUED, revoked_at__isnull=False),
            states.FAILED: Q(status=statuses.FAILED),
            states.WITHHELD: Q(status=statuses.WITHHELD),
            states.STUCK: Q(status=statuses.REQUESTED, requested_at__lt=early),
            states.REQUESTED: Q(status=statuses.REQUESTED, requested_at__gte=early),
        }[state]
        return self.filter(condition)

    def issued(self) -> "IssuedSessionQuerySet":
        return self.filter(status=IssuedSession.Status.ISSUED)

    def unexpired(self, now: datetime) -> "IssuedSessionQuerySet":
        """Those whose credentials may work at the store, revoked or not."""
        return self.issued().filter(expires_at__gt=now)

    def expired(self, now: datetime) -> "IssuedSessionQuerySet":
        return self.in_state(IssuedSession.State.EXPIRED, now)

    def active(self, now: datetime) -> "IssuedSessionQuerySet":
        return self.in_state(IssuedSession.State.ACTIVE, now)

    def reusable(self, now: datetime) -> "IssuedSessionQuerySet":
        """Those that may be served again: whatever ends a session early takes it out of here."""
        return self.active(now + timedelta(seconds=REFRESHING_FLOOR))

    def stuck(self, now: datetime) -> "IssuedSessionQuerySet":
        return self.in_state(IssuedSession.State.STUCK, now)

    def requested(self, now: datetime) -> "IssuedSessionQuerySet":
        """Those whose outcome may still come."""
        return self.in_state(IssuedSession.State.REQUESTED, now)

    def asked_for(self, now: datetime) -> "IssuedSessionQuerySet":
        """Those that are alive, or whose outcome may still come."""
        return self.active(now) | self.requested(now)

    def over(self, before: datetime) -> "IssuedSessionQuerySet":
        """Those asked for, and over, before a moment, by the primary key; never a stuck one."""
        rows = self.filter(pk__lt=first_ledger_id(before), requested_at__lt=before)
        rows = rows.exclude(status=IssuedSession.Status.REQUESTED).order_by("pk")
        return rows.filter(Q(expires_at=None) | Q(expires_at__lt=before))

    def since(self, moment: datetime) -> "IssuedSessionQuerySet":
        return self.filter(requested_at__gte=moment)

    def writing(self) -> "IssuedSessionQuerySet":
        return self.filter(delivery__in=WRITING)

    def for_builds(self) -> "IssuedSessionQuerySet":
        """Those that were asked for by a caller."""
        return self.exclude(delivery__in=INTERNAL)

    def for_build(self, build: Build) -> "IssuedSessionQuerySet":
        return self.filter(build=build)


class IssuedSession(models.Model):
    """One AssumeRole call. The row is committed before STS is asked, and outlives what it names.

    `requested` -> `issued` (returned), `withheld` (dropped: the right ended meanwhile) or
    `failed` (STS gave nothing). A row that stays `requested` is a crash; the audit reports it.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested"
        ISSUED = "issued"
        FAILED = "failed"
        WITHHELD = "withheld"

    class State(models.TextChoices):
        """What a row is to people at a moment; what was issued is never just that."""

        ACTIVE = "active"
        EXPIRED = "expired"
        REVOKED = "revoked"
        FAILED = "failed"
        WITHHELD = "withheld"
        STUCK = "stuck"
        REQUESTED = "requested"

    id = models.CharField(
        "ledger id", primary_key=True, max_length=26, default=new_ledger_id, editable=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    failure_code = models.CharField(max_length=64, blank=True)
    delivery = models.CharField(max_length=10, choices=Delivery)

    # Their indexes are those below, which have the rows in the order of lists.
    store = models.ForeignKey(
        Store, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    build = models.ForeignKey(
        Build,
        null=True,
        on_delete=models.SET_NULL,
        related_name="issued_sessions",
        db_index=False,
    )
    client = models.ForeignKey(
        Client,
        null=True,
        on_delete=models.SET_NULL,
        related_name="issued_sessions",
        db_index=False,
    )
    store_name = models.CharField(max_length=50)
    product_slug = models.CharField(max_length=63)
    build_slug = models.CharField(max_length=64)
    client_name = models.CharField(max_length=64)
    token_name = models.CharField(max_length=64)

    bucket_name = models.CharField(max_length=63)
    root = models.CharField(max_length=ROOT_LENGTH)
    policy = models.TextField()
    # What is kept in its stead once the session is over.
    policy_sha256 = models.CharField(
        "SHA-256 of the policy", max_length=64, blank=True, default="", db_default=""
    )
    policy_template = models.ForeignKey(
        PolicyTemplate,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    duration_seconds = models.PositiveIntegerField()
    role_arn = models.CharField("role ARN", max_length=255)
    session_name = models.CharField(max_length=64)

    signed_by_identity = models.BooleanField(
        default=False,
        help_text="Not a session: the store's POST-signing identity signed, with the key named "
        "here. What it signed cannot be revoked one by one, only with that key.",
    )
    access_key_id = models.CharField("access key id", max_length=128, blank=True)
    assumed_role_id = models.CharField("assumed-role id", max_length=193, blank=True)
    packed_policy_percent = models.PositiveIntegerField("packed policy size (%)", null=True)
    sts_request_id = models.CharField("STS request id", max_length=128, blank=True)

    caller_address = models.CharField(max_length=45, blank=True)
    caller_ip_hex = models.CharField(  # noqa: DJ001 - NULL keeps rows without one out of the index
        max_length=32,
        null=True,
        editable=False,
        help_text="The same as `networks.ip_hex` writes it: addresses of a network are a range.",
    )
    caller_agent = models.CharField(max_length=255, blank=True)

    requested_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    last_served_at = models.DateTimeField(
        null=True, help_text="When it was last served again from memory, right to the minute."
    )
    revoked_at = models.DateTimeField(
        null=True,
        help_text="When this was decided. The revocation says whether the store refuses it.",
    )
    # Neither constraint nor index of its own: the table is too large to be locked for them.
    revocation = models.ForeignKey(
        Revocation,
        null=True,
        on_delete=models.PROTECT,
        related_name="sessions",
        db_constraint=False,
        db_index=False,
    )

    objects = IssuedSessionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["access_key_id"], name="session_access_key"),
            models.Index(fields=["sts_request_id"], name="session_sts_request"),
            models.Index(fields=["product_slug", "-id"], name="session_of_product"),
            models.Index(fields=["token_name", "-id"], name="session_of_token"),
            models.Index(fields=["store", "-id"], name="session_of_store"),
            models.Index(fields=["build", "-id"], name="session_of_build"),
            models.Index(fields=["client", "-id"], name="session_of_client"),
            models.Index(fields=["client", "requested_at"], name="session_client_recent"),
            models.Index(
                fields=["caller_ip_hex", "-id"],
                condition=Q(caller_ip_hex__isnull=False),
                name="session_of_caller_ip",
            ),
            models.Index(fields=["status", "expires_at"], name="session_by_expiry"),
            models.Index(fields=["requested_at", "status"], name="session_by_request"),
            models.Index(
                fields=["status", "-id"],
                condition=Q(status__in=["failed", "withheld"]),
                name="session_in_vain",
            ),
            models.Index(
                fields=["revocation", "expires_at"],
                condition=Q(revocation__isnull=False),
                name="session_of_revocation",
            ),
        ]
        permissions: ClassVar = [("revoke_issuedsession", "Can revoke sessions")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status__in=["requested", "issued", "failed", "withheld"]),
                name="session_status_known",
            ),
            models.CheckConstraint(
                condition=~Q(status="issued")
                | (~Q(access_key_id="") & Q(expires_at__isnull=False)),
                name="session_issued_has_key_and_expiry",
            ),
            models.CheckConstraint(
                condition=Q(status="failed") ^ Q(failure_code=""), name="session_failure_has_code"
            ),
            models.CheckConstraint(
                condition=Q(status="requested") ^ Q(completed_at__isnull=False),
                name="session_completed_once",
            ),
            models.CheckConstraint(
                condition=~Q(root="")
                & ~Q(bucket_name="")
                & (Q(policy="") ^ Q(policy_template=None))
                & (Q(policy="") ^ Q(policy_sha256=""))
                & (~Q(policy="") | ~Q(status="requested")),
                name="session_has_scope",
            ),
            models.CheckConstraint(
                condition=Q(duration_seconds__range=(900, 43_200)), name="session_duration"
            ),
            models.CheckConstraint(
                # Whether a revoked session is refused is tried with another of the same name.
                condition=Q(session_name__startswith=F("id")) | Q(delivery="verify"),
                name="session_named_by_id",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None) ^ Q(revocation__isnull=False),
                name="session_revoked_by_decision",
            ),
            models.CheckConstraint(
                condition=Q(signed_by_identity=False) | Q(delivery="post"),
                name="session_identity_signs_posts",
            ),
            models.UniqueConstraint(
                fields=["access_key_id"],
                condition=~Q(access_key_id="") & Q(signed_by_identity=False),
                name="session_access_key_once",
            ),
        ]

    def __str__(self) -> str:
        return self.session_name

    def state(self, now: datetime) -> "IssuedSession.State":
        """What it is at a moment."""
        if self.status == self.Status.REQUESTED:
            is_late = now - self.requested_at > STUCK_AFTER
            return self.State.STUCK if is_late else self.State.REQUESTED
        if self.status != self.Status.ISSUED:
            return self.State(self.status)
        if self.revoked_at:
            return self.State.REVOKED
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.State.EXPIRED if is_over else self.State.ACTIVE

    def described_state(self, now: datetime) -> str:
        """The state in words; of a revoked session that has not expired, whether the store knows.
        Reads the revocation.
        """
        state = self.state(now)
        is_live = self.expires_at is not None and self.expires_at > now
        if state is self.State.REVOKED and is_live and self.revocation:
            return f"revoked{AT_THE_STORE.get(self.revocation.state, '')}"
        return state.label.lower()

    @property
    def policy_text(self) -> str:
        """The policy as STS was sent it; empty where what remakes it no longer gives that text."""
        if self.policy_template is None:
            return self.policy
        return fill_template(
            self.policy_template.text,
            bucket=self.bucket_name,
            root=self.root,
            sha256=self.policy_sha256,
        )

    @property
    def existing_build(self) -> Build:
        """The build, of a row that is being issued or served. Rows outlive their builds."""
        if self.build is None:
            raise Build.DoesNotExist(self.root)
        return self.build
