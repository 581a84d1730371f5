"""Registering builds, each with its owner, and deleting them, with an event for webhooks."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from builds.errors import SlugTaken
from builds.fixed_sql import commit_with_next, insert, update
from builds.models import Build, Product
from builds.services import delete_build, lock_build, register_build, supersede_build
from credentials.access.callers import Caller
from credentials.access.quotas import build_quota, check_build_quota
from credentials.access.rights import deletable_build, is_spent
from credentials.errors import (
    InvalidCredentials,
    JobFinished,
    ProductNotGranted,
    TooManyOpenBuilds,
)
from credentials.models import BuildOwner, EventKind, JobProduct, record_build_event


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

    A job's older build of the product, if it is still open, is superseded; or is returned, if
    its slug is the one that was asked for: a retry in the same job just works. Raises SlugTaken,
    JobFinished, TooManyOpenBuilds, TooManySessions.
    """
    with transaction.atomic():
        place = _place_of_job(caller, product)
        if place and (again := _open_build_at(place, slug, now)):
            return again
        if place:
            _supersede(place, now)
        build = _register(
            caller,
            now,
            product=product,
            slug=slug,
            git_refs=git_refs,
            github_requester=github_requester,
        )
        owner = {"client": caller.client, "job_token": caller.job_token}
        insert(BuildOwner(build=build, token_name=caller.token_name, **owner))
        if place:
            place.current_build = build
            update(place, ("current_build",))
        commit_with_next()
        record_build_event(EventKind.BUILD_REGISTERED, build, now=now)
        return build


def _register(caller: Caller, now: datetime, *, is_again: bool = False, **build: Any) -> Build:
    """A build, if there is room. Raises as `check_build_quota` and `register_build` do.

    Where there is room only at the second look, another build may have ended in between: it is
    tried once more. A slug that the service makes is never taken, so then there is no room.
    """
    try:
        return register_build(
            **build,
            registered_by=caller.client.pk,
            open_until=_open_until(caller, now),
            now=now,
            provided=build_quota(caller=caller, now=now),
        )
    except SlugTaken:
        check_build_quota(caller=caller, now=now)
        if is_again and build["slug"] is None:
            raise TooManyOpenBuilds from None
        if is_again:
            raise
        return _register(caller, now, is_again=True, **build)


def _place_of_job(caller: Caller, product: Product) -> JobProduct | None:
    """Where a job notes its build of the product: locked."""
    if caller.job_token is None:
        return None
    places = JobProduct.objects.select_for_update(no_key=True)
    place = places.filter(job_token=caller.job_token, product=product).first()
    if place is None:
        raise ProductNotGranted
    return place


def _open_build_at(place: JobProduct, slug: str | None, now: datetime) -> Build | None:
    """The job's build, if it has that slug and is open. A key's builds are not looked for here:
    nothing tells whether the job that asks is the one that registered them.
    """
    if slug is None or place.current_build_id is None:
        return None
    build = lock_build(build_id=place.current_build_id)
    return build if build.slug == slug and build.is_open(now) else None


def _supersede(place: JobProduct, now: datetime) -> None:
    """Put the job's older build out of the way. Raises JobFinished."""
    if place.current_build_id:
        older = supersede_build(
            build_id=place.current_build_id,
            now=now,
            on_closing=partial(record_build_event, EventKind.BUILD_SUPERSEDED, now=now),
        )
        if older.finished_at:
            raise JobFinished


def _open_until(caller: Caller, now: datetime) -> datetime:
    """The end of the upload window, or of the token that was shown if that is sooner.

    Raises InvalidCredentials for a token that ended while the request was under way.
    """
    if caller.has_ended(now):
        raise InvalidCredentials
    window = now + timedelta(seconds=settings.LTD_UPLOAD_WINDOW_SECONDS)
    return min(window, caller.expires_at or window)


def delete_owned_build(*, caller: Caller, build_id: int, now: datetime) -> Build:
    """Mark a build as deleted. Raises as `deletable_build` does, and JobFinished.

    A job whose token came from a key, and that has finished its build of the product, deletes none
    there any more: what it published is for the client's keys to delete. Looked at under the lock
    that finishing takes. With a trusted publisher, another job of the same one could delete it.
    """
    deletable_build(caller=caller, build_id=build_id)
    if caller.job_token is None or caller.publisher:
        return delete_registered_build(build_id=build_id, now=now)
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if is_spent(caller.job_token, product=build.product):
            raise JobFinished
        return delete_registered_build(build_id=build_id, now=now)


def delete_registered_build(*, build_id: int, now: datetime) -> Build:
    """Mark a build as deleted, whoever owns it."""
    told = partial(record_build_event, EventKind.BUILD_DELETED, now=now)
    return delete_build(build_id=build_id, now=now, on_closing=told)
