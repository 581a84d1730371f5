"""Uploads of a product.

Rows whose root was given to an uploader are never deleted, so that no root is used twice.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from builds.models.products import Product
from builds.names import (
    BUILD_SLUG_LENGTH,
    BUILD_SLUG_PATTERN,
    GIT_REF_LENGTH,
    PRODUCT_SLUG_LENGTH,
    fill_url_template,
    short_ref,
)
from builds.validators import validate_build_slug

FOREIGN = (
    "The build has objects, but no session that can write was ever issued for it: other "
    "credentials wrote them, most likely static keys in the uploader's environment."
)
UNTYPED = (
    "Pages (.html) are stored as application/octet-stream, so browsers download them instead of "
    "showing them. Let the uploader set content types, and upload a new build."
)
# Codes of a survey that did see the store.
LOOKED = ("", "more_than_one_page")
# After that long, an upload that takes minutes, or a count that is due every hour, is late.
LATE_AFTER = timedelta(hours=3)
# The few builds of which something is wrong, or may become so.
UNSETTLED = Q(deleted_at=None) & (
    Q(finished_at=None, superseded_at=None)
    | Q(finished_at__isnull=False, counted_at=None)
    | Q(written_without_session=True)
)
NEVER_REMOVED = "Builds are never removed, so that no root is used twice."
ROOT_LENGTH = PRODUCT_SLUG_LENGTH + len("/builds/") + BUILD_SLUG_LENGTH


class BuildQuerySet(models.QuerySet["Build"]):
    def in_state(self, state: "Build.State", now: datetime) -> "BuildQuerySet":
        """The rows that `Build.state` calls so at a moment."""
        states = Build.State
        kept = Q(deleted_at=None)
        unfinished = kept & Q(finished_at=None)
        condition = {
            states.OPEN: unfinished & Q(superseded_at=None, open_until__gt=now),
            states.EXPIRED: unfinished & Q(superseded_at=None, open_until__lte=now),
            states.FINISHED: kept & Q(finished_at__isnull=False),
            states.SUPERSEDED: unfinished & Q(superseded_at__isnull=False),
            states.DELETED: Q(deleted_at__isnull=False),
        }[state]
        return self.filter(condition)

    def open(self, now: datetime) -> "BuildQuerySet":
        return self.in_state(Build.State.OPEN, now)

    def expired(self, now: datetime) -> "BuildQuerySet":
        """Those whose time ran out before anybody finished them."""
        return self.in_state(Build.State.EXPIRED, now)

    def search(
        self,
        *,
        now: datetime,
        git_ref: str = "",
        state: str = "",
        registered_before: datetime | None = None,
    ) -> "BuildQuerySet":
        """Those that match all that is given; `git_ref` with or without refs/heads/."""
        found = self.in_state(Build.State(state), now) if state else self
        if git_ref:
            found = found.filter(git_ref=short_ref(git_ref))
        return found.filter(registered_at__lt=registered_before) if registered_before else found

    def uncounted(self) -> "BuildQuerySet":
        """Finished, and not all of their objects were counted."""
        return self.filter(finished_at__isnull=False, deleted_at=None, counted_at=None)

    def foreign(self) -> "BuildQuerySet":
        """Those that something else than a session wrote, until they are deleted."""
        return self.filter(written_without_session=True, deleted_at=None)

    def unsettled(self) -> "BuildQuerySet":
        """Those among which all that need attention are, in the order of an index."""
        return self.filter(UNSETTLED).order_by("-pk")

    def needing_attention(self, now: datetime) -> "BuildQuerySet":
        """Those that have `Build.concerns`."""
        unfinished, late = Q(finished_at=None, superseded_at=None), now - LATE_AFTER
        return self.filter(
            unfinished & (Q(open_until__lte=now) | Q(registered_at__lt=late))
            | Q(finished_at__lt=late, counted_at=None)
            | Q(written_without_session=True),
            UNSETTLED,
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
        EXPIRED = "expired", "expired unfinished"
        FINISHED = "finished"
        SUPERSEDED = "superseded"
        DELETED = "deleted"

    class Concern(models.TextChoices):
        EXPIRED = "expired", "expired unfinished"
        OPEN = "open", f"open for more than {LATE_AFTER // timedelta(hours=1)} hours"
        UNCOUNTED = "uncounted", "finished, not counted"
        FOREIGN = "foreign", "written without a session"

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="builds")
    slug = models.CharField(max_length=BUILD_SLUG_LENGTH, validators=[validate_build_slug])
    server_made = models.BooleanField("slug made here")
    bucket_name = models.CharField(max_length=63)
    root = models.CharField(max_length=ROOT_LENGTH)
    git_refs = models.JSONField(default=list)
    git_ref = models.CharField(  # noqa: DJ001 - NULL keeps rows without one out of the index
        max_length=GIT_REF_LENGTH,
        null=True,
        editable=False,
        help_text="The first of them without refs/heads/ or refs/tags/, to find builds by.",
    )
    github_requester = models.CharField(max_length=255, blank=True)
    surrogate_key = models.CharField(max_length=32)
    registered_at = models.DateTimeField()
    registered_by = models.PositiveBigIntegerField(
        null=True,
        editable=False,
        help_text="The number of its client: the open builds of one are counted by index.",
    )
    open_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(
        null=True, blank=True, help_text="When the same job registered another in its place."
    )
    root_is_shared = models.BooleanField(
        default=False,
        help_text="Another build of an LTD Keeper lies at the same root: its objects are not "
        "purged with those of this one.",
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

    has_untyped_pages = models.BooleanField(
        default=False,
        db_default=False,
        help_text="A page (.html) was seen that is stored as application/octet-stream: browsers "
        "download it.",
    )

    objects = BuildQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["product", "-id"], name="build_newest"),
            models.Index(fields=["slug", "-id"], name="build_by_slug"),
            models.Index(
                fields=["git_ref", "-id"],
                condition=Q(git_ref__isnull=False),
                name="build_by_git_ref",
            ),
            models.Index(
                fields=["open_until"],
                condition=Q(finished_at=None, deleted_at=None, superseded_at=None),
                name="build_open",
            ),
            models.Index(
                fields=["registered_by", "open_until"],
                condition=Q(finished_at=None, deleted_at=None, superseded_at=None),
                name="build_open_by",
            ),
            models.Index(
                fields=["-id"],
                condition=Q(finished_at=None, deleted_at=None, superseded_at=None),
                name="build_unfinished",
            ),
            models.Index(
                fields=["-id"],
                condition=Q(finished_at__isnull=False, deleted_at=None, counted_at=None),
                name="build_uncounted",
            ),
            models.Index(
                fields=["-id"],
                condition=Q(written_without_session=True, deleted_at=None),
                name="build_foreign",
            ),
            models.Index(fields=["-id"], condition=UNSETTLED, name="build_unsettled"),
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

    def concerns(self, now: datetime) -> "list[Build.Concern]":
        """Why it needs attention at a moment; nothing of a build that was deleted."""
        state, late, concern = self.state(now), now - LATE_AFTER, self.Concern
        is_late = self.finished_at is not None and self.finished_at < late
        found = {
            concern.EXPIRED: state is self.State.EXPIRED,
            concern.OPEN: state is self.State.OPEN and self.registered_at < late,
            concern.UNCOUNTED: is_late and self.counted_at is None,
            concern.FOREIGN: self.written_without_session,
        }
        is_deleted = state is self.State.DELETED
        return [] if is_deleted else [each for each, holds in found.items() if holds]

    def is_open(self, now: datetime) -> bool:
        return self.state(now) is self.State.OPEN

    @property
    def warning(self) -> str:
        """What its uploader should know, in sentences; empty: nothing."""
        unseen = self.survey_failure not in LOOKED and self.counted_at is None
        told = (
            f"The store could not be read ({self.survey_failure}), so it is unknown whether the "
            "upload arrived."
            if unseen
            else "",
            FOREIGN if self.written_without_session else "",
            UNTYPED if self.has_untyped_pages else "",
        )
        return " ".join(sentence for sentence in told if sentence)

    @property
    def published_url(self) -> str:
        """Where readers find it, if its product says so."""
        product = self.product
        if template := product.published_url_template:
            return fill_url_template(template, product_slug=product.slug, build_slug=self.slug)
        return f"{product.published_url}/builds/{self.slug}" if product.domain else ""

    def closed_at(self, now: datetime) -> datetime | None:
        moments = [self.deleted_at, self.finished_at, self.superseded_at, self.open_until]
        return min((moment for moment in moments if moment and moment <= now), default=None)

    def delete(self, *_args: Any, **_kwargs: Any) -> Any:
        """Refused: a deleted row would set its root free. `delete_build` marks it instead."""
        raise ValidationError(NEVER_REMOVED)
