"""Issue a session: check, record, assume, complete, answer.

No credential leaves without a committed ledger row. The row is inserted and committed before STS
is called, STS is called outside any transaction, and one transaction that locks the right to the
build re-checks it before the row says `issued`. Otherwise the credentials are dropped here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import DatabaseError, transaction
from django.utils import timezone

from builds.errors import BuildClosed
from builds.models import Build
from credentials.access.callers import Caller
from credentials.access.locking import right_still_stands
from credentials.access.ownership import closable_build, owned_build
from credentials.errors import PolicyTooLarge, SessionWithheld
from credentials.isolation.requiring import require_isolation
from credentials.models import INSIDE, Delivery, IssuedSession, new_ledger_id
from credentials.scoping import duration_for, policy_for, scope_of
from credentials.sts import AssumedSession, assume_role
from ltdkeeper.errors import DomainError
from ltdkeeper.origins import Origin

SESSION_NAME_LENGTH = 64
AGENT_LENGTH = 255
ADDRESS_LENGTH = 45

log = structlog.get_logger(__name__)

# Seconds and now -> a key of its own that stands in for a session.
StandIn = Callable[[int, datetime], AssumedSession]


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

    Raises UnknownBuild, ProductNotGranted, NotYourBuild, BuildClosed, DurationOutOfRange,
    ScopeChanged, PolicyTooLarge, an StsError, or SessionWithheld.
    """
    find = closable_build if delivery in INSIDE else owned_build
    build = find(caller=caller, build_id=build_id)
    if not build.is_open(now):
        raise BuildClosed
    if delivery not in INSIDE:
        require_isolation(store=build.product.store)
    seconds = duration_for(build, delivery, asked_seconds)
    policy = policy_for(build, delivery)
    row = _record(build, caller, delivery, origin, policy, seconds, now, by_identity=bool(stand_in))
    assumed = stand_in(seconds, now) if stand_in else _assume(row, build, policy, seconds, now)
    _complete(row, build, caller, assumed)
    return VendedSession(row=row, build=build, assumed=assumed)


def _record(
    build: Build,
    caller: Caller,
    delivery: Delivery,
    origin: Origin,
    policy: str,
    seconds: int,
    now: datetime,
    *,
    by_identity: bool,
) -> IssuedSession:
    """Insert the ledger row and commit it; `durable` refuses to run inside a transaction."""
    ledger_id = new_ledger_id()
    with transaction.atomic(durable=True):
        return IssuedSession.objects.create(
            id=ledger_id,
            delivery=delivery,
            store=build.product.store,
            build=build,
            client=caller.client,
            store_name=build.product.store.name,
            product_slug=build.product.slug,
            build_slug=build.slug,
            client_name=caller.client.name,
            token_name=caller.token_name,
            bucket_name=build.bucket_name,
            root=build.root,
            policy=policy,
            duration_seconds=seconds,
            signed_by_identity=by_identity,
            role_arn="" if by_identity else build.product.store.role_arn,
            session_name=f"{ledger_id}-{build.product.slug}"[:SESSION_NAME_LENGTH],
            caller_address=origin.address[:ADDRESS_LENGTH],
            caller_agent=origin.agent[:AGENT_LENGTH],
            requested_at=now,
        )


def _assume(
    row: IssuedSession, build: Build, policy: str, seconds: int, now: datetime
) -> AssumedSession:
    try:
        return assume_role(
            store=build.product.store,
            session_name=row.session_name,
            policy=policy,
            duration_seconds=seconds,
            now=now,
        )
    except PolicyTooLarge as err:
        _record_failure(row, err)
        longest = scope_of(build).longest_name
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


def _complete(row: IssuedSession, build: Build, caller: Caller, assumed: AssumedSession) -> None:
    """Write down what was issued, if the right to it still stands; else withhold it."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        stands = right_still_stands(
            caller=caller, build_id=build.pk, to_write=row.delivery not in INSIDE, now=now
        )
        status = IssuedSession.Status.ISSUED if stands else IssuedSession.Status.WITHHELD
        row.status, row.completed_at, row.expires_at = status, now, assumed.expires_at
        row.access_key_id = assumed.access_key_id
        row.assumed_role_id = assumed.assumed_role_id
        row.packed_policy_percent = assumed.packed_policy_percent
        row.sts_request_id = assumed.request_id
        completed = (
            IssuedSession.objects.requested()
            .filter(pk=row.pk)
            .update(
                status=row.status,
                completed_at=row.completed_at,
                expires_at=row.expires_at,
                access_key_id=row.access_key_id,
                assumed_role_id=row.assumed_role_id,
                packed_policy_percent=row.packed_policy_percent,
                sts_request_id=row.sts_request_id,
            )
        )
    if not stands or not completed:
        raise SessionWithheld
