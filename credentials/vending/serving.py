"""Serve a session from memory while it lasts long enough, else a new one: to SDKs and for signing.

SDKs that refresh hang up after 2 s (botocore's `ContainerMetadataFetcher`) and then try again. So
these calls get a response within 1.7 s; STS is called once, in a separate thread, and a later
result is kept for the next call. A thousand concurrent requests cost one call of STS.

A cached session is served only if the database confirms that the caller may have it, that a newly
made plan is the same, and that its ledger row still says `issued`.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import cache, partial

import structlog
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone
from prometheus_client import Counter

from builds.errors import BuildClosed
from builds.fixed_sql import Columns, around_lock, fetch, relate
from builds.models import Build
from credentials.access.callers import Caller, Origin, note_use
from credentials.access.quotas import session_quota
from credentials.access.rights import owned_build
from credentials.errors import SessionNotReady, SessionWithheld
from credentials.models import Delivery, IssuedSession
from credentials.vending.issuing import Plan, VendedSession, plan_session, request_session
from credentials.vending.memory import (
    MINIMUM_REMAINING,
    NotReadyError,
    SessionCache,
    SessionKey,
    SingleFlight,
)
from credentials.vending.store_clients import AccessKey
from credentials.vending.sts import ONE_LONG_ATTEMPT, AssumedSession

ANSWER_SECONDS = 1.6
# Stores that hang leave no more than their share of threads to the others.
STORES_HANGING = 2

log = structlog.get_logger(__name__)

refreshes = Counter(
    "ltdkeeper_refreshes",
    (
        "Responses to SDKs that refresh. source: memory (cached), sts (newly issued), "
        "waited (issued for a concurrent caller), none (it took too long)."
    ),
    ["source"],  # never a label that callers choose
)


@cache
def _executor() -> ThreadPoolExecutor:
    threads = STORES_HANGING * settings.LTD_WEB_THREADS
    return ThreadPoolExecutor(threads, thread_name_prefix="issuing")


# Each session with the id of the ledger row that says it was issued.
session_cache: SessionCache[tuple[str, AssumedSession]] = SessionCache()
single_flight: SingleFlight[VendedSession] = SingleFlight(_executor)


def serve_session(
    *, caller: Caller, build: Build, delivery: Delivery, origin: Origin, now: datetime
) -> VendedSession:
    """A session with more than 16 minutes to live, for a build that was just found to be the
    caller's, to an SDK that refreshes.

    Raises what `plan_session` and `request_session` raise, and SessionNotReady when that takes too
    long; the session is then there for the next ask.
    """
    plan = plan_to_serve(caller, build, delivery, now)
    key = session_key(caller, plan)
    if again := _from_memory(key, plan, now):
        return _counted("memory", again)
    give_back_connections()  # the thread that issues needs one, and this one only waits
    store = build.product.store
    try:
        vended, is_first = single_flight.do(
            key,
            partial(_issue, caller, plan, key, origin),
            group=(store.region, store.endpoint_url),
            limit=settings.LTD_WEB_THREADS,
            seconds=ANSWER_SECONDS,
        )
    except NotReadyError as err:
        refreshes.labels(source="none").inc()
        log.warning("refresh_not_in_time", build=build.pk)
        raise SessionNotReady from err
    if is_first:
        return _counted("sts", vended)
    return _counted("waited", _after_waiting(caller, plan))


def _issue(caller: Caller, plan: Plan, key: SessionKey, origin: Origin) -> VendedSession:
    """Issue and keep a planned session, in a thread of its own, whoever still waits for it."""
    give_back_connections()
    try:
        now = timezone.now()
        # Another thread may have issued one since this one's caller looked into the memory.
        if again := _from_memory(key, plan, now):
            return again
        vended = request_session(
            plan.row(caller, origin, now), right=plan.right(caller), patience=ONE_LONG_ATTEMPT
        )
        keep_session(key, vended, now)
        return vended
    finally:
        give_back_connections()


def _after_waiting(caller: Caller, planned: Plan) -> VendedSession:
    """What another had asked for, if this caller's right did not end while it waited."""
    now = timezone.now()
    build = owned_build(caller=caller, build_id=planned.build.pk)
    plan = plan_to_serve(caller, build, planned.delivery, now)
    again = serve_again(caller, session_key(caller, plan), plan, now)
    if again is None:
        raise SessionWithheld
    return again


def session_to_sign(
    *,
    caller: Caller,
    build: Build,
    delivery: Delivery,
    origin: Origin,
    now: datetime,
    signer: AccessKey | None = None,
) -> VendedSession:
    """The kept session while more than half of its life, and 16 minutes, remain; else a new one.

    The build was just found to be the caller's. `signer` signs in place of a session. Raises
    TooManySessions, and what `plan_session` and `request_session` raise.
    """
    plan = plan_to_serve(caller, build, delivery, now)
    key, half = session_key(caller, plan, signer), timedelta(seconds=plan.duration_seconds / 2)
    if again := serve_again(caller, key, plan, now, remaining=half, lock=True):
        return again
    vended = request_session(
        plan.row(caller, origin, now),
        right=plan.right(caller),
        quota=session_quota(caller=caller, now=now),
        signer=signer,
    )
    keep_session(key, vended, now)
    return vended


def forget_build(build_id: int) -> None:
    """Drop what this process keeps for a build that closed; other processes do at the next ask."""
    session_cache.drop_build(build_id)


def plan_to_serve(caller: Caller, build: Build, delivery: Delivery, now: datetime) -> Plan:
    """What a session would be today; what is kept of a build that closed is dropped."""
    try:
        return plan_session(caller=caller, build=build, delivery=delivery, now=now)
    except BuildClosed:
        forget_build(build.pk)
        raise


def session_key(caller: Caller, plan: Plan, signer: AccessKey | None = None) -> SessionKey:
    """Under what a planned session is kept: a caller that differs in any of it never gets it."""
    build, key, job = plan.build, caller.api_key, caller.job_token
    store = build.product.store
    return SessionKey(
        build_id=build.pk,
        asker=(caller.client.pk, key and key.pk, job and job.pk),
        scope=(
            plan.delivery,
            plan.policy,
            plan.duration_seconds,
            store.role_arn,
            store.region,
            store.endpoint_url,
            signer and signer.access_key_id,
        ),
    )


def keep_session(key: SessionKey, vended: VendedSession, now: datetime) -> None:
    expires_at = vended.assumed.expires_at
    session_cache.keep(key, (vended.row.pk, vended.assumed), expires_at, now)


def serve_again(
    caller: Caller,
    key: SessionKey,
    plan: Plan,
    now: datetime,
    *,
    remaining: timedelta = MINIMUM_REMAINING,
    lock: bool = False,
) -> VendedSession | None:
    """What is in memory for a planned session, where the caller's right is checked once more.

    Raises SessionWithheld if the right has ended. What is about to be signed lives for hours, so
    there the right is locked: a client that is being disabled is waited for. Callers that only
    waited get theirs without locks, since hundreds at once would wait for each other.
    """
    if session_cache.get(key, now, remaining=remaining) is None:
        return None
    right = plan.right(caller)(now=now, lock=lock)
    with around_lock() if lock else nullcontext():
        if fetch(*right) is None:
            raise SessionWithheld
    return _from_memory(key, plan, now)


def _from_memory(key: SessionKey, plan: Plan, now: datetime) -> VendedSession | None:
    """What is in memory for a planned session, if its row says that it still holds."""
    if (cached := session_cache.get(key, now)) is None:
        return None
    row_id, assumed = cached
    row = reusable_row(row_id, plan, now)
    if row is None:
        session_cache.drop(key)
        return None
    relate(row, build=plan.build)
    note_use(row, "last_served_at", now)
    return VendedSession(row=row, assumed=assumed)


# All that is read of a row that is served again.
SERVED = Columns(IssuedSession, "i", only=["id", "last_served_at"])
REUSABLE = (
    f"SELECT {SERVED.sql} FROM credentials_issuedsession i WHERE i.id = %s"  # noqa: S608 - columns
    " AND i.build_id = %s AND i.policy = %s AND i.status = %s AND i.expires_at > %s"
    " AND i.revoked_at IS NULL"
)


def reusable_row(row_id: str, plan: Plan, now: datetime) -> IssuedSession | None:
    """`IssuedSession.objects.reusable(now).for_build(...).filter(policy=...)`, made once."""
    at = connection.ops.adapt_datetimefield_value(now + MINIMUM_REMAINING)
    issued = IssuedSession.Status.ISSUED.value
    found = fetch(REUSABLE, [row_id, plan.build.pk, plan.policy, issued, at], SERVED)
    return found[0] if found else None


def give_back_connections() -> None:
    """To PostgreSQL's pool; SQLite's stay with their thread as long as their age allows."""
    for each in connections.all(initialized_only=True):
        if not each.in_atomic_block:
            each.close_if_unusable_or_obsolete()


def _counted(source: str, vended: VendedSession) -> VendedSession:
    refreshes.labels(source=source).inc()
    return vended
