"""Count all that lies below a finished build: at finish, only one page was looked at."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone

from builds.models import Build, BuildQuerySet
from builds.services import Count, record_count
from credentials.closed_builds.sessions import issue_inside_session
from credentials.closed_builds.walking import Outcome, each_build
from credentials.errors import ListingUnusable
from credentials.listing import listed_objects
from credentials.models import Delivery
from credentials.session_clients import patient_s3_client
from ltdkeeper.origins import Origin

INSIDE = Origin(agent="ltdkeeper count_builds")


def uncounted_builds() -> BuildQuerySet:
    """Builds that are finished and not deleted, and were never counted as a whole."""
    return Build.objects.exclude(finished_at=None).filter(deleted_at=None, counted_at=None)


def count_builds() -> Iterator[Outcome]:
    """Count each of them with a ledgered session that may only list it."""
    return each_build(uncounted_builds(), count_build)


def count_build(build: Build) -> Outcome:
    """Count one build and store the figures; memory does not grow with it.

    Two at once count the same, and the first one's figures stay. Raises what
    `issue_inside_session` and `listed_objects` raise.
    """
    vended = issue_inside_session(
        build_id=build.pk, delivery=Delivery.LIST, origin=INSIDE, now=timezone.now()
    )
    count = _add_up(listed_objects(patient_s3_client(vended), build))
    record_count(build_id=build.pk, count=count, now=timezone.now())
    return Outcome(
        build=build.pk, root=build.root, objects=count.object_count, bytes=count.byte_count
    )


def _add_up(entries: Iterator[Any]) -> Count:
    objects, size = 0, 0
    newest: datetime | None = None
    for entry in entries:
        objects += 1
        size += entry["Size"]
        if not (written_at := entry.get("LastModified")):
            raise ListingUnusable
        newest = max(newest or written_at, written_at)
    return Count(object_count=objects, byte_count=size, newest_object_at=newest)
