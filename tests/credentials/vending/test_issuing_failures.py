"""What is answered and written down when no session can be had."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from builds.errors import DomainError
from builds.models import Build, Store
from credentials.errors import (
    IsolationNotProven,
    PolicyTooLarge,
    ScopeChanged,
    StsBadAnswer,
    StsThrottled,
)
from credentials.models import INTERNAL, Delivery, IssuedSession
from credentials.rules import policy as policies
from credentials.vending.issuing import VendedSession
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)

Issue = Callable[..., VendedSession]


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


def test_scope_is_made_anew_for_every_kind_of_build_and_session(
    issue: Issue, sts: FakeSts, register: Callable[..., Build]
) -> None:
    builds = [register(slug) for slug in (None, "v1")]
    Store.objects.update(bucket="another-bucket")
    for build, delivery in product(builds, Delivery):
        with pytest.raises(ScopeChanged):
            issue(build_id=build.pk, delivery=delivery)
        assert (sts.requests, IssuedSession.objects.count()) == ([], 0), (build, delivery)


def test_unproven_store_is_refused_to_callers_and_open_to_the_check(
    issue: Issue, sts: FakeSts, settings: Settings
) -> None:
    settings.LTD_REQUIRE_ISOLATION_CHECK = True
    for delivery in set(Delivery) - set(INTERNAL):
        with pytest.raises(IsolationNotProven):
            issue(delivery=delivery)
        assert (sts.requests, IssuedSession.objects.count()) == ([], 0), delivery
    for delivery in INTERNAL:
        assert issue(delivery=delivery).row.status == "issued", delivery


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
    with pytest.raises(DomainError, match="discarded"):
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


def test_key_that_the_ledger_has_already_is_a_bad_answer(
    issue: Issue, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fake_sts.secrets.token_hex", lambda _bytes: "ab" * 8)
    issue()
    with pytest.raises(StsBadAnswer):
        issue()
    rows = IssuedSession.objects.order_by("pk").values_list("status", "failure_code")
    assert list(rows) == [("issued", ""), ("failed", "sts_bad_answer")]
