"""What is asked for whom, what is written down when it goes wrong, and that no secret stays."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from builds.models import Build, Product, Store
from credentials import policy as policies
from credentials.access.callers import Caller, authenticate
from credentials.access.keys import start_key_session
from credentials.access.models import KeySession
from credentials.errors import PolicyTooLarge, ScopeChanged, SessionWithheld, StsThrottled
from credentials.issuing import VendedSession, issue_session
from credentials.models import Delivery, IssuedSession
from ltdkeeper.errors import DomainError
from ltdkeeper.origins import Origin
from tests.credentials.cells import cells
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)

Issue = Callable[..., VendedSession]


@pytest.fixture
def issue(caller: Caller, build: Build, sts: FakeSts) -> Issue:
    def call(**changes: Any) -> VendedSession:
        arguments = {
            "caller": caller,
            "build_id": build.pk,
            "delivery": Delivery.JSON,
            "origin": Origin(address="192.0.2.7", agent="uploader/1.0"),
            "now": timezone.now(),
        }
        return issue_session(**(arguments | changes))

    return call


@pytest.fixture
def session_caller(caller: Caller, now: datetime) -> Caller:
    token = start_key_session(caller=caller, now=now)
    return authenticate(raw_token=token.reveal(), name=None, now=now)


def statements(sts: FakeSts) -> list[dict[str, Any]]:
    return list(json.loads(sts.requests[-1]["Policy"])["Statement"])


def test_no_secret_of_a_session_is_in_the_database(issue: Issue, sts: FakeSts) -> None:
    vended = issue()
    everything = "\n".join(cells())
    assert vended.assumed.access_key_id in everything
    assert len(sts.secrets) == 2
    assert not any(secret in everything for secret in sts.secrets)


def test_no_secret_of_a_session_is_logged(
    issue: Issue, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    vended = issue()
    shown = f"{caplog.text} {vended!r} {vended.assumed}"
    assert not any(secret in shown for secret in sts.secrets)


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


def test_sync_product_may_read_and_delete(issue: Issue, sts: FakeSts) -> None:
    issue()
    assert "s3:GetObject" not in statements(sts)[0]["Action"]
    Product.objects.update(access=Product.Access.SYNC)
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
    key, session = session_caller.api_key, KeySession.objects.get()
    assert IssuedSession.objects.get().token_name == f"{key}/{session}"


def test_nothing_is_answered_when_the_key_session_ends_during_the_call(
    issue: Issue, sts: FakeSts, session_caller: Caller
) -> None:
    sts.during = lambda: KeySession.objects.all().delete()
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


UNSAFE: dict[str, dict[str, str]] = {
    "alias for the key": {"kms_key_arn": "arn:aws:kms:eu-1:123456789012:alias/docs"},
    "wildcard for the key": {"kms_key_arn": "arn:aws:kms:eu-1:123456789012:key/*"},
    "another bucket": {"bucket": "another-bucket"},
    "every bucket": {"bucket": "*"},
}


@pytest.mark.parametrize("case", UNSAFE)
def test_store_that_was_edited_to_something_unsafe_gives_nothing(
    case: str, issue: Issue, sts: FakeSts
) -> None:
    Store.objects.update(**UNSAFE[case])
    with pytest.raises(ScopeChanged):
        issue()
    assert (sts.requests, IssuedSession.objects.count()) == ([], 0)


def test_bucket_edited_in_store_and_build_alike_is_still_refused(
    issue: Issue, sts: FakeSts
) -> None:
    Store.objects.update(bucket="*")
    Build.objects.update(bucket_name="*")
    with pytest.raises(ScopeChanged):
        issue()
    assert sts.requests == []


def test_policy_that_is_too_long_is_refused_before_sts(
    issue: Issue, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "MAX_POLICY_LENGTH", 300)
    with pytest.raises(PolicyTooLarge, match=r"over 2,048 characters.*longest name.*build"):
        issue()
    assert (sts.requests, IssuedSession.objects.count()) == ([], 0)


def test_policy_that_the_store_finds_too_large_names_the_longest_name(
    issue: Issue, sts: FakeSts
) -> None:
    sts.fail_with("PackedPolicyTooLarge")
    with pytest.raises(PolicyTooLarge, match=r"The store finds .* build '\w{26}' \(26 char"):
        issue()
    row = IssuedSession.objects.get()
    assert (row.status, row.failure_code) == ("failed", "policy_too_large")


FAILURES: dict[str, tuple[Exception | str, str]] = {
    "throttled": ("Throttling", "sts_throttled"),
    "denied": ("AccessDenied", "role_not_assumable"),
    "region disabled": ("RegionDisabledException", "region_disabled"),
    "vendor expired": ("ExpiredToken", "vendor_credentials_expired"),
    "refused": ("ValidationError", "sts_refused"),
    "vendor missing": (NoCredentialsError(), "vendor_credentials_missing"),
    "not reached": (ConnectTimeoutError(endpoint_url="https://sts"), "sts_unreachable"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failure_is_answered_and_recorded_with_one_code(
    case: str, issue: Issue, sts: FakeSts
) -> None:
    failure, code = FAILURES[case]
    if isinstance(failure, str):
        sts.fail_with(failure)
    else:
        sts.error = failure
    with pytest.raises(DomainError) as caught:
        issue()
    row = IssuedSession.objects.get()
    assert (caught.value.code, row.failure_code, row.status) == (code, code, "failed")
    assert row.completed_at is not None


def test_short_session_is_thrown_away_and_recorded(issue: Issue, sts: FakeSts) -> None:
    sts.lifetime_shift = -120
    with pytest.raises(DomainError, match="thrown away"):
        issue()
    row = IssuedSession.objects.get()
    assert (row.status, row.failure_code, row.access_key_id) == ("failed", "sts_bad_answer", "")


def test_outcome_that_was_recorded_meanwhile_is_kept(issue: Issue, sts: FakeSts) -> None:
    moment = timezone.now()
    sts.during = lambda: IssuedSession.objects.update(status="withheld", completed_at=moment)
    sts.fail_with("Throttling")
    with pytest.raises(StsThrottled):
        issue()
    row = IssuedSession.objects.get()
    assert (row.status, row.completed_at, row.failure_code) == ("withheld", moment, "")


def test_failure_that_cannot_be_recorded_is_still_told(
    issue: Issue, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError("database is locked")
        return execute(sql, *rest)

    sts.fail_with("Throttling")
    with connection.execute_wrapper(refuse), pytest.raises(StsThrottled):
        issue()
    assert IssuedSession.objects.get().status == "requested"
    assert "failure_not_recorded" in caplog.text
