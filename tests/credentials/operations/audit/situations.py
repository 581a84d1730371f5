"""For every rule of the audit: the ledger in a state that breaks it, and one that just does not."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from builds.models import Build, Product
from credentials.models import ApiKey, Client, Grant, IssuedSession
from credentials.operations.findings import Rule
from tests.credentials.ledger_rows import NOW, failed_row, issued_row, requested_row

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DAY, QUARTER = timedelta(days=1), timedelta(days=90)

Situation = Callable[[Build, Client], object]


def session(build: Build, client: Client, **changes: object) -> IssuedSession:
    return issued_row(build=build, client=client, root=build.root, **changes)


def key(client: Client, number: int = 0, **changes: object) -> ApiKey:
    fields = {"public_id": f"{number:012d}", "secret_sha256": "0" * 64}
    return ApiKey.objects.create(client=client, **(fields | changes))


def with_build(**fields: object) -> Situation:
    """A live session of a build in that state."""

    def arrange(build: Build, client: Client) -> None:
        Build.objects.filter(pk=build.pk).update(**fields)
        session(build, client)

    return arrange


def of_disabled_client(build: Build, client: Client) -> None:
    Client.objects.filter(pk=client.pk).update(is_active=False)
    session(build, client)


def with_product_seconds(seconds: int) -> Situation:
    """A session of 1800 seconds where the product's duration is that today."""

    def arrange(build: Build, client: Client) -> None:
        Product.objects.update(session_seconds=seconds)
        session(build, client, requested_at=NOW, expires_at=NOW + timedelta(seconds=3600))

    return arrange


def expiring_key(client: Client, *, created_at: datetime, **fields: object) -> None:
    made = key(client, expires_at=NOW + HOUR, **fields)
    ApiKey.objects.filter(pk=made.pk).update(created_at=created_at)


def with_limits(*, open_builds: int = 1000, sessions: int = 600, **changes: object) -> Situation:
    """One open build and two sessions, of which one failed, where those are the limits."""

    def arrange(build: Build, client: Client) -> None:
        settings.LTD_OPEN_BUILDS, settings.LTD_SESSIONS_AN_HOUR = open_builds, sessions
        session(build, client, **changes)
        failed_row(client=client, **changes)

    return arrange


def with_many(**changes: object) -> Situation:
    """Twenty sessions of the build within a day, where other builds of the product had four."""

    def arrange(build: Build, client: Client) -> None:
        for root in ("guide/builds/a", "guide/builds/b"):
            _sessions(4, build, client, root=root)
        Grant.objects.get_or_create(client=client, product=build.product)
        _sessions(20, build, client, **changes)

    return arrange


def _sessions(count: int, build: Build, client: Client, **changes: object) -> None:
    over = {"requested_at": NOW - 23 * HOUR, "expires_at": NOW - 22 * HOUR, "root": build.root}
    for number in range(count):
        address = f"192.0.2.{number}" if changes.get("caller_address") else "192.0.2.1"
        fields = over | changes | {"caller_address": address}
        issued_row(build=build, client=client, **fields)


def without_grant(build: Build, client: Client) -> None:
    other = Product.objects.create(slug="other", store=build.product.store, surrogate_key="b" * 32)
    Grant.objects.update(product=other)
    session(build, client)


FINDINGS: dict[str, tuple[Rule, Situation]] = {
    "row without outcome": (
        Rule.STUCK,
        lambda build, client: requested_row(requested_at=NOW - 2 * MINUTE - SECOND),
    ),
    "longer than the product's": (Rule.TOO_LONG, with_product_seconds(1800)),
    "longer than refreshing is given": (Rule.TOO_LONG, with_product_seconds(900)),
    "longer than the role's": (
        Rule.TOO_LONG,
        lambda build, client: session(build, client, expires_at=NOW + 2 * HOUR),
    ),
    "listing session that lives too long": (
        Rule.TOO_LONG,
        lambda build, client: session(build, client, delivery="list", expires_at=NOW + 2 * HOUR),
    ),
    "build finished": (Rule.BUILD_CLOSED, with_build(finished_at=NOW - SECOND)),
    "build deleted": (Rule.BUILD_CLOSED, with_build(deleted_at=NOW - SECOND)),
    "build out of time": (
        Rule.BUILD_CLOSED,
        with_build(registered_at=NOW - HOUR, open_until=NOW - SECOND),
    ),
    "client disabled": (Rule.CLIENT_DISABLED, of_disabled_client),
    "key without expiry": (Rule.KEY_WITHOUT_EXPIRY, lambda build, client: key(client)),
    "key never used": (
        Rule.KEY_UNUSED,
        lambda build, client: expiring_key(client, created_at=NOW - QUARTER - SECOND),
    ),
    "key used long ago": (
        Rule.KEY_UNUSED,
        lambda build, client: expiring_key(
            client, created_at=NOW - 2 * QUARTER, last_used_at=NOW - QUARTER - SECOND
        ),
    ),
    "as many open builds as may be": (Rule.CLIENT_AT_LIMIT, with_limits(open_builds=1)),
    "as many sessions as may be": (Rule.CLIENT_AT_LIMIT, with_limits(sessions=2)),
    "job with as many sessions as may be": (
        Rule.CLIENT_AT_LIMIT,
        with_limits(sessions=2, token_name="ltdk_0123456789ab/ltdj_0123456789ab"),
    ),
    "policy nearly full": (
        Rule.POLICY_NEARLY_FULL,
        lambda build, client: session(build, client, packed_policy_percent=81),
    ),
    "many sessions": (Rule.MANY_SESSIONS, with_many()),
    "many addresses": (
        Rule.MANY_ADDRESSES,
        lambda build, client: _sessions(5, build, client, caller_address="several"),
    ),
    "grant removed": (Rule.NOT_GRANTED, without_grant),
    "out of time for a day": (
        Rule.BUILD_EXPIRED,
        lambda build, client: Build.objects.update(
            registered_at=NOW - 2 * DAY, open_until=NOW - DAY
        ),
    ),
    "build written without session": (
        Rule.FOREIGN_WRITE,
        lambda build, client: Build.objects.update(written_without_session=True),
    ),
}

QUIET: dict[str, Situation] = {
    "row just asked": lambda build, client: requested_row(requested_at=NOW - 2 * MINUTE),
    "withheld session": lambda build, client: session(build, client, status="withheld"),
    "session of an open build": session,
    "listing session of a finished build": lambda build, client: [
        Build.objects.filter(pk=build.pk).update(finished_at=NOW - SECOND),
        session(build, client, delivery="list"),
    ],
    "probe of a disabled client": lambda build, client: [
        Client.objects.filter(pk=client.pk).update(is_active=False),
        session(build, client, delivery="probe"),
    ],
    "session without a build": lambda build, client: issued_row(client=client),
    "session as long as the product's": with_product_seconds(3600),
    "over long but over": lambda build, client: session(
        build, client, requested_at=NOW - 9 * HOUR, expires_at=NOW
    ),
    "session of a finished build, over": lambda build, client: [
        Build.objects.filter(pk=build.pk).update(finished_at=NOW - HOUR),
        session(build, client, expires_at=NOW),
    ],
    "disabled client, session over": lambda build, client: [
        Client.objects.filter(pk=client.pk).update(is_active=False),
        session(build, client, expires_at=NOW),
    ],
    "revoked key": lambda build, client: key(client, revoked_at=NOW - HOUR),
    "key of a disabled client": lambda build, client: [
        key(client),
        Client.objects.filter(pk=client.pk).update(is_active=False),
    ],
    "key made 90 days ago, never used": lambda build, client: expiring_key(
        client, created_at=NOW - QUARTER
    ),
    "old key in use": lambda build, client: expiring_key(
        client, created_at=NOW - 2 * QUARTER, last_used_at=NOW - QUARTER
    ),
    "unused key that is revoked": lambda build, client: expiring_key(
        client, created_at=NOW - 2 * QUARTER, revoked_at=NOW - HOUR
    ),
    "room for one build and one session more": with_limits(open_builds=2, sessions=3),
    "as many sessions, an hour ago": with_limits(
        sessions=2, requested_at=NOW - HOUR, expires_at=NOW
    ),
    "disabled client at its limits": lambda build, client: [
        with_limits(open_builds=1, sessions=2, requested_at=NOW, expires_at=NOW)(build, client),
        Client.objects.filter(pk=client.pk).update(is_active=False),
    ],
    "policy of 80 %": lambda build, client: session(build, client, packed_policy_percent=80),
    "full policy of the day before": lambda build, client: session(
        build, client, packed_policy_percent=99, requested_at=NOW - DAY - SECOND, expires_at=NOW
    ),
    "nineteen sessions": lambda build, client: _sessions(19, build, client),
    "many sessions, of the day before": with_many(
        requested_at=NOW - DAY, expires_at=NOW - 23 * HOUR
    ),
    "four addresses": lambda build, client: _sessions(4, build, client, caller_address="several"),
    "grant removed, listing session": lambda build, client: [
        Grant.objects.all().delete(),
        session(build, client, delivery="list"),
    ],
    "grant removed, session over": lambda build, client: [
        Grant.objects.all().delete(),
        session(build, client, expires_at=NOW),
    ],
    "out of time for less than a day": lambda build, client: Build.objects.update(
        registered_at=NOW - 2 * DAY, open_until=NOW - DAY + SECOND
    ),
    "out of time, deleted": lambda build, client: Build.objects.update(
        registered_at=NOW - 3 * DAY, open_until=NOW - 2 * DAY, deleted_at=NOW
    ),
    "marked build, deleted": lambda build, client: Build.objects.update(
        written_without_session=True, deleted_at=NOW - HOUR
    ),
}
