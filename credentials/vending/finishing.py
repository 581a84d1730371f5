"""Finish a build: list what arrived, compare it with the ledger, close the build.

The look is one page of at most 1,000 keys within about 2 s, with a session that may only list. The
store being away is a result, not an error: finishing must not depend on it. In a store with sync,
where the upload role may read at all, the types of some pages are looked at too, begun within a
second and never waited for longer than for the listing.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from heapq import nsmallest
from typing import Any

import structlog
from botocore.exceptions import ClientError
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from builds.errors import BuildClosed
from builds.fixed_sql import fetch
from builds.models import Build
from builds.services import Survey, finish_build
from credentials.access.callers import Caller, Origin
from credentials.access.revocations import revoke_finished_build
from credentials.access.rights import closable_build, standing_right
from credentials.errors import (
    ListingOutsideBuild,
    ListingUnusable,
    PolicyTooLarge,
    SessionWithheld,
    StsError,
)
from credentials.models import Delivery, EventKind, IssuedSession, record_build_event
from credentials.vending.issuing import VendedSession, issue_session, s3_client
from credentials.vending.listing import objects_on
from credentials.vending.store_clients import INTERACTIVE
from credentials.vending.store_errors import CALL_FAILED, error_code, loggable
from credentials.vending.store_errors import UNREADABLE as NOT_READABLE

PAGE_KEYS = 1000
PAGES_LOOKED_AT = 3
LOOKING_BEGINS_WITHIN = 1.0
# What stores say of an object that was put without a type (S3: the second).
NO_TYPE = {"", "application/octet-stream", "binary/octet-stream"}

UNREADABLE = "listing_unreadable"

log = structlog.get_logger(__name__)


class Types(StrEnum):
    """What a look at some pages showed. Where there are no pages, none lacks a type."""

    TYPED = "typed"
    UNTYPED = "untyped"
    UNSEEN = "unseen"


def finish_owned_build(
    *, caller: Caller, build_id: int, empty_allowed: bool, origin: Origin, now: datetime
) -> Build:
    """Close the caller's build as complete; finishing it again gives the same response.

    Raises as `closable_build` does, BuildClosed, EmptyBuild, RevocationsFull, and SessionWithheld
    if the right to the build ended while the store was looked at. A build with objects
    for which no session that can write was ever issued is marked: other credentials wrote them,
    most likely static keys in the uploader's environment, which win silently over ours.
    """
    build = closable_build(caller=caller, build_id=build_id)
    if build.state(now) is Build.State.FINISHED:
        return build
    try:
        survey = survey_build(caller=caller, build=build, origin=origin, now=now)
    except (BuildClosed, SessionWithheld) as refusal:
        return _finished_meanwhile(caller, build_id, refusal)
    written = IssuedSession.objects.for_build(build).issued().writing().exists()
    with transaction.atomic():
        # Looking at the store took a while.
        right = standing_right(caller=caller, build_id=build_id, now=timezone.now(), to_write=False)
        if fetch(*right) is None:
            return _finished_meanwhile(caller, build_id)
        finished = finish_build(
            build_id=build_id,
            survey=survey,
            empty_allowed=empty_allowed,
            written_without_session=survey.has_objects is True and not written,
            now=now,
            on_closing=partial(record_build_event, EventKind.BUILD_FINISHED, now=now),
        )
        if settings.LTD_REVOKE_ON_FINISH:
            revoke_finished_build(build=finished, now=now)
    return finished


def _finished_meanwhile(
    caller: Caller, build_id: int, refusal: BuildClosed | SessionWithheld | None = None
) -> Build:
    """The build whose right has ended, if another call finished it: its response is the one here
    as well. Else raises the refusal, or BuildClosed or SessionWithheld; and what `closable_build`
    raises.
    """
    build = closable_build(caller=caller, build_id=build_id)
    if (state := build.state(timezone.now())) is Build.State.FINISHED:
        return build
    is_open = state is Build.State.OPEN
    raise refusal or (SessionWithheld() if is_open else BuildClosed(state))


def survey_build(*, caller: Caller, build: Build, origin: Origin, now: datetime) -> Survey:
    """Count the first page below the build's root, with a ledgered session of its own.

    Raises what `issue_session` raises about the right to the build (409, 403), and nothing
    about the store.
    """
    try:
        vended = issue_session(
            caller=caller, build_id=build.pk, delivery=Delivery.LIST, origin=origin, now=now
        )
    except (StsError, PolicyTooLarge) as err:
        return Survey(failure=err.code)
    return _look(vended)


def _look(vended: VendedSession) -> Survey:
    build, client = vended.build, s3_client(vended, INTERACTIVE)
    until = time.monotonic() + LOOKING_BEGINS_WITHIN
    try:
        page = client.list_objects_v2(
            Bucket=build.bucket_name, Prefix=f"{build.root}/", MaxKeys=PAGE_KEYS
        )
    except ClientError as err:
        log.warning("survey_refused", build=build.pk, error=loggable(err))
        return Survey(failure=f"listing_refused: {error_code(err)}"[:64])
    except CALL_FAILED as err:
        log.warning("survey_failed", build=build.pk, error=loggable(err))
        return Survey(failure="store_unreachable")
    except NOT_READABLE as err:
        log.warning("survey_unreadable", build=build.pk, error=type(err).__name__)
        return Survey(failure=UNREADABLE)
    try:
        survey = _read(page, build)
    except (ListingOutsideBuild, ListingUnusable) as err:
        return Survey(failure=err.code)
    if survey.failure == UNREADABLE or not build.product.store.with_sync:
        return survey
    pages = pages_to_look_at(build, [entry["Key"] for entry in page.get("Contents", [])])
    types = look_at_types(lambda: client, build, pages, until=until)
    return replace(survey, has_untyped_pages=types is Types.UNTYPED)


def pages_to_look_at(build: Build, keys: Iterable[str]) -> list[str]:
    """The front page first, then those nearest to it: what an uploader does, it does to all."""
    root = f"{build.root}/"
    pages = (key for key in keys if key.startswith(root) and key.endswith(".html"))
    return nsmallest(
        PAGES_LOOKED_AT, pages, key=lambda key: (key != f"{root}index.html", len(key), key)
    )


def look_at_types(
    client_of: Callable[[], Any], build: Build, pages: list[str], *, until: float = math.inf
) -> Types:
    """Whether one of the pages lies there without a type, as far as the store says in time.

    `client_of` makes the client that may read them: credentials that cannot be had are a result
    too.
    """
    try:
        client = client_of()
        for key in pages:
            if time.monotonic() >= until:
                return Types.UNSEEN
            head = client.head_object(Bucket=build.bucket_name, Key=key)
            if head.get("ContentType", "").partition(";")[0].strip().lower() in NO_TYPE:
                return Types.UNTYPED
    except (*CALL_FAILED, *NOT_READABLE) as err:
        log.warning("types_not_seen", build=build.pk, error=loggable(err))
        return Types.UNSEEN
    return Types.TYPED


def _read(page: Any, build: Build) -> Survey:
    if "IsTruncated" not in page:
        return Survey(failure=UNREADABLE)
    objects = objects_on(page, f"{build.root}/")
    if page["IsTruncated"]:
        return Survey(failure="more_than_one_page", has_objects=True)
    return Survey(
        object_count=len(objects),
        byte_count=sum(entry["Size"] for entry in objects),
        has_objects=bool(objects),
    )
