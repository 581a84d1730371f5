"""Check the ledger against the rules. Reads in a stream: the ledger may hold millions of rows."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, Max, OuterRef, QuerySet
from ulid import ULID

from builds.models import Build, Product
from credentials.access.quotas import HOUR, NAME_OF_A_JOB, sessions_by_token
from credentials.access.registrations import delete_registered_build
from credentials.models import INTERNAL, ApiKey, Grant, IssuedSession
from credentials.operations.findings import (
    EXPIRY_TOLERANCE,
    NEARLY_FULL_PERCENT,
    Finding,
    Rule,
    Severity,
    is_too_long,
    is_unused,
    is_unusual,
    outlives_its_build,
)
from credentials.vending.scope import duration_limits

# How many rows are read at a time.
CHUNK = 500
DAY, MONTH = timedelta(days=1), timedelta(days=30)
# What of a build may be unusual -> its rule, how many are never unusual, and what to do.
UNUSUAL = {
    "sessions": (
        Rule.MANY_SESSIONS,
        20,
        "Look for a job that requests a session for every call, or for a second uploader.",
    ),
    "addresses": (
        Rule.MANY_ADDRESSES,
        5,
        "Compare the addresses of its sessions with those of the job: its token may have leaked.",
    ),
}


def audit_ledger(
    *,
    now: datetime,
    grace: timedelta = timedelta(0),
    on_step: Callable[[int, int], object] = lambda *_: None,
) -> Iterator[Finding]:
    """Every finding, one subject after the other. Writes nothing.

    `grace` is how long after a build's end its sessions may still be alive without a finding.
    `on_step` is told how many subjects of how many are done.
    """
    steps = (
        _stuck_rows(now),
        _live_sessions(now, grace),
        _nearly_full_policies(now),
        _unusual_builds(now),
        _expired_builds(now),
        audit_keys(now),
        audit_limits(now),
        _foreign_writes(),
    )
    for done, step in enumerate(steps, 1):
        yield from step
        on_step(done, len(steps))


def subjects(now: datetime) -> dict[str, int]:
    """What the rules look at row by row: how many there are of each."""
    return {
        "live sessions": IssuedSession.objects.active(now).count(),
        "API keys": ApiKey.objects.usable(now).count(),
    }


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
    grants = Grant.objects.filter(client=OuterRef("client"), product=OuterRef("build__product"))
    live = IssuedSession.objects.active(now).select_related("build__product__store", "client")
    rows: Any = live.annotate(has_grant=Exists(grants))
    for row in _one_by_one(rows):
        for rule, what in _broken_rules(row, now, grace):
            yield Finding(
                rule=rule,
                subject=row.pk,
                what=what,
                access_key_id=row.access_key_id,
                session_id=row.pk,
                build_id=row.build_id,
            )


def _broken_rules(row: Any, now: datetime, grace: timedelta) -> Iterator[tuple[Rule, str]]:
    """The rules that a live session breaks, each with a sentence."""
    end = f"{row.expires_at:%F %T} UTC"
    if row.build and (longest := _longest_if_too_long(row)):
        yield (
            Rule.TOO_LONG,
            f"Lives until {end}; today's settings would give {row.product_slug} at most {longest} "
            "seconds.",
        )
    if row.delivery in INTERNAL:  # those never left this service
        return
    closed_at = row.build and row.build.closed_at(now)
    if outlives_its_build(closed_at=closed_at, now=now, grace=grace):
        closed = f"Build {row.root} closed {closed_at:%F %T} UTC"
        yield Rule.BUILD_CLOSED, f"{closed}; the session works until {end}."
    rest = f"the session for {row.root} works until {end}."
    if row.client and not row.client.is_active:
        yield Rule.CLIENT_DISABLED, f"Client {row.client_name} is disabled; {rest}"
    if row.client and row.build and not row.has_grant:
        no_grant = f"Client {row.client_name} is no longer granted {row.product_slug}"
        yield Rule.NOT_GRANTED, f"{no_grant}; {rest}"


def _longest_if_too_long(row: Any) -> int:
    """The seconds that today's settings would give at most; 0 where the session keeps to that."""
    limits = duration_limits(row.build)
    longest = max(limits.longest, limits.refreshing)
    times = {"requested_at": row.requested_at, "expires_at": row.expires_at}
    return longest if is_too_long(**times, longest_seconds=longest) else 0


def _nearly_full_policies(now: datetime) -> Iterator[Finding]:
    """Products whose sessions of the last day took most of what STS has room for."""
    recent = IssuedSession.objects.since(now - DAY).order_by()
    full = recent.filter(packed_policy_percent__gt=NEARLY_FULL_PERCENT).values("product_slug")
    worst = full.annotate(percent=Max("packed_policy_percent")).order_by("product_slug")
    for row in list(worst):
        yield Finding(
            rule=Rule.POLICY_NEARLY_FULL,
            severity=Severity.WARNING,
            subject=row["product_slug"],
            what=f"The policy of its sessions takes up to {row['percent']} % of what STS has room "
            "for; past 100 %, STS refuses.",
            change="Use shorter names for builds and products, or a shorter bucket name.",
        )


def _unusual_builds(now: datetime) -> Iterator[Finding]:
    """Builds with a session within the last day, against those of their product within a month.

    Product by product, so that no statement reads more than a month of one.
    """
    for product in _one_by_one(Product.objects.only("slug")):
        yield from _unusual_builds_of(product.slug, now)


def _unusual_builds_of(product_slug: str, now: datetime) -> Iterator[Finding]:
    month_ago = str(ULID.from_datetime(now - MONTH)).lower()  # the index ends in the ids
    rows = IssuedSession.objects.for_builds().since(now - MONTH)
    rows = rows.filter(product_slug=product_slug, pk__gte=month_ago).order_by()
    builds: Any = rows.values("root", "build_id").annotate(
        sessions=Count("pk"),
        addresses=Count("caller_address", distinct=True),
        last_at=Max("requested_at"),
    )
    usual: dict[str, Counter[int]] = {name: Counter() for name in UNUSUAL}
    candidates: list[tuple[str, Any]] = []
    for build in builds.order_by("root").iterator(CHUNK):
        for name, (_, least, _) in UNUSUAL.items():
            usual[name][build[name]] += 1
            if build[name] >= least and build["last_at"] > now - DAY:
                candidates.append((name, build))
    for name, build in candidates:
        rule, least, change = UNUSUAL[name]
        factor = settings.LTD_UNUSUAL_FACTOR
        if is_unusual(build[name], usual[name], factor=factor, least=least):
            yield Finding(
                rule=rule,
                severity=Severity.WARNING,
                subject=build["root"],
                build_id=build["build_id"],
                what=f"Has {build[name]} {name}, more than {factor} times what builds of "
                f"{product_slug} usually have.",
                change=change,
            )


def _expired_builds(now: datetime) -> Iterator[Finding]:
    """Products with builds that expired unfinished over a day ago and are not deleted."""
    expired = Build.objects.expired(now - DAY).order_by().values("product__slug")
    counted = expired.annotate(count=Count("pk"), newest=Max("open_until"))
    for row in list(counted.order_by("product__slug")):
        yield Finding(
            rule=Rule.BUILD_EXPIRED,
            severity=Severity.WARNING,
            subject=row["product__slug"],
            what=f"{row['count']} builds expired unfinished and are not deleted, "
            f"the newest {row['newest']:%F %T} UTC.",
            change="Look for jobs that end before they finish their build. Delete such builds with "
            "manage.py audit_sessions --close.",
        )


def close_expired_builds(now: datetime) -> int:
    """Delete the builds that `_expired_builds` counts, one by one, so that purging takes what they
    hold. How many.
    """
    expired = Build.objects.expired(now - DAY).order_by("pk").values_list("pk", flat=True)
    closed = 0
    while page := list(expired[:CHUNK]):
        for build_id in page:
            delete_registered_build(build_id=build_id, now=now)
        closed += len(page)
    return closed


def _foreign_writes() -> Iterator[Finding]:
    for build in _one_by_one(Build.objects.foreign()):
        yield Finding(
            rule=Rule.FOREIGN_WRITE,
            subject=build.root,
            build_id=build.pk,
            what="Objects were written though no session was issued: look for static AWS keys in "
            "the uploader's environment.",
            change="Delete the build once this is settled.",
        )


def audit_keys(now: datetime) -> Iterator[Finding]:
    """Usable keys that never expire, and those that nobody uses."""
    for key in _one_by_one(ApiKey.objects.usable(now).select_related("client")):
        if key.expires_at is None:
            yield Finding(
                rule=Rule.KEY_WITHOUT_EXPIRY,
                subject=str(key),
                what=f"The key of {key.client} never expires.",
                change="Create one with an expiry, and revoke this one.",
            )
        if is_unused(created_at=key.created_at, last_used_at=key.last_used_at, now=now):
            yield Finding(
                rule=Rule.KEY_UNUSED,
                subject=str(key),
                what=f"The key of {key.client} {_use_of(key)}.",
                change="Revoke it if nothing uses it.",
            )


def _use_of(key: ApiKey) -> str:
    if key.last_used_at:
        return f"was last used {key.last_used_at:%F %T} UTC"
    return f"was made {key.created_at:%F %T} UTC and never used"


def audit_limits(now: datetime) -> Iterator[Finding]:
    """Clients that can register no further build, in one query for each limit."""
    open_builds = Build.objects.open(now).filter(registration__client__is_active=True)
    limit = settings.LTD_OPEN_BUILDS
    counted = open_builds.order_by().values_list("registration__client__name")
    full = counted.annotate(count=Count("pk")).filter(count__gte=limit)
    for name, count in list(full.order_by("registration__client__name")):
        yield Finding(
            rule=Rule.CLIENT_AT_LIMIT,
            subject=f"{name}, open builds",
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
                subject=f"{subject}, sessions",
                what=f"Asked for {count} sessions within an hour; LTD_SESSIONS_AN_HOUR is {limit}, "
                "so it can register no build.",
                change="Look for a job that requests a session for every call.",
            )
