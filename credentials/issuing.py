"""Issue a session: check, record, assume, complete, answer.

No credential leaves without a committed ledger row. The row is inserted and committed before STS
is called, STS is called outside any transaction, and one transaction that locks the right to the
build re-checks it before the row says `issued`. Otherwise the credentials are dropped here.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from builds.errors import BuildClosed
from builds.models import Build
from builds.slugs import build_root
from credentials.access.callers import Caller
from credentials.access.locking import right_still_stands
from credentials.access.ownership import owned_build
from credentials.durations import DurationError, DurationLimits
from credentials.errors import DurationOutOfRange, PolicyTooLarge, ScopeChanged, SessionWithheld
from credentials.isolation.requiring import require_isolation
from credentials.models import INSIDE, Delivery, IssuedSession, new_ledger_id
from credentials.policy import (
    PolicyTooLongError,
    Scope,
    UnsafeScopeError,
    cleaning_policy,
    listing_policy,
    session_policy,
)
from credentials.sts import AssumedSession, assume_role
from ltdkeeper.errors import DomainError
from ltdkeeper.origins import Origin

SESSION_NAME_LENGTH = 64
AGENT_LENGTH = 255
ADDRESS_LENGTH = 45
REFRESHING = {Delivery.CONTAINER, Delivery.PROCESS}
INSIDE_SECONDS = 900
MAKE_POLICY = {Delivery.LIST: listing_policy, Delivery.CLEAN: cleaning_policy}

log = structlog.get_logger(__name__)


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
) -> VendedSession:
    """A session limited to one build of the caller's.

    Raises UnknownBuild, ProductNotGranted, NotYourBuild, BuildClosed, DurationOutOfRange,
    ScopeChanged, PolicyTooLarge, an StsError, or SessionWithheld.
    """
    build = owned_build(caller=caller, build_id=build_id)
    if not build.is_open(now):
        raise BuildClosed
    if delivery not in INSIDE:
        require_isolation(store=build.product.store)
    seconds = _duration(build, delivery, asked_seconds)
    policy = _policy(build, delivery)
    row = _record(build, caller, delivery, origin, policy, seconds, now)
    assumed = _assume(row, build, policy, seconds, now)
    _complete(row, build, caller, assumed)
    return VendedSession(row=row, build=build, assumed=assumed)


def duration_limits(build: Build) -> DurationLimits:
    """What limits the sessions of a build today."""
    return DurationLimits(
        product_seconds=build.product.session_seconds,
        default_seconds=settings.LTD_SESSION_SECONDS,
        role_max_seconds=build.product.store.role_max_seconds,
    )


def _duration(build: Build, delivery: Delivery, asked_seconds: int | None) -> int:
    limits = duration_limits(build)
    if delivery in INSIDE:
        return INSIDE_SECONDS
    if delivery in REFRESHING:
        return limits.refreshing
    try:
        return limits.choose(asked_seconds)
    except DurationError as err:
        raise DurationOutOfRange(str(err)) from err


def _policy(build: Build, delivery: Delivery) -> str:
    """The policy, made anew from the database; it must still be that of the recorded root."""
    try:
        return MAKE_POLICY.get(delivery, session_policy)(_scope(build))
    except PolicyTooLongError as err:
        raise PolicyTooLarge(f"The session policy would be over 2,048 characters. {err}") from err
    except UnsafeScopeError as err:
        log.error("scope_unsafe", build=build.pk, error=str(err))
        raise ScopeChanged from err


def _scope(build: Build) -> Scope:
    product, store = build.product, build.product.store
    if (store.bucket, build_root(product.slug, build.slug)) != (build.bucket_name, build.root):
        log.error("scope_changed", build=build.pk, recorded=build.root, store=store.name)
        raise ScopeChanged
    return Scope(
        partition=store.partition,
        bucket=build.bucket_name,
        root=build.root,
        may_list_bare_root=build.server_made,
        may_sync=product.access == product.Access.SYNC,
        kms_key_arn=store.kms_key_arn,
    )


def _record(
    build: Build,
    caller: Caller,
    delivery: Delivery,
    origin: Origin,
    policy: str,
    seconds: int,
    now: datetime,
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
            role_arn=build.product.store.role_arn,
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
        longest = _scope(build).longest_name
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
        stands = right_still_stands(caller=caller, build_id=build.pk, now=now)
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
