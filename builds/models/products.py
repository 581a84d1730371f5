"""Documentation sites."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from builds.models.stores import Store
from builds.names import PRODUCT_SLUG_LENGTH, PRODUCT_SLUG_PATTERN
from builds.validators import refuse_controls, validate_product_slug, validate_url_template

SESSION_SECONDS_MINIMUM, SESSION_SECONDS_MAXIMUM = 900, 43_200


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
    published_url_template = models.CharField(
        "address of a build",
        max_length=255,
        blank=True,
        default="",
        db_default="",
        validators=[validate_url_template],
        help_text="Where readers find a build, such as "
        "https://{product}.docs.example.org/builds/{build}/. Empty: /builds/{build} at the root "
        "domain, if there is one.",
    )
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
    imported_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When builds of an LTD Keeper came. It numbers its builds, and does not list "
        "those that were deleted: no slug of digits alone is given out since.",
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(slug__regex=PRODUCT_SLUG_PATTERN), name="product_slug_legal"
            ),
            models.CheckConstraint(
                condition=Q(session_seconds=None) | Q(session_seconds__range=(900, 43_200)),
                name="product_session_seconds",
            ),
            models.CheckConstraint(
                condition=Q(published_url_template="")
                | Q(published_url_template__startswith="https://"),
                name="product_published_with_tls",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        refuse_controls(self, "title", "doc_repo", "root_domain")
        if self.store_id and self.access == self.Access.SYNC and not self.store.with_sync:
            name = self.store.name
            message = (
                f"The store {name} is not set up for sync products. An operator sets it up with "
                f"`manage.py bootstrap_store --store {name} --with-sync --apply`."
            )
            raise ValidationError({"access": message})
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
