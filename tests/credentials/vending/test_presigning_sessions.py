"""The kept session signs again only while everything stands that it was issued for."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from builds.errors import BuildClosed, DomainError
from builds.models import Build, Store
from builds.services import delete_build
from credentials.access.callers import Caller, Origin
from credentials.access.clients import command_line_user, revoke_api_key
from credentials.access.rights import owned_build
from credentials.errors import IsolationNotProven, SessionWithheld
from credentials.models import ApiKey, Client, Delivery, IssuedSession
from credentials.rules.secret import Secret
from credentials.vending import issuing
from credentials.vending.issuing import VendedSession
from credentials.vending.serving import session_to_sign
from credentials.vending.store_clients import AccessKey
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)

Ask = Callable[..., VendedSession]


@pytest.fixture
def ask(caller: Caller, build: Build, sts: FakeSts) -> Ask:
    def call(build_id: int | None = None, **changes: Any) -> VendedSession:
        arguments = {
            "caller": caller,
            "delivery": Delivery.POST,
            "origin": Origin(address="192.0.2.7", agent="uploader/1.0"),
            "now": timezone.now(),
        }
        found = owned_build(caller=changes.get("caller", caller), build_id=build_id or build.pk)
        return session_to_sign(**(arguments | changes), build=found)

    return call


def end_the_key() -> None:
    revoke_api_key(key=ApiKey.objects.get(), actor=command_line_user(), now=timezone.now())


REFUSED: dict[str, tuple[Callable[[], object], type[DomainError]]] = {
    "deleted": (
        lambda: delete_build(build_id=Build.objects.get().pk, now=timezone.now()),
        BuildClosed,
    ),
    "key revoked": (end_the_key, SessionWithheld),
    "client disabled": (lambda: Client.objects.update(is_active=False), SessionWithheld),
}


@pytest.mark.parametrize("case", REFUSED)
def test_kept_session_is_not_served_when_the_right_has_ended(
    case: str, ask: Ask, sts: FakeSts
) -> None:
    change, error = REFUSED[case]
    ask()
    change()
    with pytest.raises(error):
        ask()
    assert len(sts.requests) == 1


def test_kept_session_is_not_served_where_isolation_is_required(ask: Ask, settings: Any) -> None:
    ask()
    settings.LTD_REQUIRE_ISOLATION_CHECK = True
    with pytest.raises(IsolationNotProven):
        ask()


RENEWED: dict[str, Callable[[], object]] = {
    "row not issued": lambda: IssuedSession.objects.update(status="withheld"),
    "another role": lambda: Store.objects.update(role_arn="arn:aws:iam::123456789012:role/new"),
}


@pytest.mark.parametrize("case", RENEWED)
def test_session_that_would_be_issued_otherwise_is_issued_anew(
    case: str, ask: Ask, sts: FakeSts
) -> None:
    first = ask()
    RENEWED[case]()
    second = ask()
    assert second.assumed.access_key_id != first.assumed.access_key_id
    assert len(sts.requests) == 2
    assert ask().assumed == second.assumed


@pytest.mark.parametrize(("seconds", "calls"), [(1790, 1), (1810, 2)])
def test_session_is_renewed_when_half_of_its_life_is_over(
    seconds: int, calls: int, ask: Ask, sts: FakeSts, now: datetime
) -> None:
    with time_machine.travel(now, tick=False):
        ask()
    with time_machine.travel(now + timedelta(seconds=seconds), tick=False):
        ask()
    assert len(sts.requests) == calls


def test_right_is_locked_before_a_kept_session_signs_again(ask: Ask) -> None:
    """A client that is being disabled is waited for: what is signed lives for hours."""
    ask()
    with CaptureQueriesContext(connection) as captured:
        ask()
    texts = [query["sql"] for query in captured]
    locks = "FOR NO KEY UPDATE" if connection.vendor == "postgresql" else "BEGIN"
    assert any(locks in text for text in texts)


def test_withheld_session_is_not_kept(ask: Ask, sts: FakeSts, build: Build) -> None:
    sts.during = lambda: delete_build(build_id=build.pk, now=timezone.now())
    with pytest.raises(SessionWithheld):
        ask()
    Build.objects.update(deleted_at=None)
    sts.during = lambda: None
    assert ask().row.status == "issued"
    assert len(sts.requests) == 2


def key(access_key_id: str) -> AccessKey:
    return AccessKey(access_key_id=access_key_id, secret_access_key=Secret("secret"))


def test_identity_signs_in_place_of_a_session_and_is_recorded(ask: Ask, sts: FakeSts) -> None:
    vended = ask(signer=key("AKIASIGNER"))
    row = IssuedSession.objects.get()
    assert sts.requests == []
    assert (row.status, row.delivery, row.signed_by_identity) == ("issued", "post", True)
    assert (row.access_key_id, row.role_arn) == ("AKIASIGNER", "")
    assert row.expires_at == vended.assumed.expires_at
    assert row.policy.count("s3:PutObject") == 1


def test_identity_signs_for_many_builds(ask: Ask, register: Callable[..., Build]) -> None:
    for _ in range(2):
        ask(build_id=register().pk, signer=key("AKIASIGNER"))
    assert IssuedSession.objects.filter(access_key_id="AKIASIGNER").count() == 2


def test_identity_is_held_to_the_right_to_the_build(
    ask: Ask, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = issuing._stand_in

    def closing(*arguments: Any) -> Any:
        delete_build(build_id=build.pk, now=timezone.now())
        return stand_in(*arguments)

    monkeypatch.setattr(issuing, "_stand_in", closing)
    with pytest.raises(SessionWithheld):
        ask(signer=key("AKIASIGNER"))
    assert IssuedSession.objects.get().status == "withheld"


SIGNERS = [(None, "AKIAONE"), ("AKIAONE", None), ("AKIAONE", "AKIATWO"), ("AKIAONE", "AKIAONE")]


@pytest.mark.parametrize(("first", "second"), SIGNERS)
def test_what_another_signer_signed_with_is_not_served(
    first: str | None, second: str | None, ask: Ask
) -> None:
    for signer in (first, second):
        ask(signer=key(signer) if signer else None)
    assert IssuedSession.objects.count() == (1 if first == second else 2)
