"""What is published, and where: stores, products, builds.

Rows that were handed out as a place to write are never deleted, so that no root is given twice.
"""

from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from builds.arns import partition_of
from builds.slugs import (
    BUILD_SLUG_LENGTH,
    BUILD_SLUG_PATTERN,
    PRODUCT_SLUG_LENGTH,
    PRODUCT_SLUG_PATTERN,
)
from builds.validators import (
    validate_bucket,
    validate_build_slug,
    validate_endpoint,
    validate_kms_key_arn,
    validate_product_slug,
    validate_region,
    validate_role_arn,
)

SESSION_SECONDS_MINIMUM, SESSION_SECONDS_MAXIMUM = 900, 43_200
NEVER_REMOVED = "Builds are never removed, so that no root is given out twice."
ROOT_LENGTH = PRODUCT_SLUG_LENGTH + len("/builds/") + BUILD_SLUG_LENGTH


class Store(models.Model):
    """A bucket and the role that may write to it. The vendor's own key is never in here."""

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

    name = models.SlugField(unique=True, help_text="What products name it by.")
    bucket = models.CharField(max_length=63, validators=[validate_bucket])
    region = models.CharField(max_length=32, default="us-east-1", validators=[validate_region])
    endpoint_url = models.CharField(
        "endpoint",
        max_length=255,
        blank=True,
        validators=[validate_endpoint],
        help_text="How this service reaches S3 and STS. Empty: AWS, in the region.",
    )
    public_endpoint_url = models.CharField(
        "public endpoint",
        max_length=255,
        blank=True,
        validators=[validate_endpoint],
        help_text="What clients are told, where that differs.",
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
    acl_mode = models.CharField("ACLs", max_length=16, choices=ACLMode, default=ACLMode.NONE)
    post_support = models.CharField(
        "presigned POSTs",
        max_length=8,
        choices=PostSupport,
        default=PostSupport.UNKNOWN,
        help_text="Whether the store takes POSTs that a limited session signed; "
        "`manage.py check_isolation` finds out by storing and reading back.",
    )
    post_signer_profile = models.CharField(
        "POST-signing profile",
        max_length=64,
        blank=True,
        help_text="For stores that do not: a profile in this service's own AWS configuration "
        "with s3:PutObject on the builds and nothing else. Never the vendor's.",
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

    @property
    def partition(self) -> str:
        """The ARN partition, from the role: `aws`, `aws-cn`, `aws-us-gov`."""
        return partition_of(self.role_arn)

    @property
    def client_endpoint_url(self) -> str:
        """The endpoint that clients are told; empty for AWS."""
        return self.public_endpoint_url or self.endpoint_url


class Product(models.Model):
    """One documentation site. Slug and store are frozen once it has a build."""

    class Access(models.TextChoices):
        UPLOAD = "upload", "upload (write and list)"
        SYNC = "sync", "sync (also read and delete)"

    slug = models.CharField(
        max_length=PRODUCT_SLUG_LENGTH, unique=True, validators=[validate_product_slug]
    )
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="products")
    title = models.CharField(max_length=255, blank=True)
    doc_repo = models.CharField("documentation repository", max_length=255, blank=True)
    root_domain = models.CharField(max_length=255, blank=True)
    access = models.CharField(max_length=8, choices=Access, default=Access.UPLOAD)
    session_seconds = models.PositiveIntegerField(
        "session duration",
        null=True,
        blank=True,
        help_text="Seconds, 900 or more: the default and the longest of this product. "
        "Empty: the service's setting.",
    )
    surrogate_key = models.CharField(max_length=32, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(slug__regex=PRODUCT_SLUG_PATTERN), name="product_slug_legal"
            ),
            models.CheckConstraint(
                condition=Q(session_seconds=None) | Q(session_seconds__range=(900, 43_200)),
                name="product_session_seconds",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        longest = self.store.role_max_seconds if self.store_id else SESSION_SECONDS_MAXIMUM
        seconds = self.session_seconds
        if seconds is not None and not SESSION_SECONDS_MINIMUM <= seconds <= longest:
            message = f"Between 900 and the role's longest session, {longest} seconds."
            raise ValidationError({"session_seconds": message})

    @property
    def domain(self) -> str:
        """The host that serves this product, if its root domain is known."""
        return f"{self.slug}.{self.root_domain}" if self.root_domain else ""

    @property
    def published_url(self) -> str:
        """Where readers find it, if its root domain is known."""
        return f"https://{self.domain}" if self.domain else ""


class BuildQuerySet(models.QuerySet["Build"]):
    """Builds, read as adjectives."""

    def open(self, now: datetime) -> "BuildQuerySet":
        return self.filter(
            finished_at=None, deleted_at=None, superseded_at=None, open_until__gt=now
        )

    def closed(self, now: datetime) -> "BuildQuerySet":
        return self.exclude(
            finished_at=None, deleted_at=None, superseded_at=None, open_until__gt=now
        )

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused, as deleting one is: roots would become free."""
        raise ValidationError(NEVER_REMOVED)

    def with_store(self) -> "BuildQuerySet":
        return self.select_related("product__store")


class Build(models.Model):
    """One upload of a product. Bucket and root are copied in at registration and never change."""

    class State(models.TextChoices):
        OPEN = "open"
        EXPIRED = "expired"
        FINISHED = "finished"
        SUPERSEDED = "superseded"
        DELETED = "deleted"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="builds")
    slug = models.CharField(max_length=BUILD_SLUG_LENGTH, validators=[validate_build_slug])
    server_made = models.BooleanField("slug made here")
    bucket_name = models.CharField(max_length=63)
    root = models.CharField(max_length=ROOT_LENGTH)
    git_refs = models.JSONField(default=list)
    github_requester = models.CharField(max_length=255, blank=True)
    surrogate_key = models.CharField(max_length=32)
    registered_at = models.DateTimeField()
    open_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(
        null=True, blank=True, help_text="When the same job registered another in its place."
    )
    purged_at = models.DateTimeField(
        null=True, blank=True, help_text="When its objects were removed from the store."
    )
    object_count = models.PositiveIntegerField(null=True, blank=True)
    byte_count = models.PositiveBigIntegerField(null=True, blank=True)
    newest_object_at = models.DateTimeField(
        null=True, blank=True, help_text="When the newest of its objects was written."
    )
    counted_at = models.DateTimeField(
        null=True, blank=True, help_text="When all of its objects were counted."
    )
    survey_failure = models.CharField(
        max_length=64, blank=True, help_text="Why the objects could not be counted at finish."
    )
    written_without_session = models.BooleanField(
        default=False,
        help_text="It had objects when finished, but no session that can write was ever issued "
        "for it: other credentials wrote them.",
    )

    objects = BuildQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["product", "-id"], name="build_newest"),
            models.Index(
                fields=["open_until"],
                condition=Q(finished_at=None, deleted_at=None, superseded_at=None),
                name="build_open",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "slug"], name="build_slug_once"),
            models.UniqueConstraint(fields=["root"], name="build_root_once"),
            models.CheckConstraint(
                condition=Q(slug__regex=BUILD_SLUG_PATTERN) & ~Q(slug__in=[".", ".."]),
                name="build_slug_legal",
            ),
            models.CheckConstraint(
                condition=Q(root__endswith=F("slug")) & Q(root__contains="/builds/"),
                name="build_root_of_slug",
            ),
            models.CheckConstraint(
                condition=Q(open_until__gt=F("registered_at")), name="build_opens"
            ),
        ]

    def __str__(self) -> str:
        return self.root

    def state(self, now: datetime) -> "Build.State":
        """What can still be done with it at a moment."""
        if self.deleted_at:
            return self.State.DELETED
        if self.finished_at:
            return self.State.FINISHED
        if self.superseded_at:
            return self.State.SUPERSEDED
        return self.State.OPEN if now < self.open_until else self.State.EXPIRED

    def is_open(self, now: datetime) -> bool:
        """Whether it may still be written to."""
        return self.state(now) is self.State.OPEN

    def closed_at(self, now: datetime) -> datetime | None:
        """When it closed, or None while it is open."""
        moments = [self.deleted_at, self.finished_at, self.superseded_at, self.open_until]
        return min((moment for moment in moments if moment and moment <= now), default=None)

    def delete(self, *_args: Any, **_kwargs: Any) -> Any:
        """Refused: a deleted row would set its root free. `delete_build` marks it instead."""
        raise ValidationError(NEVER_REMOVED)
