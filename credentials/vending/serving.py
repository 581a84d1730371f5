"""Serve a session to who refreshes: again from memory while it is good, else a new one.

For SDKs that hang up after 2 s (botocore's `ContainerMetadataFetcher`) and then ask again. So
these calls are answered within 1.7 s; STS is asked once, in a thread of its own, and what comes
back after that is kept for the next ask. A thousand that ask at once cost one call of STS.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.db.models import Q
from django.utils import timezone
from prometheus_client import Counter

from builds.errors import BuildClosed
from builds.fixed_sql import Columns, fetch
from credentials.access.callers import Caller, Origin
from credentials.access.quotas import require_session
from credentials.errors import SessionWithheld, StsUnreachable
from credentials.models import Delivery, IssuedSession
from credentials.rules.durations import REFRESHING_FLOOR
from credentials.vending.issuing import PlannedSession, VendedSession, issue_planned, plan_session
from credentials.vending.memory import (
    Flights,
    KeptSessions,
    SessionKey,
    StillUnderWayError,
    TooManyUnderWayError,
)
from credentials.vending.signing import SigningIdentity
from credentials.vending.sts import ONE_LONG_ATTEMPT, AssumedSession

# What is counted about credentials, for `/metrics`. Never a label that callers choose.

refreshes = Counter(
    "ltdkeeper_refreshes",
    "Answers to SDKs that refresh. source: memory (served again), sts (issued for it), waited "
    "(issued for another that asked at the same time), none (it took too long).",
    ["source"],
)


ANSWER_SECONDS = 1.6
SERVING_IS_NOTED_EVERY = timedelta(minutes=1)
# Stores that hang leave no more than their share of threads to the others.
STORES_HANGING = 2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class KeptSession:
    """A session that was issued, and the ledger row that says so."""

    row_id: str
    assumed: AssumedSession


@cache
def _executor() -> ThreadPoolExecutor:
    threads = STORES_HANGING * settings.LTD_WEB_THREADS
    return ThreadPoolExecutor(threads, thread_name_prefix="issuing")


kept_sessions: KeptSessions[KeptSession] = KeptSessions()
flights: Flights[VendedSession] = Flights(_executor)


def serve_session(
    *, caller: Caller, build_id: int, delivery: Delivery, origin: Origin, now: datetime
) -> VendedSession:
    """A session with more than 16 minutes to live, for a refreshing delivery.

    What is in memory is served only if the database says, now, that the caller may have it and
    that nothing about it changed. Raises what `issue_session` raises, and StsUnreachable or
    OperationalError when STS or the database takes too long; the session is then there for the
    next ask.
    """
    plan = plan_to_serve(caller, build_id, delivery, now)
    key = session_key(caller, plan)
    if again := _from_memory(key, plan, now):
        return _counted("memory", again)
    _give_back_connections()  # the thread that issues needs one, and this one only waits
    vended, is_first = _join(_Issuing(key=key, plan=plan, origin=origin))
    if is_first:
        return _counted("sts", vended)
    return _counted("waited", _after_waiting(caller, build_id, delivery))


def _after_waiting(caller: Caller, build_id: int, delivery: Delivery) -> VendedSession:
    """What another had asked for, if this caller's right did not end while it waited."""
    now = timezone.now()
    plan = plan_to_serve(caller, build_id, delivery, now)
    with transaction.atomic():
        stands = plan.still_stands(now, lock=False)
    if stands and (again := _from_memory(session_key(caller, plan), plan, now)):
        return again
    raise SessionWithheld


def forget_build(build_id: int) -> None:
    """Drop what this process keeps for a build that closed; other processes do at the next ask."""
    kept_sessions.drop_build(build_id)


def plan_to_serve(
    caller: Caller, build_id: int, delivery: Delivery, now: datetime
) -> PlannedSession:
    """What a session would be today; what is kept of a build that closed is dropped."""
    try:
        return plan_session(caller=caller, build_id=build_id, delivery=delivery, now=now)
    except BuildClosed:
        forget_build(build_id)
        raise


def session_key(caller: Caller, plan: PlannedSession, *, signer_key_id: str = "") -> SessionKey:
    """By what a session is kept: whoever differs in any of it never gets it."""
    store = plan.build.product.store
    return SessionKey(
        build_id=plan.build.pk,
        delivery=plan.delivery.value,
        policy=plan.policy,
        seconds=plan.seconds,
        role_arn=store.role_arn,
        region=store.region,
        endpoint_url=store.endpoint_url,
        client_id=caller.client.pk,
        api_key_id=caller.api_key.pk if caller.api_key else None,
        job_token_id=caller.job_token.pk if caller.job_token else None,
        signer_key_id=signer_key_id,
    )


def _from_memory(key: SessionKey, plan: PlannedSession, now: datetime) -> VendedSession | None:
    """The session of a fresh plan, if it is in memory and its row says that it still holds."""
    if (kept := kept_sessions.get(key, now)) is None:
        return None
    row = reusable_row(kept.row_id, plan, now)
    if row is None:
        kept_sessions.drop(key)
        return None
    note_serving(row, now)
    return VendedSession(row=row, build=plan.build, assumed=kept.assumed)


SESSION = Columns(IssuedSession, "i")
REUSABLE = (
    f"SELECT {SESSION.sql} FROM credentials_issuedsession i WHERE i.id = %s"  # noqa: S608 - columns
    " AND i.build_id = %s AND i.policy = %s AND i.status = %s AND i.expires_at > %s"
)


def reusable_row(row_id: str, plan: PlannedSession, now: datetime) -> IssuedSession | None:
    """`IssuedSession.objects.reusable(now).for_build(...).filter(policy=...)`, made once."""
    at = connection.ops.adapt_datetimefield_value(now + timedelta(seconds=REFRESHING_FLOOR))
    issued = IssuedSession.Status.ISSUED.value
    found = fetch(REUSABLE, [row_id, plan.build.pk, plan.policy, issued, at], SESSION)
    return found[0] if found else None


def note_serving(row: IssuedSession, now: datetime) -> None:
    """Write down that a session was served again, at most once a minute."""
    if row.last_served_at and now - row.last_served_at < SERVING_IS_NOTED_EVERY:
        return
    longer_ago = Q(last_served_at=None) | Q(last_served_at__lte=now - SERVING_IS_NOTED_EVERY)
    try:
        IssuedSession.objects.filter(longer_ago, pk=row.pk).update(last_served_at=now)
    except OperationalError as err:
        # A busy database must not refuse who may have what is there.
        log.warning("serving_not_noted", session=row.pk, error=str(err))


def _join(work: "_Issuing") -> tuple[VendedSession, bool]:
    """The session under way, begun if there is none, within the time that SDKs wait."""
    key = work.key
    try:
        return flights.join(
            key=key,
            group=(key.region, key.endpoint_url),
            most=settings.LTD_WEB_THREADS,
            seconds=ANSWER_SECONDS,
            work=work,
        )
    except (StillUnderWayError, TooManyUnderWayError) as err:
        refreshes.labels(source="none").inc()
        begun = getattr(err, "work", None)
        waits_for_database = isinstance(begun, _Issuing) and not begun.is_asking_sts
        log.warning("refresh_not_in_time", build=key.build_id, database=waits_for_database)
        if waits_for_database:
            raise OperationalError("a session is not recorded yet") from err
        raise StsUnreachable from err


@dataclass(kw_only=True)
class _Issuing:
    """Issues and keeps a session, in a thread of its own, whoever still waits for it."""

    key: SessionKey
    plan: PlannedSession
    origin: Origin
    is_asking_sts: bool = False

    def __call__(self) -> VendedSession:
        _give_back_connections()
        try:
            now = timezone.now()
            # Another piece of work may have ended between the look into memory and this one.
            return _from_memory(self.key, self.plan, now) or self._issue(now)
        finally:
            _give_back_connections()

    def _issue(self, now: datetime) -> VendedSession:
        vended = issue_planned(
            plan=self.plan,
            origin=self.origin,
            now=now,
            patience=ONE_LONG_ATTEMPT,
            around_sts=self._noting(),
        )
        kept = KeptSession(row_id=vended.row.pk, assumed=vended.assumed)
        kept_sessions.keep(self.key, kept, vended.assumed.expires_at, now)
        return vended

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """What is waited for decides what those are told who can wait no longer."""
        self.is_asking_sts = True
        try:
            yield
        finally:
            self.is_asking_sts = False


def _give_back_connections() -> None:
    """To PostgreSQL's pool; SQLite's stay with their thread as long as their age allows."""
    for each in connections.all(initialized_only=True):
        if not each.in_atomic_block:
            each.close_if_unusable_or_obsolete()


def _counted(source: str, vended: VendedSession) -> VendedSession:
    refreshes.labels(source=source).inc()
    return vended


# The session that signs a build's requests: issued once, kept in memory to sign later batches.
#
# What is kept is served only while the database says what it said at issuing: a plan made anew is
# the same, the right to the build stands, and the row is one that may be served again. Nothing of
# it is stored, and losing it costs one more session.


def session_to_sign(
    *,
    caller: Caller,
    build_id: int,
    delivery: Delivery,
    origin: Origin,
    now: datetime,
    identity: SigningIdentity | None = None,
) -> VendedSession:
    """The kept session while more than half of its life, and 16 minutes, remain; else a new one.

    `identity` signs in place of a session. Raises as `issue_session` does.
    """
    plan = plan_to_serve(caller, build_id, delivery, now)
    key = session_key(caller, plan, signer_key_id=identity.access_key_id if identity else "")
    if again := _kept(key, plan, now):
        return again
    require_session(caller=caller, now=now)
    stand_in = identity.stand_in if identity else None
    vended = issue_planned(plan=plan, origin=origin, now=now, stand_in=stand_in)
    kept = KeptSession(row_id=vended.row.pk, assumed=vended.assumed)
    kept_sessions.keep(key, kept, vended.assumed.expires_at, now)
    return vended


def _kept(key: SessionKey, plan: PlannedSession, now: datetime) -> VendedSession | None:
    """The kept session of a fresh plan, if its row and the right to it say that it still holds."""
    kept = kept_sessions.get(key, now)
    if kept is None or kept.assumed.expires_at - now < timedelta(seconds=plan.seconds / 2):
        return None
    with transaction.atomic(durable=True):
        if not plan.still_stands(now, lock=True):
            raise SessionWithheld
        rows = IssuedSession.objects.reusable(now).for_build(plan.build)
        row = rows.filter(pk=kept.row_id, policy=plan.policy).first()
    if row is None:
        kept_sessions.drop(key)
        return None
    note_serving(row, now)
    return VendedSession(row=row, build=plan.build, assumed=kept.assumed)
