"""For every rule of the audit: the ledger in a state that breaks it, and one that just does not."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from builds.models import Build, Product
from credentials.models import ApiKey, Client, IssuedSession
from credentials.operations.findings import Rule
from tests.credentials.ledger_rows import NOW, failed_row, issued_row, requested_row

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
QUARTER = timedelta(days=90)

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
    "marked build, deleted": lambda build, client: Build.objects.update(
        written_without_session=True, deleted_at=NOW - HOUR
    ),
}
