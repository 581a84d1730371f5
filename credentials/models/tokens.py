"""API keys, the access tokens and job tokens that come from them, and who owns a build."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from builds.models import Build, Product
from credentials.models.clients import Client
from credentials.models.publishers import TrustedPublisher
from credentials.models.validators import validate_networks
from credentials.rules.ci_jobs import FACT_LENGTH, run_address

EXPIRES_SOON = timedelta(days=14)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: datetime) -> "ApiKeyQuerySet":
        alive = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(alive, revoked_at=None, client__is_active=True)

    def expiring(self, now: datetime) -> "ApiKeyQuerySet":
        """Those that are to be replaced."""
        return self.usable(now).filter(expires_at__lt=now + EXPIRES_SOON)


class ApiKey(models.Model):
    """A client's long-lived secret, of which only the SHA-256 is here. Revoking is final."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="api_keys")
    label = models.CharField(max_length=64, blank=True, help_text="Where it is used.")
    public_id = models.CharField(max_length=12, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty: never. The audit names keys without an expiry."
    )
    all_products = models.BooleanField(
        default=True,
        help_text="Ticked: all products of the client. Unticked: only those named below, of "
        "those the client is granted.",
    )
    products = models.ManyToManyField(Product, related_name="+", blank=True)
    networks = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_networks],
        help_text='A list of networks such as ["192.0.2.0/24", "2001:db8::/32"]: the key, and '
        "every token requested with it, is accepted from there only. Empty: from "
        "everywhere.",
    )
    last_used_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Right to the minute."
    )
    revoked_at = models.DateTimeField(
        db_column="withdrawn_at", null=True, blank=True, editable=False
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        indexes: ClassVar = [models.Index(fields=["secret_sha256"], name="api_key_by_secret")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(secret_sha256__regex=r"^[0-9a-f]{64}\Z"),  # noqa: S106 - a pattern
                name="api_key_hashed",
            )
        ]

    def __str__(self) -> str:
        return self.token_name

    @property
    def token_name(self) -> str:
        """What the ledger calls it: enough to find it, nothing to use it."""
        return f"ltdk_{self.public_id}"

    def is_usable(self, now: datetime) -> bool:
        """Whether it opens anything at a moment, its client aside."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class AccessToken(models.Model):
    """What `GET /token` gives for an API key: the key's rights and ownership, for hours."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="sessions")
    public_id = models.CharField(max_length=12, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "credentials_keysession"
        indexes: ClassVar = [models.Index(fields=["secret_sha256"], name="key_session_by_secret")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="key_session_expires"
            )
        ]

    def __str__(self) -> str:
        return self.token_name

    @property
    def token_name(self) -> str:
        """What the ledger calls it."""
        return f"ltds_{self.public_id}"


IDENTITY_LENGTH = 255


class JobToken(models.Model):
    """What one CI job holds, of which only the SHA-256 is here. Ending it is final.

    It came from an API key, perhaps through an access token, or from a trusted publisher, and dies
    with what it came from.
    """

    client = models.ForeignKey(
        Client, on_delete=models.PROTECT, related_name="job_tokens", db_index=False
    )
    api_key = models.ForeignKey(
        ApiKey, null=True, on_delete=models.PROTECT, related_name="job_tokens"
    )
    publisher = models.ForeignKey(
        TrustedPublisher, null=True, on_delete=models.PROTECT, related_name="job_tokens"
    )
    products = models.ManyToManyField(Product, through="JobProduct", related_name="+")
    requested_with = models.CharField(
        "access token",
        max_length=12,
        blank=True,
        default="",
        db_default="",
        help_text="The public id of the access token that asked for it, with which it ends.",
    )
    identity = models.CharField(
        max_length=IDENTITY_LENGTH,
        blank=True,
        help_text="What the CI provider called the job, for people; nothing is decided by it.",
    )
    public_id = models.CharField(max_length=12, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["secret_sha256"], name="job_token_by_secret"),
            models.Index(fields=["client", "-id"], name="job_token_of_client"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="job_token_expires"
            ),
            models.CheckConstraint(
                condition=Q(api_key=None) ^ Q(publisher=None), name="job_token_has_one_origin"
            ),
        ]

    def __str__(self) -> str:
        return self.token_name

    @property
    def token_name(self) -> str:
        """What the ledger calls it."""
        return f"ltdj_{self.public_id}"

    def is_usable(self, now: datetime) -> bool:
        """Whether it opens anything at a moment; client, key and publisher aside."""
        return self.ended_at is None and now < self.expires_at


class JobProduct(models.Model):
    """A product that a job token opens, and the build that the job is at there.

    The row is what two registrations at once wait for: a job has one open build per product.
    """

    job_token = models.ForeignKey(JobToken, on_delete=models.PROTECT, related_name="grants")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    current_build = models.OneToOneField(
        Build, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        db_table = "credentials_jobgrant"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job_token", "product"], name="job_grant_once")
        ]

    def __str__(self) -> str:
        return f"{self.job_token} opens {self.product}"


class CiJob(models.Model):
    """The job that a job token was made for, for people to find; nothing is decided by it.

    Signed claims alone are in here: job tokens of API keys have no such row. Empty: not signed.
    """

    job_token = models.OneToOneField(
        JobToken, primary_key=True, on_delete=models.CASCADE, related_name="ci_job"
    )
    repository = models.CharField(max_length=FACT_LENGTH, blank=True)
    workflow = models.CharField(max_length=FACT_LENGTH, blank=True)
    run_id = models.CharField("run id", max_length=FACT_LENGTH, blank=True)
    run_number = models.CharField(max_length=FACT_LENGTH, blank=True)
    job_id = models.CharField("job id", max_length=FACT_LENGTH, blank=True)
    commit = models.CharField(max_length=FACT_LENGTH, blank=True)
    ref = models.CharField("branch or tag", max_length=FACT_LENGTH, blank=True)

    class Meta:
        verbose_name = "CI job"
        ordering: ClassVar = ["-job_token"]
        indexes: ClassVar = [
            models.Index(fields=["repository", "-job_token"], name="ci_job_repository"),
            models.Index(fields=["workflow", "-job_token"], name="ci_job_workflow"),
            models.Index(fields=["run_id", "-job_token"], name="ci_job_run_id"),
            models.Index(fields=["run_number", "-job_token"], name="ci_job_run_number"),
            models.Index(fields=["job_id", "-job_token"], name="ci_job_job_id"),
            models.Index(fields=["commit", "-job_token"], name="ci_job_commit"),
        ]

    def __str__(self) -> str:
        run = self.run_id or self.run_number or self.job_id
        return " ".join(word for word in (self.repository, self.workflow, run) if word)

    @property
    def address(self) -> str:
        """The https address of its run at the provider; empty where that is not known."""
        publisher = self.job_token.publisher
        if publisher is None:
            return ""
        return run_address(
            kind=publisher.kind,
            issuer=publisher.issuer.issuer,
            repository=self.repository,
            workflow=self.workflow,
            run_id=self.run_id,
            run_number=self.run_number,
        )


class BuildOwner(models.Model):
    """A build and its owner: one job, or, without a job token, all the client's keys."""

    build = models.OneToOneField(Build, on_delete=models.PROTECT, related_name="registration")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="registrations")
    job_token = models.ForeignKey(
        JobToken, null=True, on_delete=models.PROTECT, related_name="registrations"
    )
    token_name = models.CharField(max_length=64)

    class Meta:
        db_table = "credentials_registration"

    def __str__(self) -> str:
        return f"{self.build_id} by {self.token_name}"
