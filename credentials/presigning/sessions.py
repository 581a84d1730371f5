"""The session that signs a build's requests: issued once, kept in memory to sign later batches.

What is kept is served only while the database says what it said at issuing: a plan made anew is
the same, the right to the build stands, and the row is one that may be served again. Nothing of
it is stored, and losing it costs one more session.
"""

from datetime import datetime, timedelta

from django.db import transaction

from credentials.access.callers import Caller
from credentials.access.origins import Origin
from credentials.access.quotas import require_session
from credentials.errors import SessionWithheld
from credentials.issuing import PlannedSession, VendedSession, issue_planned
from credentials.models import Delivery, IssuedSession
from credentials.presigning.identities import SigningIdentity
from credentials.reusing.kept import SessionKey
from credentials.reusing.serving import (
    KeptSession,
    kept_sessions,
    note_serving,
    plan_to_serve,
    session_key,
)


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
