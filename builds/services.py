"""What can be done with products and builds. Each service is one short transaction."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from builds.errors import (
    BuildClosed,
    EmptyBuild,
    ProductExists,
    SlugTaken,
    UnknownBuild,
    UnknownProduct,
    UnknownStore,
)
from builds.fixed_sql import Condition, insert
from builds.models import Build, Product, Store
from builds.names import ULID_LENGTH, build_root, is_product_slug, new_build_slug, short_ref

SURROGATE_KEY_BYTES = 16
# What is called with a build that was just closed, inside the transaction that closes it; not
# where it was closed before.
OnClosing = Callable[[Build], None]


def tell_nobody(_build: Build) -> None:
    """The `on_closing` of a build that nobody waits for."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a look at the store found below a build's root at finish.

    `object_count` and `byte_count` are None when not everything could be counted; `failure` is
    then the stable code of the reason. `has_objects` is None when the store did not say.
    `has_untyped_pages`: a page was seen that is stored as if it were no page.
    """

    object_count: int | None = None
    byte_count: int | None = None
    has_objects: bool | None = None
    has_untyped_pages: bool = False
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class ObjectCount:
    """All that lies below a build's root. `newest_object_at` is None where nothing does.

    `has_untyped_pages` as in a `Survey`.
    """

    object_count: int
    byte_count: int
    newest_object_at: datetime | None
    has_untyped_pages: bool = False


def find_product(*, slug: str) -> Product:
    """The product of a slug, with its store. Raises UnknownProduct."""
    legal = is_product_slug(slug)
    found = Product.objects.select_related("store").filter(slug=slug).first() if legal else None
    if found is None:
        raise UnknownProduct
    return found


def find_build(*, build_id: int) -> Build:
    """The build of an id, with product and store. Raises UnknownBuild."""
    if (build := Build.objects.with_store().filter(pk=build_id).first()) is None:
        raise UnknownBuild
    return build


def lock_build(*, build_id: int) -> Build:
    """The same, locked until the transaction ends. Every change of a build goes through here."""
    locked = Build.objects.with_store().select_for_update(of=("self",), no_key=True)
    if (build := locked.filter(pk=build_id).first()) is None:
        raise UnknownBuild
    return build


def create_product(
    *, slug: str, store_name: str, title: str = "", doc_repo: str = "", root_domain: str = ""
) -> Product:
    """A new product in an existing store. Raises UnknownStore, ProductExists."""
    if (store := Store.objects.filter(name=store_name).first()) is None:
        raise UnknownStore
    try:
        with transaction.atomic():
            return Product.objects.create(
                slug=slug,
                store=store,
                title=title,
                doc_repo=doc_repo,
                root_domain=root_domain,
                surrogate_key=new_surrogate_key(),
            )
    except IntegrityError as err:
        raise ProductExists from err


def register_build(
    *,
    product: Product,
    slug: str | None,
    git_refs: list[str],
    github_requester: str,
    registered_by: int,
    open_until: datetime,
    now: datetime,
    provided: Condition | None = None,
) -> Build:
    """A new build with a root that no build ever had. Raises SlugTaken, also where the condition
    does not hold.

    Without `slug` the build gets a ULID. The cost does not depend on how many builds there are:
    the database's unique index decides who is first, not a search for a free name.
    """
    if slug is not None and _is_numbered_elsewhere(product, slug):
        raise SlugTaken
    if slug is not None and continues_server_made_slug(product, slug):
        raise SlugTaken
    chosen = new_build_slug(now) if slug is None else slug
    build = Build(
        product=product,
        slug=chosen,
        server_made=slug is None,
        bucket_name=product.store.bucket,
        root=build_root(product.slug, chosen),
        git_refs=git_refs,
        git_ref=short_ref(git_refs[0]) if git_refs else None,
        github_requester=github_requester,
        surrogate_key=new_surrogate_key(),
        registered_at=now,
        registered_by=registered_by,
        open_until=open_until,
    )
    if not insert(build, unless_taken=True, provided=provided):
        raise SlugTaken
    return build


def recover_build(*, product: Product, slug: str, now: datetime) -> Build:
    """The row of a build whose own one was lost: finished, without an owner, so that its root is
    never used again and nobody writes there. No webhook is called for it.
    """
    return Build.objects.create(
        product=product,
        slug=slug,
        server_made=False,
        bucket_name=product.store.bucket,
        root=build_root(product.slug, slug),
        surrogate_key=new_surrogate_key(),
        registered_at=now,
        open_until=now + timedelta(seconds=1),
        finished_at=now,
    )


def _is_numbered_elsewhere(product: Product, slug: str) -> bool:
    """Whether an LTD Keeper, whose builds were imported, may have used the root before.

    It does not list deleted builds, so their slugs are not among the rows.
    """
    return product.imported_at is not None and slug.isdecimal()


def continues_server_made_slug(product: Product, slug: str) -> bool:
    """Whether the root of a chosen slug would lie behind a server-made root.

    Builds with a server-made slug may list their root without a slash, and `<ULID>-x` begins
    with `<ULID>`: the names below it would be shown to that other build.
    """
    head = slug[:ULID_LENGTH]
    return head != slug and product.builds.filter(slug=head, server_made=True).exists()


def finish_build(
    *,
    build_id: int,
    survey: Survey,
    empty_allowed: bool,
    written_without_session: bool,
    now: datetime,
    on_closing: OnClosing = tell_nobody,
) -> Build:
    """Close a build as complete. Finishing it again changes nothing.

    Raises BuildClosed when it was deleted or ran out of time, EmptyBuild when the store shows
    no object and that was not announced.
    """
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if build.state(now) is Build.State.FINISHED:
            return build
        if not build.is_open(now):
            raise BuildClosed(build.state(now))
        if survey.has_objects is False and not empty_allowed:
            raise EmptyBuild
        build.finished_at = _under_the_lock(now)
        build.object_count = survey.object_count
        build.byte_count = survey.byte_count
        build.survey_failure = survey.failure
        build.written_without_session = written_without_session
        build.has_untyped_pages = survey.has_untyped_pages
        build.save()
        on_closing(build)
        return build


def delete_build(*, build_id: int, now: datetime, on_closing: OnClosing = tell_nobody) -> Build:
    """Mark a build as deleted; its row and its root stay. Deleting it again changes nothing."""
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if build.deleted_at is None:
            build.deleted_at = _under_the_lock(now)
            build.save(update_fields=["deleted_at"])
            on_closing(build)
        return build


def record_count(*, build_id: int, count: ObjectCount, now: datetime) -> Build:
    """Store what all of a build's objects came to; who counts later changes nothing."""
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if build.counted_at is None:
            build.object_count = count.object_count
            build.byte_count = count.byte_count
            build.newest_object_at = count.newest_object_at
            build.has_untyped_pages |= count.has_untyped_pages
            build.counted_at = now
            build.save()
        return build


def record_purge(*, build_id: int, now: datetime) -> Build:
    """Note that a deleted build's objects are gone. Raises ValueError for one that is not."""
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if build.deleted_at is None:
            raise ValueError("only deleted builds are purged")
        if build.purged_at is None:
            build.purged_at = now
            build.save(update_fields=["purged_at"])
        return build


def release_root(*, build_id: int) -> Build:
    """Take back that another build of an LTD Keeper lies at the same root: objects there are the
    build's own, and are purged with it.
    """
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        build.root_is_shared = False
        build.save(update_fields=["root_is_shared"])
        return build


def supersede_build(*, build_id: int, now: datetime, on_closing: OnClosing = tell_nobody) -> Build:
    """Close a build because another takes its place; one that is not open stays as it is."""
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if build.is_open(now):
            build.superseded_at = _under_the_lock(now)
            build.save(update_fields=["superseded_at"])
            on_closing(build)
        return build


def close_to_uploads(*, build_id: int, now: datetime) -> bool:
    """End the time in which a build may be written to. Whether it was open."""
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if not build.is_open(now):
            return False
        # A build is open for a moment at least: a constraint.
        build.open_until = max(now, build.registered_at + timedelta(microseconds=1))
        build.save(update_fields=["open_until"])
        return True


def _under_the_lock(now: datetime) -> datetime:
    """The moment a build closes: after the wait for its lock, not when the caller asked.

    A session whose row was completed before is then seen to be older than the end of the build.
    """
    return max(now, timezone.now())


def new_surrogate_key() -> str:
    """32 hexadecimal digits that name a product or a build to a cache."""
    return secrets.token_hex(SURROGATE_KEY_BYTES)
