"""The tokens of CI jobs: one job, the products it asked for, some hours."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from builds.models import Build, Product
from credentials.access.models.clients import Client
from credentials.access.models.keys import ApiKey
from credentials.access.models.publishers import TrustedPublisher

IDENTITY_LENGTH = 255


class JobToken(models.Model):
    """What one CI job holds, of which only the SHA-256 is here. Ending it is final.

    It came from an API key or from a trusted publisher, and dies with what it came from.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="job_tokens")
    api_key = models.ForeignKey(
        ApiKey, null=True, on_delete=models.PROTECT, related_name="job_tokens"
    )
    publisher = models.ForeignKey(
        TrustedPublisher, null=True, on_delete=models.PROTECT, related_name="job_tokens"
    )
    products = models.ManyToManyField(Product, through="JobGrant", related_name="+")
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
        indexes: ClassVar = [models.Index(fields=["secret_sha256"], name="job_token_by_secret")]
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


class JobGrant(models.Model):
    """A product that a job token opens, and the build that the job is at there.

    The row is what two registrations at once wait for: a job has one open build per product.
    """

    job_token = models.ForeignKey(JobToken, on_delete=models.PROTECT, related_name="grants")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    current_build = models.OneToOneField(
        Build, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job_token", "product"], name="job_grant_once")
        ]

    def __str__(self) -> str:
        return f"{self.job_token} opens {self.product}"
