"""Issue a session: check, record, assume, complete, respond.

No credential leaves without a committed ledger row. The row is inserted and committed before STS
is called, STS is called outside any transaction, and the statement that sets the row to `issued`
locks the right to the build and checks it again. If that fails, the credentials are discarded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError
from django.utils import timezone
from prometheus_client import Counter, Histogram

from builds.errors import BuildClosed, DomainError
from builds.fixed_sql import Condition, insert_and_commit, relate, update
from builds.models import Build, Store
from credentials.access.callers import INTERNAL_TOKEN_NAME, Caller, Origin
from credentials.access.quotas import Quota, session_quota
from credentials.access.rights import closable_build, owned_build, standing_right
from credentials.errors import IsolationNotProven, PolicyTooLarge, SessionWithheld, StsBadAnswer
from credentials.models import INTERNAL, Delivery, IssuedSession, new_ledger_id
from credentials.models.runs import IsolationRun
from credentials.rules.durations import COMPLETED_WITHIN
from credentials.rules.networks import ip_hex
from credentials.vending.scope import duration_for, policy_for, scope_of
from credentials.vending.store_clients import AccessKey, Patience, store_client
from credentials.vending.sts import USUAL, AssumedSession, assume_role

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SESSION_NAME_LENGTH = 64
AGENT_LENGTH = 255
ADDRESS_LENGTH = 45

# What the ledger copies of a session once STS has answered.
FROM_STS = (
    "expires_at",
    "access_key_id",
    "assumed_role_id",
    "packed_policy_percent",
    "sts_request_id",
)

log = structlog.get_logger(__name__)

sessions = Counter(
    "ltdkeeper_sessions",
    "Requested sessions. outcome: issued, withheld, or the code of the failure.",
    ["outcome"],
)
packed_size = Histogram(
    "ltdkeeper_packed_policy_percent",
    "How much of the room for session policies each session took, where STS says so.",
    buckets=(20, 40, 60, 70, 80, 90, 100),
)


@dataclass(frozen=True, kw_only=True)
class VendedSession:
    """A session with its committed ledger row: what a response is made of."""

    row: IssuedSession
    assumed: AssumedSession

    @property
    def build(self) -> Build:
        return self.row.existing_build


def s3_client(vended: VendedSession, patience: Patience) -> "S3Client":
    """S3 with the session's credentials."""
    client: S3Client = store_client(vended.build.product.store, "s3", vended.assumed, patience)
    return client


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

    Raises UnknownBuild, ProductNotGranted, NotYourBuild, TooManySessions, and what `plan_session`
    and `request_session` raise.
    """
    find = closable_build if delivery in INTERNAL else owned_build
    plan = plan_session(
        caller=caller,
        build=find(caller=caller, build_id=build_id),
        delivery=delivery,
        now=now,
        asked_seconds=asked_seconds,
    )
    quota = None if delivery in INTERNAL else session_quota(caller=caller, now=now)
    return request_session(plan.row(caller, origin, now), right=plan.right(caller), quota=quota)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a session for a build would be, made from today's rows; nothing of it is saved yet."""

    build: Build
    delivery: Delivery
    policy: str
    duration_seconds: int

    def row(self, caller: Caller | None, origin: Origin, now: datetime) -> IssuedSession:
        """The ledger row of the session before STS is asked.

        Without a caller the session is the service's own work on a closed build
        (`operations/closed_builds.py`), and counts for no client.
        """
        ledger_id, product, store = new_ledger_id(), self.build.product, self.build.product.store
        row = IssuedSession(
            id=ledger_id,
            delivery=self.delivery,
            store_id=store.pk,
            build_id=self.build.pk,
            store_name=store.name,
            product_slug=product.slug,
            build_slug=self.build.slug,
            bucket_name=self.build.bucket_name,
            root=self.build.root,
            policy=self.policy,
            duration_seconds=self.duration_seconds,
            role_arn=store.role_arn,
            session_name=f"{ledger_id}-{product.slug}"[:SESSION_NAME_LENGTH],
            requested_at=now,
            **_caller_columns(caller, origin),
        )
        relate(row, store=store, build=self.build, client=caller.client if caller else None)
        return row

    def right(self, caller: Caller) -> "partial[Condition]":
        """The caller's right to the session, at a moment (`now`)."""
        to_write = self.delivery not in INTERNAL
        return partial(standing_right, caller=caller, build_id=self.build.pk, to_write=to_write)


def plan_session(
    *,
    caller: Caller | None,
    build: Build,
    delivery: Delivery,
    now: datetime,
    asked_seconds: int | None = None,
) -> Plan:
    """The plan of a session for a build that was just found to be the caller's.

    Raises BuildClosed, IsolationNotProven, DurationOutOfRange, ScopeChanged, PolicyTooLarge.
    """
    if caller and not build.is_open(now):
        raise BuildClosed(build.state(now))
    if delivery not in INTERNAL:
        require_isolation(store=build.product.store)
    return Plan(
        build=build,
        delivery=delivery,
        policy=policy_for(build, delivery),
        duration_seconds=duration_for(build, delivery, asked_seconds),
    )


def _caller_columns(caller: Caller | None, origin: Origin) -> dict[str, Any]:
    return {
        "client_id": caller.client.pk if caller else None,
        "client_name": caller.client.name if caller else INTERNAL_TOKEN_NAME,
        "token_name": caller.token_name if caller else INTERNAL_TOKEN_NAME,
        "caller_address": origin.address[:ADDRESS_LENGTH],
        "caller_ip_hex": ip_hex(origin.address),
        "caller_agent": origin.agent[:AGENT_LENGTH],
    }


def require_isolation(*, store: Store) -> None:
    """Under `LTD_REQUIRE_ISOLATION_CHECK`: IsolationNotProven unless the last check passed."""
    if not settings.LTD_REQUIRE_ISOLATION_CHECK:
        return
    last = IsolationRun.objects.last_of(store)
    if last is None or not last.passed:
        raise IsolationNotProven


def request_session(
    row: IssuedSession,
    *,
    right: Callable[..., Condition] | None,
    quota: Quota | None = None,
    patience: Patience = USUAL,
    signer: AccessKey | None = None,
) -> VendedSession:
    """Record a planned session, ask STS for it, and complete it if the right to it still stands.

    The row must be fresh: its policy goes to STS as it is. The statement that completes the row
    looks at the right, of that moment (`now`), and locks what it rests on; None is for sessions
    that rest on nothing. `signer` is a key that
    stands in for a session, for stores that take no presigned POSTs of sessions: recorded and held
    to the same rules, but STS is not asked.

    Raises TooManySessions by the quota, PolicyTooLarge, an StsError, or SessionWithheld.
    """
    if signer:
        row.signed_by_identity, row.role_arn = True, ""
    # Refuses to run inside another transaction.
    if not insert_and_commit(row, provided=quota and quota.condition) and quota:
        raise quota.refusal
    assumed = _stand_in(signer, row) if signer else _assume(row, patience)
    try:
        _complete(row, assumed, right)
    except IntegrityError as err:
        # The ledger takes no access key twice: what STS answered belongs to another session.
        _record_failure(row, bad := StsBadAnswer())
        log.error("session_not_recorded", session=row.pk, error=type(err).__name__)
        raise bad from None
    return VendedSession(row=row, assumed=assumed)


def _stand_in(signer: AccessKey, row: IssuedSession) -> AssumedSession:
    """The key, to sign with for as long as a session would live: one without a token."""
    return AssumedSession(
        access_key_id=signer.access_key_id,
        secret_access_key=signer.secret_access_key,
        expires_at=row.requested_at + timedelta(seconds=row.duration_seconds),
    )


def _assume(row: IssuedSession, patience: Patience) -> AssumedSession:
    try:
        return assume_role(
            store=row.existing_build.product.store,
            session_name=row.session_name,
            policy=row.policy,
            duration_seconds=row.duration_seconds,
            now=row.requested_at,
            patience=patience,
        )
    except PolicyTooLarge as err:
        _record_failure(row, err)
        longest = scope_of(row.existing_build).longest_name
        message = (
            f"The store finds the session policy too large. The longest name is the {longest}."
        )
        raise PolicyTooLarge(message) from err
    except DomainError as err:
        _record_failure(row, err)
        raise


def _record_failure(row: IssuedSession, err: DomainError) -> None:
    """Best effort: a row that cannot be updated stays `requested`, which the audit reports."""
    sessions.labels(outcome=err.code).inc()
    try:
        unfinished = IssuedSession.objects.filter(pk=row.pk, status=IssuedSession.Status.REQUESTED)
        unfinished.update(
            status=IssuedSession.Status.FAILED,
            failure_code=err.code,
            completed_at=timezone.now(),
        )
    except DatabaseError as database_error:
        log.error("failure_not_recorded", session=row.pk, error=str(database_error))


def _complete(
    row: IssuedSession, assumed: AssumedSession, right: Callable[..., Condition] | None
) -> None:
    """Write down what was issued, if the right to it still stands; else withhold it."""
    now = timezone.now()
    for name in FROM_STS:
        setattr(row, name, getattr(assumed, name))
    row.completed_at = now
    names, requested = ("status", "completed_at", *FROM_STS), IssuedSession.Status.REQUESTED.value
    row.status = IssuedSession.Status.ISSUED.value
    is_issued = now - row.requested_at < COMPLETED_WITHIN and update(
        row, names, provided=right and right(now=now), status=requested
    )
    if not is_issued:
        row.status = IssuedSession.Status.WITHHELD.value
        update(row, names, status=requested)
    sessions.labels(outcome="issued" if is_issued else "withheld").inc()
    if assumed.packed_policy_percent is not None:
        packed_size.observe(assumed.packed_policy_percent)
    if not is_issued:
        raise SessionWithheld
