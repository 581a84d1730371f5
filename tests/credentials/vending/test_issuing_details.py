"""What is asked for whom and written down of it, and that no secret stays."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import transaction

from builds.models import Build, Product, Store
from credentials.access.callers import Caller, Origin, authenticate
from credentials.access.clients import start_access_token
from credentials.errors import SessionWithheld
from credentials.models import AccessToken, Delivery, IssuedSession
from credentials.vending.issuing import VendedSession
from tests.credentials.cells import cells
from tests.fake_sts import FakeSts
from tests.http.leaks import found

pytestmark = pytest.mark.django_db(transaction=True)

Issue = Callable[..., VendedSession]


@pytest.fixture
def session_caller(caller: Caller, now: datetime) -> Caller:
    token = start_access_token(caller=caller, now=now)
    return authenticate(raw_token=token.reveal(), name=None, now=now)


def statements(sts: FakeSts) -> list[dict[str, Any]]:
    return list(json.loads(sts.requests[-1]["Policy"])["Statement"])


def test_no_secret_of_a_session_is_in_the_database(issue: Issue, sts: FakeSts) -> None:
    vended = issue()
    everything = "\n".join(cells())
    assert vended.assumed.access_key_id in everything
    assert len(sts.secrets) == 2
    assert found(sts.secrets, {"database": everything.encode()}) == set()


def test_no_secret_of_a_session_is_logged(
    issue: Issue, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    vended = issue()
    shown = f"{caplog.text} {vended!r} {vended.assumed}"
    assert found(sts.secrets, {"logs": shown.encode()}) == set()


def test_server_made_build_may_list_its_bare_root(issue: Issue, sts: FakeSts, build: Build) -> None:
    issue()
    prefixes = statements(sts)[1]["Condition"]["StringLike"]["s3:prefix"]
    assert prefixes == [build.root, f"{build.root}/*"]


def test_build_of_a_chosen_slug_may_not(
    issue: Issue, sts: FakeSts, register: Callable[..., Build]
) -> None:
    issue(build_id=register("v1").pk)
    prefixes = statements(sts)[1]["Condition"]["StringLike"]["s3:prefix"]
    assert prefixes == ["guide/builds/v1/*"]


def test_sync_product_of_a_store_with_sync_may_read_and_delete(issue: Issue, sts: FakeSts) -> None:
    issue()
    assert "s3:GetObject" not in statements(sts)[0]["Action"]
    Product.objects.update(access=Product.Access.SYNC)
    issue()
    assert "s3:GetObject" not in statements(sts)[0]["Action"]
    Store.objects.update(with_sync=True)
    issue()
    assert statements(sts)[0]["Action"][-2:] == ["s3:GetObject", "s3:DeleteObject"]


def test_store_s_key_and_partition_are_in_the_policy(issue: Issue, sts: FakeSts) -> None:
    key = "arn:aws-cn:kms:cn-north-1:123456789012:key/1"
    role = "arn:aws-cn:iam::123456789012:role/upload"
    Store.objects.update(kms_key_arn=key, role_arn=role)
    issue()
    assert statements(sts)[-1]["Resource"] == key
    assert statements(sts)[2]["Resource"] == "arn:aws-cn:s3:::docs-bucket"
    assert sts.requests[0]["RoleArn"] == IssuedSession.objects.get().role_arn == role


def test_cleaning_session_may_only_delete_and_is_short(issue: Issue, sts: FakeSts) -> None:
    issue(delivery=Delivery.CLEAN)
    [statement] = statements(sts)
    assert statement["Action"] == "s3:DeleteObject"
    assert sts.requests[0]["DurationSeconds"] == 900


def test_key_and_its_session_are_what_the_ledger_names(
    issue: Issue, session_caller: Caller
) -> None:
    issue(caller=session_caller)
    key, session = session_caller.api_key, AccessToken.objects.get()
    assert IssuedSession.objects.get().token_name == f"{key}/{session}"


def test_nothing_is_answered_when_the_access_token_ends_during_the_call(
    issue: Issue, sts: FakeSts, session_caller: Caller
) -> None:
    sts.during = lambda: AccessToken.objects.all().delete()
    with pytest.raises(SessionWithheld):
        issue(caller=session_caller)
    assert IssuedSession.objects.get().status == "withheld"


def test_each_call_is_a_row_and_a_session_of_its_own(issue: Issue, sts: FakeSts) -> None:
    names = {issue().row.session_name for _ in range(5)}
    assert len(names) == IssuedSession.objects.issued().count() == len(sts.requests) == 5


def test_answered_row_is_the_committed_one(issue: Issue) -> None:
    row = issue().row
    known = IssuedSession.objects.values().get()
    assert {name: getattr(row, name) for name in known} == known


def test_long_agent_and_address_are_cut(issue: Issue) -> None:
    issue(origin=Origin(address="f" * 99, agent="a" * 999))
    row = IssuedSession.objects.get()
    assert (len(row.caller_address), len(row.caller_agent)) == (45, 255)


def test_session_is_not_issued_inside_a_transaction(issue: Issue, sts: FakeSts) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        issue()
    assert (sts.requests, IssuedSession.objects.count()) == ([], 0)
