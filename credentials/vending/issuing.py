"""Issue a session: check, record, assume, complete, answer.

No credential leaves without a committed ledger row. The row is inserted and committed before STS
is called, STS is called outside any transaction, and one transaction that locks the right to the
build re-checks it before the row says `issued`. Otherwise the credentials are dropped here.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from builds.errors import BuildClosed, DomainError
from builds.fixed_sql import insert, update
from builds.models import Build, Store
from credentials.access.callers import Caller, Origin
from credentials.access.quotas import require_session
from credentials.access.rights import closable_build, owned_build, right_still_stands
from credentials.errors import IsolationNotProven, PolicyTooLarge, SessionWithheld, StsBadAnswer
from credentials.models import INSIDE, Client, Delivery, IssuedSession, new_ledger_id
from credentials.models.runs import IsolationRun
from credentials.vending.scope import duration_for, policy_for, scope_of
from credentials.vending.sts import USUAL, AssumedSession, Patience, assume_role

# Refuse to issue for a store that no check has proven, where the operator wants it so.


def require_isolation(*, store: Store) -> None:
    """Under `LTD_REQUIRE_ISOLATION_CHECK`: IsolationNotProven unless the last check passed."""
    if not settings.LTD_REQUIRE_ISOLATION_CHECK:
        return
    last = IsolationRun.objects.last_of(store)
    if last is None or not last.passed:
        raise IsolationNotProven


SESSION_NAME_LENGTH = 64
AGENT_LENGTH = 255
ADDRESS_LENGTH = 45

# What is known of a session only once STS has answered.
COMPLETED = (
    "status",
    "completed_at",
    "expires_at",
    "access_key_id",
    "assumed_role_id",
    "packed_policy_percent",
    "sts_request_id",
)

log = structlog.get_logger(__name__)

NOTHING_AROUND = nullcontext()

# Seconds and now -> a key of its own that stands in for a session.
StandIn = Callable[[int, datetime], AssumedSession]


class StillStands(Protocol):
    """Whether a right stands at a moment."""

    def __call__(self, now: datetime, *, lock: bool) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class PlannedSession:
    """What a session will be and for whom: all that its ledger row says before STS is asked.

    `still_stands` tells, inside a transaction, whether the right to it stands at a moment; and,
    if asked to, locks what that rests on.
    """

    build: Build
    delivery: Delivery
    policy: str
    seconds: int
    client: Client | None
    client_name: str
    token_name: str
    still_stands: StillStands


@dataclass(frozen=True, kw_only=True)
class VendedSession:
    """A session with its committed ledger row: what an answer is made of."""

    row: IssuedSession
    build: Build
    assumed: AssumedSession


def issue_session(
    *,
    caller: Caller,
    build_id: int,
    delivery: Delivery,
    origin: Origin,
    now: datetime,
    asked_seconds: int | None = None,
    stand_in: StandIn | None = None,
) -> VendedSession:
    """A session limited to one build of the caller's.

    `stand_in` gives the key that signs in place of a session, for stores that take no presigned
    POSTs of sessions: recorded and held to the same rules, but STS is not asked.

    Raises TooManySessions, and what `plan_session` and `issue_planned` raise.
    """
    plan = plan_session(
        caller=caller, build_id=build_id, delivery=delivery, now=now, asked_seconds=asked_seconds
    )
    if delivery not in INSIDE:
        require_session(caller=caller, now=now)
    return issue_planned(plan=plan, origin=origin, now=now, stand_in=stand_in)


def plan_session(
    *,
    caller: Caller,
    build_id: int,
    delivery: Delivery,
    now: datetime,
    asked_seconds: int | None = None,
) -> PlannedSession:
    """What a session for the caller's build would be today, made from today's rows.

    Raises UnknownBuild, ProductNotGranted, NotYourBuild, BuildClosed, IsolationNotProven,
    DurationOutOfRange, ScopeChanged, PolicyTooLarge.
    """
    find = closable_build if delivery in INSIDE else owned_build
    build = find(caller=caller, build_id=build_id)
    if not build.is_open(now):
        raise BuildClosed(build.state(now))
    if delivery not in INSIDE:
        require_isolation(store=build.product.store)
    return PlannedSession(
        build=build,
        delivery=delivery,
        policy=policy_for(build, delivery),
        seconds=duration_for(build, delivery, asked_seconds),
        client=caller.client,
        client_name=caller.client.name,
        token_name=caller.token_name,
        still_stands=lambda now, *, lock: right_still_stands(
            caller=caller, build_id=build.pk, to_write=delivery not in INSIDE, now=now, lock=lock
        ),
    )


def issue_planned(
    *,
    plan: PlannedSession,
    origin: Origin,
    now: datetime,
    patience: Patience = USUAL,
    stand_in: StandIn | None = None,
    around_sts: AbstractContextManager[object] = NOTHING_AROUND,
) -> VendedSession:
    """Record, ask STS, and complete the row if the right still stands.

    The plan must be fresh: its policy goes to STS as it is. STS is asked within `around_sts`.
    Raises PolicyTooLarge, an StsError, or SessionWithheld.
    """
    row = _record(plan, origin, now, by_identity=bool(stand_in))
    with around_sts:
        assumed = stand_in(plan.seconds, now) if stand_in else _assume(row, plan, now, patience)
    try:
        _complete(row, plan, assumed)
    except IntegrityError as err:
        # The ledger takes no access key twice: what STS answered belongs to another session.
        _record_failure(row, bad := StsBadAnswer())
        log.error("session_not_recorded", session=row.pk, error=type(err).__name__)
        raise bad from None
    return VendedSession(row=row, build=plan.build, assumed=assumed)


def _record(
    plan: PlannedSession, origin: Origin, now: datetime, *, by_identity: bool
) -> IssuedSession:
    """Insert the ledger row and commit it; `durable` refuses to run inside a transaction."""
    ledger_id, build = new_ledger_id(), plan.build
    row = IssuedSession(
        id=ledger_id,
        delivery=plan.delivery,
        store=build.product.store,
        build=build,
        client=plan.client,
        store_name=build.product.store.name,
        product_slug=build.product.slug,
        build_slug=build.slug,
        client_name=plan.client_name,
        token_name=plan.token_name,
        bucket_name=build.bucket_name,
        root=build.root,
        policy=plan.policy,
        duration_seconds=plan.seconds,
        signed_by_identity=by_identity,
        role_arn="" if by_identity else build.product.store.role_arn,
        session_name=f"{ledger_id}-{build.product.slug}"[:SESSION_NAME_LENGTH],
        caller_address=origin.address[:ADDRESS_LENGTH],
        caller_agent=origin.agent[:AGENT_LENGTH],
        requested_at=now,
    )
    with transaction.atomic(durable=True):
        insert(row)
    return row


def _assume(
    row: IssuedSession, plan: PlannedSession, now: datetime, patience: Patience
) -> AssumedSession:
    try:
        return assume_role(
            store=plan.build.product.store,
            session_name=row.session_name,
            policy=plan.policy,
            duration_seconds=plan.seconds,
            now=now,
            patience=patience,
        )
    except PolicyTooLarge as err:
        _record_failure(row, err)
        longest = scope_of(plan.build).longest_name
        message = (
            f"The store finds the session policy too large. The longest name is the {longest}."
        )
        raise PolicyTooLarge(message) from err
    except DomainError as err:
        _record_failure(row, err)
        raise


def _record_failure(row: IssuedSession, err: DomainError) -> None:
    """Best effort: a row that cannot be updated stays `requested`, which the audit reports."""
    try:
        IssuedSession.objects.requested().filter(pk=row.pk).update(
            status=IssuedSession.Status.FAILED,
            failure_code=err.code,
            completed_at=timezone.now(),
        )
    except DatabaseError as database_error:
        log.error("failure_not_recorded", session=row.pk, error=str(database_error))


def _complete(row: IssuedSession, plan: PlannedSession, assumed: AssumedSession) -> None:
    """Write down what was issued, if the right to it still stands; else withhold it."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        stands = plan.still_stands(now, lock=True)
        status = IssuedSession.Status.ISSUED if stands else IssuedSession.Status.WITHHELD
        row.status, row.completed_at, row.expires_at = status.value, now, assumed.expires_at
        row.access_key_id = assumed.access_key_id
        row.assumed_role_id = assumed.assumed_role_id
        row.packed_policy_percent = assumed.packed_policy_percent
        row.sts_request_id = assumed.request_id
        completed = update(row, COMPLETED, status=IssuedSession.Status.REQUESTED.value)
    if not stands or not completed:
        raise SessionWithheld
