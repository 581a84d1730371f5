"""Hold the ledger against the rules. Reads in a stream: the ledger may hold millions of rows."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Max

from builds.models import Build
from credentials.audit.access import audit_keys, audit_limits
from credentials.audit.rules import (
    CHUNK,
    EXPIRY_TOLERANCE,
    Finding,
    Rule,
    is_stuck,
    is_too_long,
    outlives_its_build,
)
from credentials.models import INSIDE, IssuedSession
from credentials.scoping import duration_limits


def audit_ledger(*, now: datetime, grace: timedelta = timedelta(0)) -> Iterator[Finding]:
    """Every finding, one subject after the other. Writes nothing.

    `grace` is how long after a build's end its sessions may still be alive without a finding.
    """
    yield from _stuck_rows(now)
    yield from _live_sessions(now, grace)
    yield from audit_keys(now)
    yield from audit_limits(now)
    yield from _foreign_writes()


def longest_in_use(now: datetime) -> timedelta:
    """How long the longest of the sessions that live now was issued for, and what clocks differ by.

    A session that was issued before its build closed is over by then.
    """
    longest = IssuedSession.objects.active(now).aggregate(longest=Max("duration_seconds"))
    return timedelta(seconds=longest["longest"] or 0) + EXPIRY_TOLERANCE


def _stuck_rows(now: datetime) -> Iterator[Finding]:
    for row in IssuedSession.objects.requested().iterator(CHUNK):
        if is_stuck(requested_at=row.requested_at, now=now):
            message = (
                f"Requested {row.requested_at:%F %T} UTC, no outcome recorded: the process died "
                f"or lost its database. Look for {row.session_name} in the store's own log."
            )
            yield Finding(rule=Rule.STUCK, subject=row.pk, message=message)


def _live_sessions(now: datetime, grace: timedelta) -> Iterator[Finding]:
    live = IssuedSession.objects.active(now).select_related("build__product__store", "client")
    for row in live.iterator(CHUNK):
        yield from _about_length(row)
        if row.delivery not in INSIDE:  # those never left this service
            yield from _about_build(row, now, grace)
            yield from _about_client(row)


def _about_length(row: IssuedSession) -> Iterator[Finding]:
    if row.build is None or row.expires_at is None:
        return
    limits = duration_limits(row.build)
    longest = max(limits.longest, limits.refreshing)
    if is_too_long(
        requested_at=row.requested_at, expires_at=row.expires_at, longest_seconds=longest
    ):
        message = (
            f"Lives until {row.expires_at:%F %T} UTC; today's settings would give "
            f"{row.product_slug} at most {longest} seconds."
        )
        yield Finding(rule=Rule.TOO_LONG, subject=row.pk, message=message)


def _about_build(row: IssuedSession, now: datetime, grace: timedelta) -> Iterator[Finding]:
    if row.build is None:
        return
    closed_at = row.build.closed_at(now)
    if outlives_its_build(closed_at=closed_at, now=now, grace=grace):
        message = (
            f"Build {row.root} closed {closed_at:%F %T} UTC; the session works until "
            f"{row.expires_at:%F %T} UTC."
        )
        yield Finding(rule=Rule.BUILD_CLOSED, subject=row.pk, message=message)


def _about_client(row: IssuedSession) -> Iterator[Finding]:
    if row.client is not None and not row.client.is_active:
        message = (
            f"Client {row.client_name} is disabled; the session for {row.root} works until "
            f"{row.expires_at:%F %T} UTC."
        )
        yield Finding(rule=Rule.CLIENT_DISABLED, subject=row.pk, message=message)


def _foreign_writes() -> Iterator[Finding]:
    marked = Build.objects.filter(written_without_session=True, deleted_at=None)
    for build in marked.iterator(CHUNK):
        message = (
            "Objects were written though no session was issued: look for static AWS keys in "
            "the uploader's environment. Delete the build when it is dealt with."
        )
        yield Finding(rule=Rule.FOREIGN_WRITE, subject=build.root, message=message)
