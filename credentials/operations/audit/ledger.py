"""Hold the ledger against the rules. Reads in a stream: the ledger may hold millions of rows."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, QuerySet

from builds.models import Build
from credentials.access.quotas import HOUR, NAME_OF_A_JOB, sessions_by_token
from credentials.models import INTERNAL, ApiKey, IssuedSession
from credentials.operations.findings import (
    EXPIRY_TOLERANCE,
    Finding,
    Rule,
    is_too_long,
    is_unused,
    outlives_its_build,
)
from credentials.vending.scope import duration_limits

# How many rows are read at a time.
CHUNK = 500


def audit_ledger(*, now: datetime, grace: timedelta = timedelta(0)) -> Iterator[Finding]:
    """Every finding, one subject after the other. Writes nothing.

    `grace` is how long after a build's end its sessions may still be alive without a finding.
    """
    yield from _stuck_rows(now)
    yield from _live_sessions(now, grace)
    yield from audit_keys(now)
    yield from audit_limits(now)
    yield from _foreign_writes()


def _one_by_one(rows: QuerySet[Any]) -> Iterator[Any]:
    """In the order of their keys, without a cursor left open: whoever reads may write meanwhile."""
    ordered = rows.order_by("pk")
    page = list(ordered[:CHUNK])
    while page:
        yield from page
        page = list(ordered.filter(pk__gt=page[-1].pk)[:CHUNK]) if len(page) == CHUNK else []


def longest_in_use(now: datetime) -> timedelta:
    """How long the longest of the sessions that live now was issued for, and what clocks differ by.

    A session that was issued before its build closed is over by then.
    """
    longest = IssuedSession.objects.active(now).aggregate(longest=Max("duration_seconds"))
    return timedelta(seconds=longest["longest"] or 0) + EXPIRY_TOLERANCE


def _stuck_rows(now: datetime) -> Iterator[Finding]:
    for row in _one_by_one(IssuedSession.objects.stuck(now)):
        yield Finding(
            rule=Rule.STUCK,
            subject=row.pk,
            session_id=row.pk,
            build_id=row.build_id,
            what=f"Requested {row.requested_at:%F %T} UTC, no outcome recorded: the process "
            "died or lost its database.",
            change=f"Look for {row.session_name} in the store's own log.",
        )


def _live_sessions(now: datetime, grace: timedelta) -> Iterator[Finding]:
    live = IssuedSession.objects.active(now).select_related("build__product__store", "client")
    for row in _one_by_one(live):
        yield from _about_length(row)
        if row.delivery not in INTERNAL:  # those never left this service
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
        what = (
            f"Lives until {row.expires_at:%F %T} UTC; today's settings would give "
            f"{row.product_slug} at most {longest} seconds."
        )
        yield _of_session(row, Rule.TOO_LONG, what)


def _about_build(row: IssuedSession, now: datetime, grace: timedelta) -> Iterator[Finding]:
    if row.build is None:
        return
    closed_at = row.build.closed_at(now)
    if outlives_its_build(closed_at=closed_at, now=now, grace=grace):
        what = (
            f"Build {row.root} closed {closed_at:%F %T} UTC; the session works until "
            f"{row.expires_at:%F %T} UTC."
        )
        yield _of_session(row, Rule.BUILD_CLOSED, what)


def _about_client(row: IssuedSession) -> Iterator[Finding]:
    if row.client is not None and not row.client.is_active:
        what = (
            f"Client {row.client_name} is disabled; the session for {row.root} works until "
            f"{row.expires_at:%F %T} UTC."
        )
        yield _of_session(row, Rule.CLIENT_DISABLED, what)


def _of_session(row: IssuedSession, rule: Rule, what: str) -> Finding:
    return Finding(
        rule=rule,
        subject=row.pk,
        what=what,
        access_key_id=row.access_key_id or "",
        session_id=row.pk,
        build_id=row.build_id,
    )


def _foreign_writes() -> Iterator[Finding]:
    for build in _one_by_one(Build.objects.foreign()):
        yield Finding(
            rule=Rule.FOREIGN_WRITE,
            subject=build.root,
            build_id=build.pk,
            what="Objects were written though no session was issued: look for static AWS keys in "
            "the uploader's environment.",
            change="Delete the build when it is dealt with.",
        )


def audit_keys(now: datetime) -> Iterator[Finding]:
    """Usable keys that never expire, and those that nobody uses."""
    for key in _one_by_one(ApiKey.objects.usable(now).select_related("client")):
        if key.expires_at is None:
            yield Finding(
                rule=Rule.KEY_WITHOUT_EXPIRY,
                subject=str(key),
                what=f"The key of {key.client} never expires.",
                change="Make one with an expiry, revoke this.",
            )
        if is_unused(created_at=key.created_at, last_used_at=key.last_used_at, now=now):
            yield Finding(
                rule=Rule.KEY_UNUSED,
                subject=str(key),
                what=f"The key of {key.client} {_use_of(key)}.",
                change="Revoke it if nothing needs it.",
            )


def _use_of(key: ApiKey) -> str:
    if key.last_used_at:
        return f"was last used {key.last_used_at:%F %T} UTC"
    return f"was made {key.created_at:%F %T} UTC and never used"


def audit_limits(now: datetime) -> Iterator[Finding]:
    """Clients that can register no further build, in one query for each limit."""
    open_builds = Build.objects.open(now).filter(registration__client__is_active=True)
    limit = settings.LTD_OPEN_BUILDS
    for name, count in _at_limit(open_builds, "registration__client__name", limit):
        yield Finding(
            rule=Rule.CLIENT_AT_LIMIT,
            subject=name,
            what=f"Has {count} open builds; LTD_OPEN_BUILDS is {limit}, so it can register no "
            "more.",
            change="Look for jobs that neither finish nor delete theirs.",
        )
    yield from _audit_sessions(now)


def _audit_sessions(now: datetime) -> Iterator[Finding]:
    """Clients and jobs that are refused further sessions, in one query."""
    recent = IssuedSession.objects.filter(requested_at__gt=now - HOUR, client__is_active=True)
    of_clients: Counter[str] = Counter()
    of_jobs: Counter[str] = Counter()
    for row in sessions_by_token(recent, "client__name").iterator(CHUNK):
        of_clients[row["client__name"]] += row["counted"]
        if NAME_OF_A_JOB in row["token_name"]:
            of_jobs[f"{row['client__name']}/{row['token_name']}"] = row["sessions"]
    for subject, count in sorted((of_clients | of_jobs).items()):
        if count >= (limit := settings.LTD_SESSIONS_AN_HOUR):
            yield Finding(
                rule=Rule.CLIENT_AT_LIMIT,
                subject=subject,
                what=f"Asked for {count} sessions within an hour; LTD_SESSIONS_AN_HOUR is {limit}, "
                "so it can register no build.",
                change="Look for a job that asks at every request.",
            )


def _at_limit(rows: QuerySet[Any], client_name: str, limit: int) -> Iterator[tuple[str, int]]:
    """The clients with at least so many of the rows, and how many."""
    counted = rows.order_by().values_list(client_name).annotate(count=Count("pk"))
    yield from list(counted.filter(count__gte=limit).order_by(client_name))
