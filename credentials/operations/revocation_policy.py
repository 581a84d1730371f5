"""Write the policy of revoked sessions to the upload role, and check that the store enforces it.

The policy is replaced as a whole, by one writer at a time: six at once lost two entries (measured
on Ceph). It is made from the ledger every time, so a run that was killed is made good by the next
one. It is never deleted: Ceph answers that with something that boto3 cannot read.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from builds.errors import DomainError
from builds.models import Store
from credentials.access.callers import Origin
from credentials.access.revocations import other_characters, recorded_document, store_capacity
from credentials.models import Delivery, IssuedSession, Revocation
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import Requirement, Status, Step, settle
from credentials.operations.isolation.checking import attempt
from credentials.operations.leases import only_run
from credentials.rules.policy_comparison import is_same
from credentials.rules.principals import name_of
from credentials.rules.revocation import CLOCK_TOLERANCE, POLICY_NAME, RevocationDocument
from credentials.rules.verdicts import Outcome
from credentials.vending.issuing import VendedSession, plan_session, request_session, s3_client
from credentials.vending.store_clients import ONE_CALL

State = Revocation.State
ORIGIN = Origin(agent="ltdkeeper write_revocations")
# As long as IAM may take to be the same everywhere. Other stores decide at once.
PATIENCE_ON_AWS, PATIENCE_ELSEWHERE = timedelta(minutes=10), timedelta(minutes=1)
# How many decisions one run tries; the others are for the next.
TRIED_AT_ONCE = 20
LONGEST_PAUSE = 16.0
# How long a run tries, while the next one may be due.
WAIT = timedelta(seconds=30)

FULL = (
    "revocations_full: the role has room for {capacity} single sessions, and this decision has "
    "none left. Until sessions end, revoke fewer: everything of the store before a time takes one "
    "entry (manage.py revoke store NAME --before TIME)."
)
OTHER_ROLE = (
    "other_role: issued under role {role}, which is no longer the store's, so its policy is not "
    "written here. Revoke the active sessions of that role in IAM or delete it, or give the store "
    "that role again until the sessions have expired."
)
NOT_WRITTEN = (
    "not_written: {detail}. Name the revoker's profile with LTD_REVOKER_PROFILE, or write with "
    "your own credentials (manage.py write_revocations --profile NAME). manage.py doctor says what "
    "the revoker lacks."
)
NOT_KEPT = (
    "not_kept: the store accepted the policy but returned another. Look for someone else who "
    "writes the policy {policy} of the role."
)
STILL_ACCEPTED = (
    "still_accepted: the policy is written, and a session of the same name still works. Disable "
    "the vendor's key or delete the role: this store does not enforce the policy."
)
NOT_TRIED = (
    "not_tried: the policy is written, but whether the store enforces it could not be tested "
    "({detail}). Fix that; the next run tries again."
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Written:
    """The policy of a store's role after a run, and the store's decisions in it."""

    store: Store
    is_changed: bool
    entries: int
    capacity: int
    decisions: list[Revocation]

    @property
    def has_failed(self) -> bool:
        return any(each.state == State.FAILED for each in self.decisions)


def write_revocations(
    *, clients: StoreClients, now: datetime, wait: timedelta = timedelta(0)
) -> Written:
    """Make the role's policy what the ledger says, and try whether the store obeys it.

    Tries again for as long as `wait`; what is `written` then is for the next run. Safe to repeat.
    What fails is in the decisions. Raises AlreadyRunning.
    """
    store = clients.store
    if not Revocation.objects.of_store(store).exists():
        return Written(
            store=store, is_changed=False, entries=0, capacity=store_capacity(store), decisions=[]
        )
    # Stores with one role share its policy, so one of them stands for all.
    same_role = Store.objects.filter(role_arn=store.role_arn, endpoint_url=store.endpoint_url)
    first = same_role.order_by("pk").first() or store
    with only_run(f"write_revocations of the store {first.name}"):
        decisions = list(Revocation.objects.of_role(store).in_force(now).order_by("pk"))
        fitting, document = _fitting(store, decisions, now)
        step = settle(_requirement(clients, document), apply=True)
        elsewhere = _elsewhere(store, decisions, now)
        _note_write([each for each in fitting if each.pk not in elsewhere], step)
        full = FULL.format(capacity=store_capacity(store))
        _fail([each for each in decisions if each not in fitting], full)
        for each in decisions:
            if each.pk in elsewhere and each.state != State.VERIFIED:
                _fail([each], OTHER_ROLE.format(role=elsewhere[each.pk]))
        verify_revocations(store=store, document=document, wait=wait)
    for each in decisions:
        each.refresh_from_db()
    return Written(
        store=store,
        is_changed=step.status in {Status.MADE, Status.CHANGED},
        entries=document.entries,
        capacity=store_capacity(store),
        decisions=[each for each in decisions if each.store_id == store.pk],
    )


def _fitting(
    store: Store, decisions: Sequence[Revocation], now: datetime
) -> tuple[list[Revocation], RevocationDocument]:
    """As many decisions as the role has room for, the oldest first, and their policy."""
    fitting, other = list(decisions), other_characters(store)
    while not (document := recorded_document(store=store, decisions=fitting, now=now)).fits(other):
        fitting.pop()
    return fitting, document


def _elsewhere(store: Store, decisions: Sequence[Revocation], now: datetime) -> dict[int, str]:
    """Decisions about sessions of a role that the store no longer has: this role's policy does not
    refuse them, and no session of this role shows whether they are refused.
    """
    sessions = IssuedSession.objects.unexpired(now - CLOCK_TOLERANCE)
    sessions = sessions.filter(revocation__in=decisions)
    others = sessions.exclude(role_arn=store.role_arn).order_by("role_arn")
    return {pk: role for pk, role in others.values_list("revocation_id", "role_arn") if pk}


def _requirement(clients: StoreClients, document: RevocationDocument) -> Requirement:
    where = {"RoleName": name_of(clients.store.role_arn), "PolicyName": POLICY_NAME}

    def look() -> Any:
        answer = clients.ask("iam", "get_role_policy", **where)
        if answer is None:
            # There is nothing to deny, so the policy is made when there is.
            return None if document.entries else document.text
        return answer["PolicyDocument"]

    return Requirement(
        what=f"policy {POLICY_NAME} of {where['RoleName']}",
        why="It refuses the sessions that were revoked.",
        wanted=document.text,
        look=look,
        put=lambda: clients.iam.put_role_policy(**where, PolicyDocument=document.text),
        equals=is_same,
    )


def _note_write(decisions: Sequence[Revocation], step: Step) -> None:
    if step.status is Status.NOT_SUPPORTED:
        _fail(decisions, NOT_KEPT.format(policy=POLICY_NAME))
    elif step.status is Status.FAILED:
        waiting = [each for each in decisions if each.written_at is None]
        _fail(waiting, NOT_WRITTEN.format(detail=step.detail.rstrip(".")))
    else:
        # What failed after it was written stays so until the store is seen to obey it.
        _rows(decisions).filter(written_at=None).update(
            state=State.WRITTEN, written_at=timezone.now(), failed_at=None, problem=""
        )


def _fail(
    decisions: Sequence[Revocation], problem: str, *, written_at: datetime | None = None
) -> None:
    """They have failed since the first time; without `written_at` they are not in the policy."""
    for each in decisions:
        log.error("revocation_failed", revocation=each.pk, target=str(each), problem=problem)
    _rows(decisions).update(
        state=State.FAILED,
        failed_at=Coalesce("failed_at", Value(timezone.now())),
        verified_at=None,
        written_at=written_at,
        problem=problem,
    )


def _rows(decisions: Iterable[Revocation]) -> Any:
    return Revocation.objects.filter(pk__in=[each.pk for each in decisions])


# A session of a revoked one's name is tried: the store must refuse it, and not one of another name.


def verify_revocations(*, store: Store, document: RevocationDocument, wait: timedelta) -> None:
    """Try the decisions that are written, again and again until `wait` is over; those that have
    failed once.
    """
    until, pause, states = timezone.now() + wait, 1.0, [State.WRITTEN, State.FAILED]
    while tried := _tried(store, document, states):
        problem = _problem_of_bystander(tried[0][1])
        for decision, session in tried:
            _judge(decision, problem or _problem_of(session), store)
        if timezone.now() >= until:
            return
        time.sleep(pause)
        pause, states = min(2 * pause, LONGEST_PAUSE), [State.WRITTEN]


def _tried(
    store: Store, document: RevocationDocument, states: Sequence[State]
) -> list[tuple[Revocation, IssuedSession]]:
    """Decisions that the store has not been seen to obey, each with a session named in the policy.

    One about a whole store, without a session that is known, cannot be tried and stays `written`.
    """
    found = []
    written = Revocation.objects.of_store(store).in_force(timezone.now())
    written = written.filter(state__in=states, written_at__isnull=False)
    # What has failed comes last, so that it keeps nothing else from being tried.
    for decision in written.order_by("-state", "-pk")[:TRIED_AT_ONCE]:
        sessions = decision.sessions.filter(pk__in=document.named, build__isnull=False)
        if session := sessions.select_related("build__product__store").last():
            found.append((decision, session))
    return found


def _judge(decision: Revocation, problem: str, store: Store) -> None:
    now, row = timezone.now(), _rows([decision]).filter(written_at__isnull=False)
    if not problem:
        row.update(state=State.VERIFIED, verified_at=now, failed_at=None, problem="")
        return
    patience = PATIENCE_ELSEWHERE if store.endpoint_url else PATIENCE_ON_AWS
    if decision.written_at and now - decision.written_at > patience:
        _fail([decision], problem, written_at=decision.written_at)


def _problem_of(session: IssuedSession) -> str:
    outcome, answer = _try(session, session.session_name)
    if outcome is Outcome.REFUSED:
        return ""
    return STILL_ACCEPTED if outcome is Outcome.ACCEPTED else NOT_TRIED.format(detail=answer)


def _problem_of_bystander(session: IssuedSession) -> str:
    """A refusal shows nothing where a session that is not revoked is refused as well."""
    outcome, answer = _try(session, "")
    if outcome is Outcome.ACCEPTED:
        return ""
    return NOT_TRIED.format(detail=f"a session that is not revoked got {answer}")


def _try(session: IssuedSession, name: str) -> tuple[Outcome, str]:
    """What the store does with a session of a name, or of its own, that lists the same build."""
    try:
        vended = _probe(session, name)
    except DomainError as err:
        return Outcome.UNCLEAR, err.code
    build, s3 = vended.build, s3_client(vended, ONE_CALL)
    where: dict[str, Any] = {"Bucket": build.bucket_name, "Prefix": f"{build.root}/"}
    return attempt(lambda: s3.list_objects_v2(**where, MaxKeys=1))


def _probe(session: IssuedSession, name: str) -> VendedSession:
    """It may list the build and nothing else; its row is its own, whatever its name at the store.

    Raises a DomainError.
    """
    now = timezone.now()
    plan = plan_session(
        caller=None, build=session.existing_build, delivery=Delivery.VERIFY, now=now
    )
    row = plan.row(None, ORIGIN, now)
    row.session_name = name or row.session_name
    return request_session(row, right=None)
