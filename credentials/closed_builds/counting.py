"""Count all that lies below a finished build: at finish, only one page was looked at."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import boto3
from django.utils import timezone

from builds.models import Build, BuildQuerySet
from builds.services import Count, record_count
from credentials.access.origins import Origin
from credentials.closed_builds.sessions import issue_inside_session
from credentials.closed_builds.walking import Outcome, each_build
from credentials.errors import ListingUnusable
from credentials.listing import listed_objects
from credentials.models import Delivery
from credentials.session_clients import auditor_s3_client, patient_s3_client
from credentials.survey import Types, look_at_types, pages_to_look_at

INSIDE = Origin(agent="ltdkeeper count_builds")


def uncounted_builds() -> BuildQuerySet:
    """Builds that are finished and not deleted, and were never counted as a whole."""
    return Build.objects.exclude(finished_at=None).filter(deleted_at=None, counted_at=None)


def count_builds(auditor: boto3.session.Session | None = None) -> Iterator[Outcome]:
    """Count each of them with a ledgered session that may only list it.

    With an auditor, the types of some pages are looked at too: in stores without sync, no session
    may read.
    """
    return each_build(uncounted_builds(), partial(count_build, auditor=auditor))


def count_build(build: Build, auditor: boto3.session.Session | None = None) -> Outcome:
    """Count one build and store the figures; memory does not grow with it.

    Two at once count the same, and the first one's figures stay. Raises what
    `issue_inside_session` and `listed_objects` raise.
    """
    vended = issue_inside_session(
        build_id=build.pk, delivery=Delivery.LIST, origin=INSIDE, now=timezone.now()
    )
    count, pages = _add_up(build, listed_objects(patient_s3_client(vended), build))
    types = ""
    if auditor:
        types = look_at_types(lambda: auditor_s3_client(auditor, build.product.store), build, pages)
        count = replace(count, has_untyped_pages=types == Types.UNTYPED)
    record_count(build_id=build.pk, count=count, now=timezone.now())
    return Outcome(
        build=build.pk,
        root=build.root,
        objects=count.object_count,
        bytes=count.byte_count,
        types=types,
    )


def _add_up(build: Build, entries: Iterator[Any]) -> tuple[Count, list[str]]:
    """The figures, and the pages to look at."""
    objects, size = 0, 0
    pages: list[str] = []
    newest: datetime | None = None
    for entry in entries:
        objects += 1
        size += entry["Size"]
        pages = pages_to_look_at(build, [*pages, entry["Key"]])
        if not (written_at := entry.get("LastModified")):
            raise ListingUnusable
        newest = max(newest or written_at, written_at)
    return Count(object_count=objects, byte_count=size, newest_object_at=newest), pages
