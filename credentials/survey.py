"""What lies below a build's root, seen with a session that may only list it.

One page of at most 1,000 keys within about 2 s. The store being away is an answer, not an error:
finishing a build must not depend on it.
"""

from datetime import datetime
from typing import Any

import structlog
from botocore.exceptions import ClientError

from builds.models import Build
from builds.services import Survey
from credentials.access.callers import Caller
from credentials.errors import ListingOutsideBuild, ListingUnusable, PolicyTooLarge, StsError
from credentials.issuing import VendedSession, issue_session
from credentials.listing import objects_on
from credentials.models import Delivery
from credentials.session_clients import s3_client
from credentials.sts_errors import CALL_FAILED, error_code, loggable
from ltdkeeper.origins import Origin

PAGE_KEYS = 1000

log = structlog.get_logger(__name__)


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
    build = vended.build
    try:
        page = s3_client(vended).list_objects_v2(
            Bucket=build.bucket_name, Prefix=f"{build.root}/", MaxKeys=PAGE_KEYS
        )
    except ClientError as err:
        log.warning("survey_refused", build=build.pk, error=str(err))
        return Survey(failure=f"listing_refused: {error_code(err)}"[:64])
    except CALL_FAILED as err:
        log.warning("survey_failed", build=build.pk, error=loggable(err))
        return Survey(failure="store_unreachable")
    try:
        return _read(page, build)
    except (ListingOutsideBuild, ListingUnusable) as err:
        return Survey(failure=err.code)


def _read(page: Any, build: Build) -> Survey:
    if "IsTruncated" not in page:
        return Survey(failure="listing_unreadable")
    objects = objects_on(page, build)
    if page["IsTruncated"]:
        return Survey(failure="more_than_one_page", has_objects=True)
    return Survey(
        object_count=len(objects),
        byte_count=sum(entry["Size"] for entry in objects),
        has_objects=bool(objects),
    )
