"""AssumeRole is asked for exactly one thing, and only a whole answer of full length is taken."""

import traceback
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from builds.models import Store
from credentials.errors import (
    PolicyTooLarge,
    StsBadAnswer,
    StsThrottled,
    VendorCredentialsMissing,
)
from credentials.vending.sts import AssumedSession, assume_role
from tests.fake_sts import FakeSts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STORE = Store(name="main", bucket="docs", role_arn="arn:aws:iam::123456789012:role/upload")
POLICY = '{"Version":"2012-10-17","Statement":[]}'
SECRETS = ("secret-only-for-tests", "token-only-for-tests")
CREDENTIALS = {
    "AccessKeyId": "ASIAONLYFORTESTS",
    "SecretAccessKey": SECRETS[0],
    "SessionToken": SECRETS[1],
    "Expiration": NOW + timedelta(seconds=1800),
}
ANSWER = {
    "Credentials": CREDENTIALS,
    "AssumedRoleUser": {
        "AssumedRoleId": "AROA:session",
        "Arn": "arn:aws:sts::123456789012:assumed-role/x/y",
    },
    "PackedPolicySize": 41,
    "ResponseMetadata": {"RequestId": "request-1"},
}


def assume(**changes: Any) -> AssumedSession:
    arguments = {
        "store": STORE,
        "session_name": "01j-guide",
        "policy": POLICY,
        "duration_seconds": 1800,
        "now": NOW,
    }
    return assume_role(**(arguments | changes))


Answer = Callable[[dict[str, Any]], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Lets STS answer with exactly this."""

    def set_answer(content: dict[str, Any]) -> None:
        class Sts:
            def assume_role(self, **_: Any) -> dict[str, Any]:
                return content

        monkeypatch.setattr("credentials.vending.sts.client_for", lambda *_: Sts())

    return set_answer


def test_exactly_this_is_asked(sts: FakeSts) -> None:
    assume(now=datetime.now(UTC))
    assert sts.requests == [
        {
            "RoleArn": "arn:aws:iam::123456789012:role/upload",
            "RoleSessionName": "01j-guide",
            "DurationSeconds": 1800,
            "Policy": POLICY,
        }
    ]


def test_external_id_is_added_where_the_store_has_one(sts: FakeSts) -> None:
    store = Store(role_arn=STORE.role_arn, external_id="tenant-7")
    assume(store=store, now=datetime.now(UTC))
    assert sts.requests[0]["ExternalId"] == "tenant-7"


def test_call_without_a_policy_is_never_made(sts: FakeSts) -> None:
    for policy in ["", None]:
        with pytest.raises(ValueError, match="whole role"):
            assume(policy=policy)
        assert sts.requests == [], policy


def test_answer_is_read_whole(answer: Answer) -> None:
    answer(ANSWER)
    session = assume()
    assert (session.secret_access_key.reveal(), session.session_token.reveal()) == SECRETS
    assert session.access_key_id == "ASIAONLYFORTESTS"
    assert session.expires_at == CREDENTIALS["Expiration"]
    assert session.assumed_role_id == "AROA:session"
    assert (session.packed_policy_percent, session.sts_request_id) == (41, "request-1")


def test_session_shows_no_secret(answer: Answer) -> None:
    answer(ANSWER)
    shown = f"{assume()!r}"
    assert "ASIAONLYFORTESTS" in shown
    assert not any(secret in shown for secret in SECRETS)


def test_store_may_leave_out_what_is_only_for_the_ledger(answer: Answer) -> None:
    answer({"Credentials": CREDENTIALS})
    session = assume()
    assert (session.assumed_role_id, session.packed_policy_percent) == ("", None)
    assert session.sts_request_id == ""


def test_answer_that_lacks_a_credential_is_an_error(
    answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    for name in CREDENTIALS:
        caplog.clear()
        answer(
            ANSWER | {"Credentials": {key: CREDENTIALS[key] for key in CREDENTIALS if key != name}}
        )
        with pytest.raises(StsBadAnswer):
            assume()
        assert name in caplog.text, name
        assert not any(secret in caplog.text for secret in SECRETS), name


def test_answer_with_an_empty_credential_is_an_error(answer: Answer) -> None:
    for name in CREDENTIALS:
        for value in ("", None):
            answer(ANSWER | {"Credentials": CREDENTIALS | {name: value}})
            with pytest.raises(StsBadAnswer):
                assume()


SHAPELESS: dict[str, Any] = {
    "nothing": {},
    "no credentials": {"Credentials": None},
    "credentials in a list": {"Credentials": [CREDENTIALS]},
    "expiry as text": {"Credentials": CREDENTIALS | {"Expiration": "2026-11-23T12:30:00Z"}},
    "role in a list": {"Credentials": CREDENTIALS, "AssumedRoleUser": []},
}


# the role's ARN, that of the answer -> taken
ACCOUNTS = {
    "the role's": (STORE.role_arn, "arn:aws:sts::123456789012:assumed-role/upload/x", True),
    "another": (STORE.role_arn, "arn:aws:sts::210987654321:assumed-role/upload/x", False),
    "none in the answer": (STORE.role_arn, "arn:aws:sts:::assumed-role/upload/x", True),
    "no ARN": (STORE.role_arn, "", True),
    "none in the role's": (
        "arn:aws:iam:::role/upload",
        "arn:aws:sts::tenant:assumed-role/x/y",
        True,
    ),
}


def test_session_of_another_account_is_an_error(answer: Answer) -> None:
    for role_arn, arn, is_taken in ACCOUNTS.values():
        answer(ANSWER | {"AssumedRoleUser": {"Arn": arn}})
        store = Store(name="main", bucket="docs", role_arn=role_arn)
        with nullcontext() if is_taken else pytest.raises(StsBadAnswer):
            assume(store=store)


def test_answer_of_another_shape_is_an_error_and_is_not_logged(
    answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    for case, shapeless in SHAPELESS.items():
        answer(shapeless)
        with pytest.raises(StsBadAnswer) as caught:
            assume()
        shown = caplog.text + "".join(traceback.format_exception(caught.value))
        assert not any(secret in shown for secret in SECRETS), case


def test_expiry_without_a_zone_is_taken_as_utc(answer: Answer) -> None:
    naive = (NOW + timedelta(seconds=1800)).replace(tzinfo=None)
    answer(ANSWER | {"Credentials": CREDENTIALS | {"Expiration": naive}})
    assert assume().expires_at == NOW + timedelta(seconds=1800)


# seconds that the answer's expiry differs from what was asked -> taken
EXPIRIES = {
    "exact": (0, True),
    "59 s early": (-59, True),
    "60 s early": (-60, True),
    "61 s early": (-61, False),
    "over already": (-1800, False),
    "an hour late": (3600, True),
}


def test_session_that_ends_over_a_minute_early_is_an_error(answer: Answer) -> None:
    for case, (seconds, taken) in EXPIRIES.items():
        expires_at = NOW + timedelta(seconds=1800 + seconds)
        answer(ANSWER | {"Credentials": CREDENTIALS | {"Expiration": expires_at}})
        if taken:
            assert assume().expires_at == expires_at, case
            continue
        with pytest.raises(StsBadAnswer):
            assume()


def test_expiry_is_held_against_what_was_asked(answer: Answer) -> None:
    answer(ANSWER)
    assert assume(duration_seconds=1860)
    with pytest.raises(StsBadAnswer):
        assume(duration_seconds=1861)


FAILURES = {
    "throttled": ("Throttling", StsThrottled),
    "policy too large": ("PackedPolicyTooLarge", PolicyTooLarge),
}


def test_store_s_own_text_goes_to_the_log_alone(
    sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    for case, (code, error) in FAILURES.items():
        caplog.clear()
        sts.fail_with(code)
        with pytest.raises(error) as caught:
            assume()
        assert "AWS says" in caplog.text, case
        assert "AWS says" not in "".join(traceback.format_exception(caught.value)), case


def test_failure_before_the_call_is_typed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_client(*_: object) -> None:
        raise NoCredentialsError

    monkeypatch.setattr("credentials.vending.sts.client_for", no_client)
    with pytest.raises(VendorCredentialsMissing):
        assume()


def test_bug_is_not_taken_for_a_failure_of_the_store(sts: FakeSts) -> None:
    sts.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        assume()
