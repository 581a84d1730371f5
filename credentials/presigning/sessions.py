"""The session that signs a build's requests: issued once, kept in memory to sign later batches.

What is kept is served only while the database says what it said at issuing: the caller owns the
build, it is open, everything that was shown is alive, the row is `issued`, and a policy made anew
equals the row's. Nothing of it is stored, and losing it costs one more session.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from builds.errors import BuildClosed
from builds.models import Build
from credentials.access.callers import Caller
from credentials.access.locking import right_still_stands
from credentials.access.ownership import owned_build
from credentials.errors import SessionWithheld
from credentials.isolation.requiring import require_isolation
from credentials.issuing import StandIn, VendedSession, issue_session
from credentials.models import Delivery, IssuedSession
from credentials.presigning.memory import BoundedMemory
from credentials.scoping import policy_for
from credentials.sts import AssumedSession
from ltdkeeper.origins import Origin

KEPT_SESSIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """Whose session it is, and for what: nobody else is served it."""

    build_id: int
    delivery: Delivery
    client_id: int
    api_key_id: int | None
    job_token_id: int | None


kept_sessions: BoundedMemory[Purpose, VendedSession] = BoundedMemory(KEPT_SESSIONS)


def session_to_sign(
    *,
    caller: Caller,
    build_id: int,
    delivery: Delivery,
    origin: Origin,
    now: datetime,
    stand_in: StandIn | None = None,
) -> VendedSession:
    """The kept session while more than half of its life remains, else a new one.

    Raises as `issue_session` does.
    """
    purpose = Purpose(
        build_id=build_id,
        delivery=delivery,
        client_id=caller.client.pk,
        api_key_id=caller.api_key.pk if caller.api_key else None,
        job_token_id=caller.job_token.pk if caller.job_token else None,
    )
    kept = kept_sessions.find(purpose)
    if kept and _has_life(kept.row, now) and _is_same_signer(kept.assumed, stand_in, now):
        if again := _served_again(kept, caller, delivery, now):
            return again
        kept_sessions.forget(purpose)
    vended = issue_session(
        caller=caller,
        build_id=build_id,
        delivery=delivery,
        origin=origin,
        now=now,
        stand_in=stand_in,
    )
    kept_sessions.keep(purpose, vended)
    return vended


def _served_again(
    kept: VendedSession, caller: Caller, delivery: Delivery, now: datetime
) -> VendedSession | None:
    """The kept session, if the right to it stands and it still is what would be issued."""
    build = owned_build(caller=caller, build_id=kept.build.pk)
    if not build.is_open(now):
        raise BuildClosed
    require_isolation(store=build.product.store)
    policy = policy_for(build, delivery)
    with transaction.atomic(durable=True):
        if not right_still_stands(caller=caller, build_id=build.pk, now=now):
            raise SessionWithheld
        row = IssuedSession.objects.issued().filter(pk=kept.row.pk).first()
        if row is None or row.policy != policy or not _is_same_role(row, build):
            return None
    return VendedSession(row=row, build=build, assumed=kept.assumed)


def _is_same_role(row: IssuedSession, build: Build) -> bool:
    store = build.product.store
    return row.store_id == store.pk and (row.signed_by_identity or row.role_arn == store.role_arn)


def _has_life(row: IssuedSession, now: datetime) -> bool:
    half = timedelta(seconds=row.duration_seconds / 2)
    return row.expires_at is not None and row.expires_at - now > half


def _is_same_signer(kept: AssumedSession, stand_in: StandIn | None, now: datetime) -> bool:
    """Whether a session signs as before, or the same key stands in for one."""
    has_token = bool(kept.session_token.reveal())
    if stand_in is None:
        return has_token
    return not has_token and stand_in(0, now).access_key_id == kept.access_key_id
