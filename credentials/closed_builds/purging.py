"""Remove the objects of deleted builds from their store. The rows stay, and so do the roots' names.

Objects are deleted one by one: Ceph refuses `DeleteObjects` to sessions whose policy is limited to
a prefix.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.utils import timezone

from builds.models import Build, BuildQuerySet, Store
from builds.services import record_purge
from credentials.access.origins import Origin
from credentials.closed_builds.sessions import issue_inside_session
from credentials.closed_builds.walking import Outcome, each_build
from credentials.errors import ObjectsRemain, SessionsAlive
from credentials.issuing import VendedSession
from credentials.listing import listed_objects
from credentials.models import Delivery, IssuedSession
from credentials.session_clients import patient_s3_client

INSIDE = Origin(agent="ltdkeeper purge_builds")
# Sessions for this live 900 s: as many single deletes as fit in that on a slow store.
A_SESSION_S_WORK = 5000


def purgeable_builds(*, deleted_before: datetime, store: Store | None) -> BuildQuerySet:
    """Builds that were deleted before a moment and have objects still, which are theirs alone."""
    builds = Build.objects.filter(
        deleted_at__lt=deleted_before, purged_at=None, root_is_shared=False
    )
    return builds.filter(product__store=store) if store else builds


def left_builds(*, deleted_before: datetime, store: Store | None) -> Iterator[Outcome]:
    """Those that are left since another build has objects at their root, each with its reason."""
    builds = Build.objects.filter(
        deleted_at__lt=deleted_before, purged_at=None, root_is_shared=True
    )
    for build in (builds.filter(product__store=store) if store else builds).order_by("pk"):
        yield Outcome(build=build.pk, root=build.root, left="root_is_shared")


def purge_builds(builds: BuildQuerySet, *, apply: bool) -> Iterator[Outcome]:
    """Remove what lies in each of them, or, without `apply`, only count it."""
    return each_build(builds, purge_build if apply else weigh_build)


def weigh_build(build: Build) -> Outcome:
    """What purging would remove; nothing is changed. Raises as `purge_build` does."""
    _require_no_live_session(build)
    return _add_up(build, _objects(build))


def purge_build(build: Build) -> Outcome:
    """Remove all that lies at and below the root of a deleted build, then note when.

    Safe to repeat after it stopped half-way. Raises SessionsAlive, ObjectsRemain, and what
    `issue_inside_session` and `listed_objects` raise.
    """
    _require_no_live_session(build)
    total, first = _add_up(build, ()), ""
    while part := list(islice(_objects(build), A_SESSION_S_WORK)):
        if part[0]["Key"] == first:
            raise ObjectsRemain
        first = part[0]["Key"]
        _remove(build, [entry["Key"] for entry in part])
        total = _add_up(build, part, total)
    _remove(build, [build.root])  # old uploaders put an object there; it is no part of a listing
    record_purge(build_id=build.pk, now=timezone.now())
    return total


def _require_no_live_session(build: Build) -> None:
    """What a session writes after the purge would stay for ever."""
    if IssuedSession.objects.for_build(build).writing().active(timezone.now()).exists():
        raise SessionsAlive


def _objects(build: Build) -> Iterator[Any]:
    return listed_objects(patient_s3_client(_session(build, Delivery.LIST)), build)


def _remove(build: Build, keys: list[str]) -> None:
    s3 = patient_s3_client(_session(build, Delivery.CLEAN))
    for key in keys:
        s3.delete_object(Bucket=build.bucket_name, Key=key)


def _session(build: Build, delivery: Delivery) -> VendedSession:
    return issue_inside_session(
        build_id=build.pk, delivery=delivery, origin=INSIDE, now=timezone.now()
    )


def _add_up(build: Build, entries: Iterable[Any], before: Outcome | None = None) -> Outcome:
    objects, size = (before.objects, before.bytes) if before else (0, 0)
    for entry in entries:
        objects += 1
        size += entry["Size"]
    return Outcome(build=build.pk, root=build.root, objects=objects, bytes=size)
