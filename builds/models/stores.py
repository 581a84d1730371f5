"""Where builds go: a bucket and the role that may write to it."""

from collections.abc import Collection
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from builds.names import partition_of
from builds.validators import (
    validate_bucket,
    validate_endpoint,
    validate_kms_key_arn,
    validate_region,
    validate_role_arn,
)


class Store(models.Model):
    """A bucket and the role that may write to it. The vendor's own key is never in here."""

    # What a verdict on it is about.
    ENDPOINT_FIELDS = ("bucket", "endpoint_url", "role_arn")

    class Addressing(models.TextChoices):
        AUTO = "auto", "automatic"
        PATH = "path", "path (endpoint/bucket/key)"
        VIRTUAL = "virtual", "virtual host (bucket.endpoint/key)"

    class ACLMode(models.TextChoices):
        NONE = "none", "none (new buckets refuse ACLs)"
        PUBLIC_READ = "public-read", "public-read on presigned POSTs"

    class PostSupport(models.TextChoices):
        UNKNOWN = "unknown", "not known yet"
        WORKS = "works", "taken"
        BROKEN = "broken", "not taken"

    name = models.SlugField(unique=True, help_text="Products refer to it by this name.")
    bucket = models.CharField(max_length=63, validators=[validate_bucket])
    region = models.CharField(max_length=32, default="us-east-1", validators=[validate_region])
    endpoint_url = models.CharField(
        "endpoint",
        max_length=255,
        blank=True,
        validators=[validate_endpoint],
        help_text="The endpoint this service uses for S3 and STS. Empty: AWS, in the region.",
    )
    public_endpoint_url = models.CharField(
        "public endpoint",
        max_length=255,
        blank=True,
        validators=[validate_endpoint],
        help_text="The endpoint returned to clients, if different.",
    )
    role_arn = models.CharField("upload role ARN", max_length=255, validators=[validate_role_arn])
    role_max_seconds = models.PositiveIntegerField(
        "role's longest session",
        default=3600,
        validators=[MinValueValidator(1800), MaxValueValidator(43_200)],
        help_text="Seconds, the role's MaxSessionDuration. AWS allows no more than 3600 where "
        "this service itself runs under a role.",
    )
    external_id = models.CharField(max_length=255, blank=True)
    kms_key_arn = models.CharField(
        "KMS key ARN", max_length=255, blank=True, validators=[validate_kms_key_arn]
    )
    addressing = models.CharField(max_length=8, choices=Addressing, default=Addressing.AUTO)
    with_sync = models.BooleanField(
        "sync products",
        default=False,
        db_default=False,
        help_text="Whether its products may have sync access: only then does the upload role "
        "need to read objects. `manage.py bootstrap_store --with-sync --apply` grants "
        "the role that right and ticks this.",
    )
    acl_mode = models.CharField("ACLs", max_length=16, choices=ACLMode, default=ACLMode.NONE)
    post_support = models.CharField(
        "presigned POSTs",
        max_length=8,
        choices=PostSupport,
        default=PostSupport.UNKNOWN,
        help_text="Whether the store accepts POSTs signed by a limited session; `manage.py "
        "check_isolation` finds out by storing an object and reading it back.",
    )
    post_signer_profile = models.CharField(
        "POST-signing profile",
        max_length=64,
        blank=True,
        help_text="For stores that do not: a profile in this service's AWS configuration with "
        "s3:PutObject on the builds and nothing else. Never the vendor's.",
    )
    complete_in = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The database that is known to have all of its builds, by its identity.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(role_max_seconds__range=(1800, 43_200)), name="store_role_max_seconds"
            ),
            models.CheckConstraint(condition=~Q(bucket=""), name="store_bucket_named"),
            models.CheckConstraint(
                condition=Q(role_arn__startswith="arn:aws"), name="store_role_arn"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.with_sync or self.pk is None:
            return
        if slugs := list(self.products.filter(access="sync").values_list("slug", flat=True)[:5]):
            message = (
                f"Products of this store have sync access: {', '.join(slugs)}. Set their access to "
                "upload first."
            )
            raise ValidationError({"with_sync": message})

    def forget_what_was_tried(self, changed: Collection[str]) -> None:
        """A store that is another one now has not shown yet what it takes."""
        if set(changed) & set(self.ENDPOINT_FIELDS) and "post_support" not in changed:
            self.post_support = self.PostSupport.UNKNOWN

    @property
    def partition(self) -> str:
        """The ARN partition, from the role: `aws`, `aws-cn`, `aws-us-gov`."""
        return partition_of(self.role_arn)

    @property
    def client_endpoint_url(self) -> str:
        """The endpoint that clients are told; empty for AWS."""
        return self.public_endpoint_url or self.endpoint_url
