"""Remove the objects of deleted builds from their store. The rows stay, and so do the roots' names.

Objects are deleted one by one: Ceph refuses `DeleteObjects` to sessions whose policy is limited to
a prefix.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from threading import Event
from typing import Any

import boto3
import structlog
from botocore.exceptions import ClientError
from django.utils import timezone

from builds.errors import DomainError
from builds.fixed_sql import Condition, fetch, locking
from builds.models import Build, BuildQuerySet, Store
from builds.services import ObjectCount, find_build, record_count, record_purge
from credentials.access.callers import Origin
from credentials.errors import BuildInUse, ListingUnusable, ObjectsRemain, SessionsAlive, StsError
from credentials.models import Delivery, IssuedSession
from credentials.vending.finishing import Types, look_at_types, pages_to_look_at
from credentials.vending.issuing import VendedSession, plan_session, request_session, s3_client
from credentials.vending.listing import listed_objects
from credentials.vending.store_clients import UNATTENDED, store_client
from credentials.vending.store_errors import CALL_FAILED, UNREADABLE, error_code, loggable

# Sessions for the service's own work on closed builds: to count what is there, to clean up.
#
# They are no weaker way to a session that writes: only the policies that list or delete are made
# here, and only for builds that nobody may have credentials for any more. Each has its ledger
# row, like every other.


# Deleting is final, and so is finishing: neither ever gives a build back to its owner.
BUILD_WITH = "SELECT 1 FROM builds_build b WHERE b.id = %(build)s AND"
CLOSED = {
    # A run of hours must heed what an import finds meanwhile.
    Delivery.CLEAN: f"{BUILD_WITH} b.deleted_at IS NOT NULL AND NOT b.root_is_shared",
    Delivery.LIST: f"{BUILD_WITH} (b.deleted_at IS NOT NULL OR b.finished_at IS NOT NULL)",
}


def issue_internal_session(
    *, build_id: int, delivery: Delivery, origin: Origin, now: datetime
) -> VendedSession:
    """A session that may list a finished or deleted build, or clean a deleted one.

    `delivery` is LIST or CLEAN, else ValueError. The session is nobody's: it counts for no client.
    Raises UnknownBuild, BuildInUse, ScopeChanged, PolicyTooLarge, an StsError, SessionWithheld.
    """
    if delivery not in {Delivery.LIST, Delivery.CLEAN}:
        raise ValueError("only sessions that list or clean are issued for closed builds")
    build = find_build(build_id=build_id)
    right = Condition(CLOSED[delivery] + locking("b"), {"build": build_id})
    if fetch(CLOSED[delivery], right.parameters) is None:
        raise BuildInUse
    plan = plan_session(caller=None, build=build, delivery=delivery, now=now)
    return request_session(plan.row(None, origin, now), right=lambda **_now: right)


# Do something with many builds: what fails is told, and the rest goes on.

AT_A_TIME = 100
# Counting mostly waits, for STS and for the store.
COUNTED_AT_ONCE = 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one build. `failure` is a stable code, empty when it went well. `left` is
    the code of why nothing was done with it, which is no failure. `types` is what a look at its
    pages showed (see `credentials.vending.finishing.Types`), empty when there was none.
    """

    build: int
    root: str
    objects: int = 0
    bytes: int = 0
    failure: str = ""
    left: str = ""
    types: str = ""


def each_build(builds: BuildQuerySet, act: Callable[[Build], Outcome]) -> Iterator[Outcome]:
    """The outcomes of `act`, oldest build first, in memory that does not grow with them.

    A store that gives no sessions is not asked again: its builds fail with the same code.
    """
    without: dict[int, str] = {}
    for page in _pages(builds):
        yield from map(partial(_outcome, act, without), page)


def a_few_at_once(
    builds: BuildQuerySet, act: Callable[[Build, Event], Outcome]
) -> Iterator[Outcome]:
    """The same, each in a thread of its own, which keeps its connection to the database for the
    next one. Once the event is set, nobody waits for outcomes.
    """
    without: dict[int, str] = {}
    is_over = Event()

    def in_thread(build: Build) -> Outcome:
        return _outcome(lambda each: act(each, is_over), without, build)

    with ThreadPoolExecutor(COUNTED_AT_ONCE) as threads:
        try:
            for page in _pages(builds):
                yield from threads.map(in_thread, page)
        finally:
            is_over.set()


def _pages(builds: BuildQuerySet) -> Iterator[list[Build]]:
    last = 0
    ordered = builds.with_store().order_by("pk")
    while page := list(ordered.filter(pk__gt=last)[:AT_A_TIME]):
        yield page
        last = page[-1].pk


def _outcome(act: Callable[[Build], Outcome], without: dict[int, str], build: Build) -> Outcome:
    """What became of a build. `without` are the codes of stores that gave no session."""
    store_id = build.product.store_id
    if (code := without.get(store_id, "")) == "":
        try:
            return act(build)
        except SessionsAlive as err:
            return Outcome(build=build.pk, root=build.root, left=err.code)
        except StsError as err:
            code = without[store_id] = err.code
        except DomainError as err:
            code = err.code
        except ClientError as err:
            log.warning("closed_build_refused", build=build.pk, error=loggable(err))
            code = f"store_refused: {error_code(err)}"
        except CALL_FAILED as err:
            log.warning("closed_build_failed", build=build.pk, error=loggable(err))
            code = "store_unreachable"
        except UNREADABLE as err:
            log.warning("closed_build_unreadable", build=build.pk, error=type(err).__name__)
            code = ListingUnusable.code
    return Outcome(build=build.pk, root=build.root, failure=code)


PURGING = Origin(agent="ltdkeeper purge_builds")
# Sessions for this live 900 s: as many single deletes as fit in that on a slow store.
A_SESSION_S_WORK = 5000


def purgeable_builds(*, deleted_before: datetime, store: Store | None) -> BuildQuerySet:
    """Builds that were deleted before a moment and have objects still, which are theirs alone."""
    return _unpurged(deleted_before, store).filter(root_is_shared=False)


def left_builds(*, deleted_before: datetime, store: Store | None) -> Iterator[Outcome]:
    """Those that are left since another build has objects at their root, each with its reason."""
    for build in _unpurged(deleted_before, store).filter(root_is_shared=True).order_by("pk"):
        yield Outcome(build=build.pk, root=build.root, left="root_is_shared")


def _unpurged(deleted_before: datetime, store: Store | None) -> BuildQuerySet:
    builds = Build.objects.filter(deleted_at__lt=deleted_before, purged_at=None)
    return builds.filter(product__store=store) if store else builds


def purge_builds(builds: BuildQuerySet, *, apply: bool) -> Iterator[Outcome]:
    """Remove what lies in each of them, or, without `apply`, only count it."""
    return each_build(builds, purge_build if apply else weigh_build)


def weigh_build(build: Build) -> Outcome:
    """What purging would remove; nothing is changed. Raises as `purge_build` does."""
    _require_no_live_session(build)
    objects = size = 0
    for entry in _objects(build):
        objects, size = objects + 1, size + entry["Size"]
    return Outcome(build=build.pk, root=build.root, objects=objects, bytes=size)


def purge_build(build: Build) -> Outcome:
    """Remove all that lies at and below the root of a deleted build, then note when.

    Safe to repeat after it stopped half-way. Raises SessionsAlive, ObjectsRemain, and what
    `issue_internal_session` and `listed_objects` raise.
    """
    _require_no_live_session(build)
    objects, size, first = 0, 0, ""
    while part := list(islice(_objects(build), A_SESSION_S_WORK)):
        if part[0]["Key"] == first:
            raise ObjectsRemain
        first = part[0]["Key"]
        _remove(build, [entry["Key"] for entry in part])
        objects, size = objects + len(part), size + sum(entry["Size"] for entry in part)
    _remove(build, [build.root])  # old uploaders put an object there; it is no part of a listing
    record_purge(build_id=build.pk, now=timezone.now())
    return Outcome(build=build.pk, root=build.root, objects=objects, bytes=size)


def _require_no_live_session(build: Build) -> None:
    """What a session writes after the purge would stay permanently."""
    if IssuedSession.objects.for_build(build).writing().unexpired(timezone.now()).exists():
        raise SessionsAlive


def _objects(build: Build) -> Iterator[Any]:
    return listed_objects(s3_client(_session(build, Delivery.LIST), UNATTENDED), build)


def _remove(build: Build, keys: list[str]) -> None:
    s3 = s3_client(_session(build, Delivery.CLEAN), UNATTENDED)
    for key in keys:
        s3.delete_object(Bucket=build.bucket_name, Key=key)


def _session(build: Build, delivery: Delivery) -> VendedSession:
    return issue_internal_session(
        build_id=build.pk, delivery=delivery, origin=PURGING, now=timezone.now()
    )


# Count all that lies below a finished build: at finish, only one page was looked at.

COUNTING = Origin(agent="ltdkeeper count_builds")


def count_builds(auditor: boto3.session.Session | None = None) -> Iterator[Outcome]:
    """Count each uncounted build with a ledgered session that may only list it.

    With an auditor, the types of some pages are looked at too: in stores without sync, no session
    may read. Builds that are finished meanwhile are left to the next run, so that this one ends.
    """
    builds = Build.objects.uncounted().filter(finished_at__lte=timezone.now())
    return a_few_at_once(builds, partial(count_build, auditor=auditor))


def count_build(
    build: Build, is_over: Event | None = None, *, auditor: boto3.session.Session | None = None
) -> Outcome:
    """Count one build and store the counts; memory does not grow with it.

    Two at once count the same, and the first one's counts stay. Raises what
    `issue_internal_session` and `listed_objects` raise, and InterruptedError when it `is_over`.
    """
    vended = issue_internal_session(
        build_id=build.pk, delivery=Delivery.LIST, origin=COUNTING, now=timezone.now()
    )
    listed = listed_objects(s3_client(vended, UNATTENDED), build)
    count, pages = _figures(build, listed, is_over or Event())
    types = ""
    if auditor:
        client_of = partial(store_client, build.product.store, "s3", auditor, UNATTENDED)
        types = look_at_types(client_of, build, pages)
        count = replace(count, has_untyped_pages=types == Types.UNTYPED)
    record_count(build_id=build.pk, count=count, now=timezone.now())
    return Outcome(
        build=build.pk,
        root=build.root,
        objects=count.object_count,
        bytes=count.byte_count,
        types=types,
    )


def _figures(build: Build, entries: Iterator[Any], is_over: Event) -> tuple[ObjectCount, list[str]]:
    """The counts, and the pages to look at."""
    objects, size = 0, 0
    pages: list[str] = []
    newest: datetime | None = None
    for entry in entries:
        if is_over.is_set():
            raise InterruptedError
        objects += 1
        size += entry["Size"]
        pages = pages_to_look_at(build, [*pages, entry["Key"]])
        if not (written_at := entry.get("LastModified")):
            raise ListingUnusable
        newest = max(newest or written_at, written_at)
    return ObjectCount(object_count=objects, byte_count=size, newest_object_at=newest), pages
