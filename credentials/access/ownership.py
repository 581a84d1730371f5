"""A build belongs to who registered it: to one job, or to the client through any of its keys.

Only the owner gets credentials. A job's build may be finished and deleted by the client's keys as
well, so that a job that crashed needs no operator.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from builds.errors import UnknownBuild
from builds.fixed_sql import insert, update
from builds.models import Build, BuildQuerySet, Product
from builds.services import delete_build, lock_build, register_build, supersede_build
from credentials.access.build_rights import BuildRight, right_to_build
from credentials.access.callers import Caller
from credentials.access.models import JobGrant, JobToken, Registration
from credentials.access.quotas import require_room
from credentials.access.rights import may_use
from credentials.errors import (
    JobFinished,
    NoOpenBuild,
    NotYourBuild,
    ProductNotGranted,
    SeveralOpenBuilds,
)


def register_owned_build(
    *,
    caller: Caller,
    product: Product,
    slug: str | None,
    git_refs: list[str],
    github_requester: str,
    now: datetime,
) -> Build:
    """A new build and the note of who owns it, in one transaction.

    A job's older build of the product, if it is still open, is superseded; or is the answer, if
    its slug is the one that was asked for: a retry in the same job just works. Raises SlugTaken,
    JobFinished, TooManyOpenBuilds, TooManySessions.
    """
    with transaction.atomic():
        place = _place_of_job(caller, product)
        if place and (again := _open_build_at(place, slug, now)):
            return again
        if place:
            _supersede(place, now)
        require_room(caller=caller, now=now)
        build = register_build(
            product=product,
            slug=slug,
            git_refs=git_refs,
            github_requester=github_requester,
            open_until=_open_until(caller, now),
            now=now,
        )
        registration = Registration(
            build=build,
            client=caller.client,
            job_token=caller.job_token,
            token_name=caller.token_name,
        )
        insert(registration)
        if place:
            place.current_build = build
            update(place, ("current_build",))
        return build


def _place_of_job(caller: Caller, product: Product) -> JobGrant | None:
    """Where a job notes its build of the product: locked."""
    if caller.job_token is None:
        return None
    places = JobGrant.objects.select_for_update(no_key=True)
    place = places.filter(job_token=caller.job_token, product=product).first()
    if place is None:
        raise ProductNotGranted
    return place


def _open_build_at(place: JobGrant, slug: str | None, now: datetime) -> Build | None:
    """The job's build, if it has that slug and is open. A key's builds are not looked for here:
    nothing tells whether the job that asks is the one that registered them.
    """
    if slug is None or place.current_build_id is None:
        return None
    build = lock_build(build_id=place.current_build_id)
    return build if build.slug == slug and build.is_open(now) else None


def _supersede(place: JobGrant, now: datetime) -> None:
    """Put the job's older build out of the way. Raises JobFinished."""
    if place.current_build_id:
        older = supersede_build(build_id=place.current_build_id, now=now)
        if older.finished_at:
            raise JobFinished


def _open_until(caller: Caller, now: datetime) -> datetime:
    """The end of the upload window, or of the token that was shown if that is sooner."""
    window = now + timedelta(seconds=settings.LTD_UPLOAD_WINDOW_SECONDS)
    return min(window, caller.expires_at or window)


def granted_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may see. Raises UnknownBuild, ProductNotGranted."""
    return _right(caller, build_id).build


def owned_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may write to. Raises UnknownBuild, ProductNotGranted, NotYourBuild."""
    right = _right(caller, build_id)
    if not right.owned:
        raise NotYourBuild
    return right.build


def closable_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may finish or delete. Raises as `owned_build` does."""
    right = _right(caller, build_id)
    if not right.closable:
        raise NotYourBuild
    return right.build


def _right(caller: Caller, build_id: int) -> BuildRight:
    right = right_to_build(caller=caller, build_id=build_id)
    if right is None:
        raise UnknownBuild
    if not right.granted:
        raise ProductNotGranted
    return right


def open_build(*, caller: Caller, product_slug: str | None, now: datetime) -> Build:
    """The one open build that the caller may write to, of a product or of all of them.

    Raises NoOpenBuild, JobFinished, SeveralOpenBuilds.
    """
    owned = with_rights(caller).filter(owned=True, granted=True)  # type: ignore[misc]
    if product_slug is not None:
        owned = owned.filter(product__slug=product_slug)
    found = list(owned.open(now).order_by("-pk")[:2])
    if len(found) > 1:
        raise SeveralOpenBuilds
    if not found:
        is_spent = caller.job_token and owned.exclude(finished_at=None).exists()
        raise JobFinished if is_spent else NoOpenBuild
    return found[0]


def owned_registrations(caller: Caller) -> Q:
    """Which registrations make their build the caller's to write to."""
    return Q(client=caller.client, job_token=caller.job_token)


def closable_registrations(caller: Caller) -> Q:
    """Which registrations make their build the caller's to finish or delete."""
    if caller.job_token:
        return owned_registrations(caller)
    return Q(client=caller.client)


def with_rights(caller: Caller) -> BuildQuerySet:
    """Builds annotated with the caller's rights to each: `granted`, `owned`, `closable`."""
    registrations = Registration.objects.filter(build=OuterRef("pk"))
    return Build.objects.with_store().annotate(
        granted=_truth(may_use(caller, OuterRef("product"))),
        owned=Exists(registrations.filter(owned_registrations(caller))),
        closable=Exists(registrations.filter(closable_registrations(caller))),
    )


def _truth(condition: Q) -> "ExpressionWrapper[Any]":
    return ExpressionWrapper(condition, output_field=BooleanField())


def delete_owned_build(*, caller: Caller, build_id: int, now: datetime) -> Build:
    """Mark a build as deleted. Raises as `closable_build` does, and JobFinished.

    A job that has finished its build of the product deletes none there any more: what it
    published is for the client's keys to delete. Looked at under the lock that finishing takes.
    """
    closable_build(caller=caller, build_id=build_id)
    if caller.job_token is None:
        return delete_build(build_id=build_id, now=now)
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if _is_spent(caller.job_token, build.product):
            raise JobFinished
        return delete_build(build_id=build_id, now=now)


def _is_spent(job_token: JobToken, product: Product) -> bool:
    """Whether the job finished its build of the product."""
    places = JobGrant.objects.filter(job_token=job_token, product=product)
    return places.exclude(current_build__finished_at=None).exists()
