"""The database decides each time whether what is in memory may leave; else a new session does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone
from prometheus_client import REGISTRY

from builds.errors import BuildClosed
from builds.models import Build, Product, Store
from builds.services import delete_build
from credentials.access.callers import Caller, Origin
from credentials.access.rights import owned_build
from credentials.errors import (
    IsolationNotProven,
    NotYourBuild,
    ProductNotGranted,
    ScopeChanged,
    SessionNotReady,
    SessionWithheld,
)
from credentials.models import (
    ApiKey,
    BuildOwner,
    Client,
    Delivery,
    Grant,
    IssuedSession,
    JobToken,
)
from credentials.operations.isolation.checking import request_check
from credentials.rules.secret import Secret
from credentials.vending import serving
from credentials.vending.issuing import VendedSession
from credentials.vending.memory import NotReadyError
from credentials.vending.store_clients import AccessKey
from tests.fake_sts import FakeSts
from tests.undone import undone

pytestmark = pytest.mark.django_db

ORIGIN = Origin(address="192.0.2.7", agent="sdk/1.0")

Serve = Callable[..., VendedSession]


@pytest.fixture
def serve(caller: Caller, build: Build, sts: FakeSts) -> Serve:
    def call(caller: Caller = caller, delivery: Delivery = Delivery.CONTAINER) -> VendedSession:
        return serving.serve_session(
            caller=caller,
            build=owned_build(caller=caller, build_id=build.pk),
            delivery=delivery,
            origin=ORIGIN,
            now=timezone.now(),
        )

    return call


ROWS: dict[str, dict[str, Any]] = {
    "as it was issued": {},
    "withheld": {"status": "withheld"},
    "failed": {"status": "failed", "failure_code": "sts_denied"},
    "of another build": {"build": None},
    "with another policy": {"policy": "{}"},
    "revoked": {"revoked_at": datetime(2026, 11, 26, tzinfo=UTC), "revocation": 1},
    "with 16 minutes left": {"expires_at": timedelta(minutes=16)},
    "with a second more": {"expires_at": timedelta(minutes=16, seconds=1)},
}


@pytest.mark.parametrize("case", ROWS)
def test_row_is_served_again_as_the_orm_would(
    case: str, serve: Serve, caller: Caller, build: Build, now: datetime
) -> None:
    row_id = serve().row.pk
    later = {name: now + value for name, value in ROWS[case].items() if name == "expires_at"}
    IssuedSession.objects.update(**ROWS[case] | later)
    planned = serving.plan_to_serve(caller, build, Delivery.CONTAINER, now)
    rows = IssuedSession.objects.reusable(now).for_build(build).filter(policy=planned.policy)
    assert serving.reusable_row(row_id, planned, now) == rows.filter(pk=row_id).first()
    assert serving.reusable_row("another", planned, now) is None


def test_second_ask_gets_the_same_without_a_call_or_a_row(serve: Serve, sts: FakeSts) -> None:
    first, second = serve(), serve()
    assert second.assumed is first.assumed
    assert second.row == first.row == IssuedSession.objects.get()
    assert len(sts.requests) == 1


def test_session_whose_row_changed_is_never_served(serve: Serve, sts: FakeSts) -> None:
    first = serve()
    IssuedSession.objects.update(status="withheld")
    assert serve().row != first.row
    assert len(sts.requests) == 2


def test_row_that_is_gone_is_never_served(serve: Serve, sts: FakeSts) -> None:
    serve()
    IssuedSession.objects.all().delete()
    serve()
    assert len(sts.requests) == 2


def allow_sync() -> None:
    Store.objects.update(with_sync=True)
    Product.objects.update(access="sync")


CHANGES: dict[str, Callable[[], Any]] = {
    "access to sync": allow_sync,
    "KMS key": lambda: Store.objects.update(kms_key_arn="arn:aws:kms:eu-west-1:123456789012:key/0"),
    "role": lambda: Store.objects.update(role_arn="arn:aws:iam::123456789012:role/other"),
    "endpoint": lambda: Store.objects.update(endpoint_url="http://ceph.internal:7480"),
    "duration": lambda: Product.objects.update(session_seconds=3600),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_was_changed_since_takes_effect_at_once(case: str, serve: Serve, sts: FakeSts) -> None:
    first = serve()
    CHANGES[case]()
    second = serve()
    assert second.assumed is not first.assumed
    assert len(sts.requests) == 2
    assert serve().assumed is second.assumed


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "deleted": (
        lambda: delete_build(build_id=Build.objects.get().pk, now=timezone.now()),
        BuildClosed,
    ),
    "superseded": (lambda: Build.objects.update(superseded_at=timezone.now()), BuildClosed),
    "out of time": (
        lambda: Build.objects.update(
            registered_at=timezone.now() - timedelta(hours=2), open_until=timezone.now()
        ),
        BuildClosed,
    ),
    "no grant": (lambda: Grant.objects.all().delete(), ProductNotGranted),
    "another's": (lambda: BuildOwner.objects.all().delete(), NotYourBuild),
    "moved bucket": (lambda: Store.objects.update(bucket="elsewhere"), ScopeChanged),
}


def test_who_lost_the_right_is_served_nothing_from_memory(serve: Serve, sts: FakeSts) -> None:
    for case, (change, error) in REFUSED.items():
        serve()
        asked = len(sts.requests)
        with undone():
            change()
            with pytest.raises(error):
                serve()
        assert len(sts.requests) == asked, case


def test_failed_check_of_isolation_stops_what_is_in_memory(
    serve: Serve, store: Store, settings: Any, now: datetime
) -> None:
    serve()
    settings.LTD_REQUIRE_ISOLATION_CHECK = True
    run = request_check(store=store, now=now)
    run.passed, run.finished_at = False, now
    run.save()
    with pytest.raises(IsolationNotProven):
        serve()


def test_closed_build_is_dropped_from_memory(serve: Serve, build: Build) -> None:
    serve()
    delete_build(build_id=build.pk, now=timezone.now())
    with pytest.raises(BuildClosed):
        serve()
    assert len(serving.session_cache) == 0


def test_deliveries_are_kept_apart(serve: Serve, sts: FakeSts) -> None:
    container, process = serve(), serve(delivery=Delivery.PROCESS)
    assert container.assumed is not process.assumed
    assert serve(delivery=Delivery.PROCESS).assumed is process.assumed
    assert len(sts.requests) == 2


def test_another_key_of_the_client_has_sessions_of_its_own(
    serve: Serve, make_caller: Callable[..., Caller]
) -> None:
    assert serve(caller=make_caller("ci")).assumed is not serve().assumed


OTHERWISE: dict[str, dict[str, Any]] = {
    "build": {"build": Build(pk=0)},
    "delivery": {"delivery": Delivery.PROCESS},
    "policy": {"policy": "{}"},
    "duration": {"duration_seconds": 900},
    "role": {"store": {"role_arn": "arn:aws:iam::123456789012:role/other"}},
    "region": {"store": {"region": "eu-west-1"}},
    "endpoint": {"store": {"endpoint_url": "http://ceph.internal:7480"}},
    "client": {"caller": {"client": Client(pk=0)}},
    "key": {"caller": {"api_key": ApiKey(pk=0)}},
    "job token": {"caller": {"job_token": JobToken(pk=0)}},
    "signer": {"signer": AccessKey(access_key_id="AKIASIGNER", secret_access_key=Secret("x"))},
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_whatever_differs_has_a_place_of_its_own(
    case: str, caller: Caller, build: Build, now: datetime
) -> None:
    plan = serving.plan_to_serve(caller, build, Delivery.CONTAINER, now)
    usual = serving.session_key(caller, plan)
    assert serving.session_key(caller, plan) == usual
    changes = dict(OTHERWISE[case])
    signer = changes.pop("signer", None)
    asker = replace(caller, **changes.pop("caller", {}))
    for name, value in changes.pop("store", {}).items():
        setattr(build.product.store, name, value)
    plan = replace(plan, **changes)
    plan.build.product = build.product
    assert serving.session_key(asker, plan, signer) != usual


def test_every_answer_has_more_than_16_minutes_left(serve: Serve, sts: FakeSts) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(240):
            vended = serve()
            left = vended.assumed.expires_at - timezone.now()
            assert left > timedelta(minutes=16)
            assert vended.row.expires_at == vended.assumed.expires_at
            clock.shift(timedelta(seconds=30))
    # 1800 s with the last 960 not served: a new one from 840 s on, that is at each 28th ask.
    assert len(sts.requests) == 9


def test_serving_again_is_noted_at_most_once_a_minute(serve: Serve) -> None:
    noted = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(8):
            serve()
            noted.append(IssuedSession.objects.get().last_served_at)
            clock.shift(timedelta(seconds=20))
    assert noted[0] is None
    assert len(set(noted[1:4])) == 1
    assert len(set(noted)) == 4


def test_busy_database_does_not_refuse_what_is_in_memory(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    first = serve()
    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.QuerySet.update", locked)
        assert serve().assumed is first.assumed


def test_what_takes_too_long_is_there_for_the_next_ask(
    serve: Serve, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(_key: object, work: Callable[[], object], **_: object) -> None:
        work()
        raise NotReadyError

    with monkeypatch.context() as patch:
        patch.setattr(serving.single_flight, "do", late)
        with pytest.raises(SessionNotReady):
            serve()
    assert serve().row == IssuedSession.objects.get()
    assert len(sts.requests) == 1


def test_thread_that_issues_gives_its_connection_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(serving, "give_back_connections", lambda: done.append("given back"))
    monkeypatch.setattr(serving, "keep_session", lambda *_: done.append("kept"))
    monkeypatch.setattr(serving, "_from_memory", lambda *_: None)
    serve()
    assert done[-2:] == ["kept", "given back"]


def test_thread_that_fails_to_issue_gives_its_connection_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def fail(*_: Any, **__: Any) -> NoReturn:
        done.append("failed")
        raise SessionWithheld

    monkeypatch.setattr(serving, "give_back_connections", lambda: done.append("given back"))
    monkeypatch.setattr(serving, "request_session", fail)
    with pytest.raises(SessionWithheld):
        serve()
    assert done[-2:] == ["failed", "given back"]


def begun_by_another(serve: Serve) -> Callable[..., Any]:
    """A flight that another asker began: it issues, and this caller only waited."""
    return lambda _key, work, **_: (work(), False)


def test_who_only_waited_is_served_from_memory(
    serve: Serve, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.single_flight, "do", begun_by_another(serve))
    vended = serve()
    assert vended.assumed.access_key_id == IssuedSession.objects.get().access_key_id
    assert len(sts.requests) == 1


WHILE_WAITING: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    **{case: REFUSED[case] for case in ("deleted", "no grant")},
    "revoked": (lambda: IssuedSession.objects.update(status="withheld"), SessionWithheld),
    "key limited": (lambda: ApiKey.objects.update(all_products=False), SessionWithheld),
    "key revoked": (lambda: ApiKey.objects.update(revoked_at=timezone.now()), SessionWithheld),
    "client disabled": (lambda: Client.objects.update(is_active=False), SessionWithheld),
}


@pytest.mark.parametrize("case", WHILE_WAITING)
def test_right_that_ended_while_waiting_is_seen(
    case: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, error = WHILE_WAITING[case]

    def do(_key: Any, work: Callable[[], Any], **_: Any) -> tuple[Any, bool]:
        result = work()
        change()
        return result, False

    monkeypatch.setattr(serving.single_flight, "do", do)
    with pytest.raises(error):
        serve()


def test_session_that_came_while_looking_is_not_issued_again(
    serve: Serve, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def do(_key: Any, work: Callable[[], Any], **_: Any) -> tuple[Any, bool]:
        work()
        return work(), True

    monkeypatch.setattr(serving.single_flight, "do", do)
    serve()
    assert len(sts.requests) == 1


def count(source: str) -> float:
    return REGISTRY.get_sample_value("ltdkeeper_refreshes_total", {"source": source}) or 0


def test_answers_are_counted_by_where_they_came_from(serve: Serve) -> None:
    before = count("sts"), count("memory")
    for _ in range(3):
        serve()
    assert (count("sts"), count("memory")) == (before[0] + 1, before[1] + 2)


def test_secrets_are_in_memory_only(serve: Serve, sts: FakeSts, caplog: Any) -> None:
    serve()
    serve()
    row = IssuedSession.objects.values().get()
    assert [secret for secret in sts.secrets if secret in f"{row}{caplog.text}"] == []
    assert [secret for secret in sts.secrets if secret in repr(vars(serving.session_cache))] == []
