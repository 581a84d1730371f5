"""The policy of revoked sessions on moto's IAM, and a store that obeys it or does not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from boto3.session import Session
from django.utils import timezone
from moto import mock_aws

from builds.models import Build, Product, Store
from credentials.access.callers import Caller
from credentials.access.clients import command_line_user
from credentials.errors import AlreadyRunning
from credentials.models import Grant, IssuedSession, Revocation
from credentials.operations import revocation_policy
from credentials.operations.account import requirements
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.obstacles import Whose
from credentials.operations.leases import only_run
from credentials.operations.revocation_policy import Written, write_revocations
from credentials.operations.revocation_targets import target_of
from credentials.operations.revoking import revoke
from credentials.rules.account_documents import upload_policy
from credentials.rules.revocation import POLICY_NAME
from credentials.vending.issuing import VendedSession
from tests.credentials.denials import is_refused
from tests.credentials.ledger_rows import issued_row
from tests.credentials.operations.isolation.enforcing_store import answer
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db
ROLE = "upload"


@dataclass
class ObeyingStore:
    """Lists for a session unless the role's policy refuses it; `obeys` switches that off."""

    iam: Any
    obeys: bool = True
    lists: bool = True
    tried: list[str] = field(default_factory=list)

    def client(self, vended: VendedSession, _patience: object) -> Any:
        store, name = self, vended.row.session_name

        class S3:
            def list_objects_v2(self, **_where: object) -> None:
                store.tried.append(name)
                refused = is_refused(store.policy, name, timezone.now())
                if (store.obeys and refused) or not store.lists:
                    raise answer(403, "AccessDenied")

        return S3()

    @property
    def policy(self) -> str:
        found = self.iam.get_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME)
        return json.dumps(found["PolicyDocument"])

    @property
    def names(self) -> list[str]:
        return list(self.iam.list_role_policies(RoleName=ROLE)["PolicyNames"])


@pytest.fixture
def clients(
    store: Store, boto3_session: Session, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StoreClients]:
    monkeypatch.setattr(requirements, "PAUSE_SECONDS", 0)
    with mock_aws():
        clients = StoreClients(store=store, session=boto3_session, whose=Whose.REVOKER)
        clients.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
        yield clients


@pytest.fixture
def at_store(clients: StoreClients, sts: FakeSts, monkeypatch: pytest.MonkeyPatch) -> ObeyingStore:
    found = ObeyingStore(iam=clients.iam)
    monkeypatch.setattr(revocation_policy, "s3_client", found.client)
    return found


@pytest.fixture
def write(clients: StoreClients, at_store: ObeyingStore) -> Callable[..., Written]:
    def call(now: datetime | None = None, **changes: Any) -> Written:
        return write_revocations(clients=clients, now=now or timezone.now(), **changes)

    return call


@pytest.fixture
def victim(build: Build, caller: Caller, store: Store, now: datetime) -> IssuedSession:
    return issued(build, caller, now)


def issued(build: Build, caller: Caller, now: datetime, **changes: Any) -> IssuedSession:
    fields = {
        "store": build.product.store,
        "build": build,
        "client": caller.client,
        "token_name": caller.token_name,
        "requested_at": now - timedelta(minutes=2),
        "completed_at": now - timedelta(minutes=2),
        "expires_at": now + timedelta(minutes=30),
    }
    return issued_row(**(fields | changes))


def decide(row: Any, **more: Any) -> Revocation:
    before = more.pop("before", None)
    fields = {"reason": "leaked", "by": command_line_user(), "now": timezone.now()}
    [made] = revoke(target=target_of(row, before=before), **(fields | more))
    return made


def test_revoked_session_is_refused_and_its_neighbour_is_not(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession, build: Build,
    caller: Caller, now: datetime,
) -> None:  # fmt: skip
    neighbour = issued(build, caller, now)
    decision = decide(victim)
    written = write()
    assert is_refused(at_store.policy, victim.session_name, now)
    assert not is_refused(at_store.policy, neighbour.session_name, now)
    assert (written.is_changed, written.entries) == (True, 1)
    decision.refresh_from_db()
    assert (decision.state, decision.problem) == ("verified", "")


def test_it_is_tried_with_a_session_of_the_same_name_and_one_of_another(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession
) -> None:
    decide(victim)
    write()
    bystander, probe = at_store.tried
    assert probe == victim.session_name != bystander
    rows = IssuedSession.objects.filter(delivery="verify")
    assert {row.session_name for row in rows} == {bystander, probe}
    assert victim.pk not in {row.pk for row in rows}


def test_second_run_writes_and_tries_nothing(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession
) -> None:
    decide(victim)
    write()
    tried = len(at_store.tried)
    assert not write().is_changed
    assert len(at_store.tried) == tried


def test_store_without_decisions_is_not_asked(clients: StoreClients) -> None:
    clients.session = None
    assert write_revocations(clients=clients, now=timezone.now()).decisions == []


def test_expired_entries_leave_and_the_policy_stays(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession, now: datetime
) -> None:
    decide(victim)
    write()
    later = write(now + timedelta(minutes=31))
    assert (later.is_changed, later.entries) == (True, 0)
    assert at_store.names == [POLICY_NAME]
    assert not is_refused(at_store.policy, victim.session_name, now)


def test_entry_stays_while_the_store_s_clock_may_be_behind(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession, now: datetime
) -> None:
    decide(victim)
    write()
    write(victim.expires_at + timedelta(seconds=59))
    assert is_refused(at_store.policy, victim.session_name, now)


def test_policy_that_is_not_there_is_not_made_for_nothing(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession, now: datetime
) -> None:
    decide(victim)
    write(now + timedelta(minutes=31))
    assert at_store.names == []


def test_policy_that_somebody_changed_is_put_right(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession, now: datetime
) -> None:
    decide(victim)
    write()
    empty = upload_policy(role_arn="arn:aws:iam::123456789012:role/upload", bucket="docs-bucket")
    at_store.iam.put_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME, PolicyDocument=empty)
    assert write().is_changed
    assert is_refused(at_store.policy, victim.session_name, now)


def test_cut_off_is_written_and_waits_for_something_to_try(
    write: Callable[..., Written], at_store: ObeyingStore, store: Store, now: datetime
) -> None:
    decision = decide(store, before=timezone.now())
    write()
    decision.refresh_from_db()
    assert (decision.state, at_store.tried) == ("written", [])
    assert is_refused(at_store.policy, "unknown", now - timedelta(minutes=1))


def age(decision: Revocation, minutes: int) -> None:
    written_at = timezone.now() - timedelta(minutes=minutes)
    Revocation.objects.filter(pk=decision.pk).update(written_at=written_at)


SEEN = {
    "store that does not obey": ({"obeys": False}, "still_accepted"),
    "store that refuses everybody": ({"lists": False}, "not_tried"),
}


@pytest.mark.parametrize("case", SEEN)
def test_what_cannot_be_seen_stays_written_for_ten_minutes_and_has_failed_then(
    case: str, write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession
) -> None:
    behaviour, problem = SEEN[case]
    vars(at_store).update(behaviour)
    decision, states = decide(victim), []
    for minutes in (0, 9, 11):
        write()
        age(decision, minutes)
        write()
        decision.refresh_from_db()
        states.append(decision.state)
    assert states == ["written", "written", "failed"]
    assert decision.problem.startswith(problem)


def test_decision_without_effect_has_failed_until_the_store_obeys(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession
) -> None:
    at_store.obeys = False
    decision, states, failed_at = decide(victim), [], set()
    for minutes in (11, 0, 11, 11):
        write()
        age(decision, minutes)
        decision.refresh_from_db()
        states.append(decision.state)
        failed_at.add(decision.failed_at)
    at_store.obeys = True
    write()
    decision.refresh_from_db()
    assert (states, len(failed_at)) == (["written", "failed", "failed", "failed"], 2)
    assert (decision.state, decision.failed_at, decision.problem) == ("verified", None, "")


def test_nobody_waits_for_a_decision_that_has_failed(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at_store.obeys = False
    decision = decide(victim)
    write()
    age(decision, 11)
    monkeypatch.setattr("time.sleep", lambda _: None)
    before = len(at_store.tried)
    write(wait=timedelta(minutes=1))
    assert len(at_store.tried) - before == 2


def test_failed_decision_is_tried_again(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession
) -> None:
    decision = decide(victim)
    Revocation.objects.update(state="failed", failed_at=timezone.now(), problem="not_written: x")
    write()
    decision.refresh_from_db()
    assert (decision.state, decision.failed_at, decision.problem) == ("verified", None, "")


OLD_ROLE = "arn:aws:iam::123456789012:role/old"


@pytest.mark.parametrize("is_alone", [True, False])
def test_session_of_a_role_that_the_store_had_is_never_verified(
    is_alone: bool, write: Callable[..., Written], at_store: ObeyingStore,  # noqa: FBT001
    victim: IssuedSession, build: Build, caller: Caller, now: datetime,
) -> None:  # fmt: skip
    old = issued(build, caller, now, role_arn=OLD_ROLE)
    decision = decide(old if is_alone else build)
    for _ in range(2):
        write()
        decision.refresh_from_db()
        assert (decision.state, decision.written_at) == ("failed", None)
        assert decision.problem.startswith(f"other_role: issued under role {OLD_ROLE}, ")
    assert (at_store.names, at_store.tried) == ([] if is_alone else [POLICY_NAME], [])
    assert is_alone or is_refused(at_store.policy, victim.session_name, now)


def test_decision_is_tried_again_where_the_store_has_its_old_role_again(
    write: Callable[..., Written], victim: IssuedSession
) -> None:
    IssuedSession.objects.update(role_arn=OLD_ROLE)
    decision = decide(victim)
    write()
    IssuedSession.objects.filter(pk=victim.pk).update(role_arn=victim.role_arn)
    write()
    decision.refresh_from_db()
    assert decision.state == "verified"


def test_without_credentials_it_has_failed_and_says_what_to_do(
    write: Callable[..., Written], clients: StoreClients, victim: IssuedSession
) -> None:
    decision = decide(victim)
    clients.session = None
    del clients.__dict__["iam"]
    assert write().has_failed
    decision.refresh_from_db()
    assert decision.problem.startswith("not_written: ")
    assert "LTD_REVOKER_PROFILE" in decision.problem


def test_what_was_written_before_stays_so_when_a_write_fails(
    write: Callable[..., Written], clients: StoreClients, victim: IssuedSession
) -> None:
    decision = decide(victim)
    write()
    clients.session = None
    del clients.__dict__["iam"]
    write()
    decision.refresh_from_db()
    assert decision.state == "verified"


def test_decisions_without_room_have_failed_and_older_ones_hold(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession, build: Build,
    caller: Caller, now: datetime, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = decide(victim, may_go_on=True)
    second = decide(issued(build, caller, now))
    monkeypatch.setattr(revocation_policy, "other_characters", lambda _: 10_240 - 170)
    write()
    for decision in (first, second):
        decision.refresh_from_db()
    assert (first.state, second.state) == ("verified", "failed")
    assert second.problem.startswith("revocations_full")
    assert is_refused(at_store.policy, victim.session_name, now)


def test_store_that_keeps_another_policy_is_found_out(
    write: Callable[..., Written], clients: StoreClients, victim: IssuedSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    decision = decide(victim)
    monkeypatch.setattr(clients.iam, "put_role_policy", lambda **_: {})
    write()
    decision.refresh_from_db()
    assert decision.problem.startswith("not_kept")
    assert decision.written_at is None


def test_what_was_not_kept_is_written_once_it_is(
    write: Callable[..., Written], clients: StoreClients, store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also without a session to try: only what was written can fail to have an effect."""
    decision, states = decide(store, before=timezone.now()), []
    put = clients.iam.put_role_policy
    for kept in (lambda **_: {}, put):
        monkeypatch.setattr(clients.iam, "put_role_policy", kept)
        write()
        decision.refresh_from_db()
        states.append(decision.state)
    assert states == ["failed", "written"]


def test_one_writes_at_a_time(write: Callable[..., Written], victim: IssuedSession) -> None:
    decide(victim)
    with only_run("write_revocations of the store main"), pytest.raises(AlreadyRunning):
        write()


@pytest.fixture
def second(
    clients: StoreClients, store: Store, make_product: Callable[..., Product],
    register: Callable[..., Build], caller: Caller, now: datetime,
) -> tuple[StoreClients, IssuedSession]:  # fmt: skip
    """Another store with the same role, and a session of it."""
    other = Store.objects.create(name="other", bucket="other-bucket", role_arn=store.role_arn)
    product = make_product("second", store=other)
    Grant.objects.create(client=caller.client, product=product)
    session = issued(register(product=product), caller, now, product_slug="second")
    return StoreClients(store=other, session=clients.session, whose=Whose.REVOKER), session


def test_stores_with_one_role_write_one_policy(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession, now: datetime,
    second: tuple[StoreClients, IssuedSession],
) -> None:  # fmt: skip
    clients, session = second
    first, other = decide(victim, may_go_on=True), decide(session)
    assert (write().decisions, at_store.tried[1:]) == ([first], [victim.session_name])
    written = write_revocations(clients=clients, now=timezone.now())
    assert ([each.state for each in written.decisions], written.entries) == (["verified"], 2)
    assert (written.decisions, write().is_changed) == ([other], False)
    for each in (victim, session):
        assert is_refused(at_store.policy, each.session_name, now)


def test_one_writes_at_a_time_to_a_role_of_two_stores(
    victim: IssuedSession, second: tuple[StoreClients, IssuedSession]
) -> None:
    clients, session = second
    decide(session)
    with only_run("write_revocations of the store main"), pytest.raises(AlreadyRunning):
        write_revocations(clients=clients, now=timezone.now())


def test_it_waits_for_a_store_to_obey(
    write: Callable[..., Written], at_store: ObeyingStore, victim: IssuedSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at_store.obeys = False
    monkeypatch.setattr("time.sleep", lambda _: setattr(at_store, "obeys", True))
    decision = decide(victim)
    write(wait=timedelta(minutes=1))
    decision.refresh_from_db()
    assert decision.state == "verified"


def test_sessions_that_try_may_list_and_nothing_else(
    write: Callable[..., Written], victim: IssuedSession
) -> None:
    decide(victim)
    write()
    for row in IssuedSession.objects.filter(delivery="verify"):
        [statement] = json.loads(row.policy)["Statement"]
        assert statement["Action"] == "s3:ListBucket"
