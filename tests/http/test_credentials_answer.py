"""The one object that SDKs read as container credentials and as `credential_process` output."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builds.models import Build, Store
from builds.services import delete_build
from credentials.models import IssuedSession
from tests.conftest import undone
from tests.fake_sts import FakeSts
from tests.http.conftest import Send
from tests.http.endpoints import CREDENTIALS, ISSUE, ISSUING, REFRESH, TOKEN
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db

MEMBERS = (
    "Version AccessKeyId SecretAccessKey SessionToken Token Expiration "
    "session_id bucket root region endpoint_url addressing"
)
STATED = {"token": TOKEN, **ISSUING}


def test_answer_has_exactly_its_members(send: Send) -> None:
    for endpoint in CREDENTIALS.values():
        with undone():
            response = send(endpoint)
            assert (response.status_code, response["Content-Type"]) == (200, "application/json"), (
                endpoint
            )
            assert list(response.json()) == MEMBERS.split(), endpoint


def test_answer_is_what_sts_gave_and_the_ledger_recorded(
    send: Send, sts: FakeSts, build: Build
) -> None:
    for endpoint in CREDENTIALS.values():
        with undone():
            document = send(endpoint).json()
            row = IssuedSession.objects.get()
            secret, token = sts.secrets[-2:]
            assert (document["SecretAccessKey"], document["SessionToken"]) == (secret, token)
            assert (document["Token"], document["Version"]) == (token, 1)
            assert (document["AccessKeyId"], document["session_id"]) == (row.access_key_id, row.pk)
            assert (document["bucket"], document["root"]) == ("docs-bucket", build.root)


def test_expiration_ends_in_z_and_is_the_sessions(send: Send) -> None:
    for endpoint in CREDENTIALS.values():
        with undone():
            text = send(endpoint).json()["Expiration"]
            moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            expires_at = IssuedSession.objects.get().expires_at
            assert timedelta(0) <= expires_at - moment < timedelta(seconds=1), endpoint


def test_store_tells_clients_its_public_endpoint(send: Send) -> None:
    Store.objects.update(
        endpoint_url="http://inside:9000",
        public_endpoint_url="https://s3.example.org",
        region="eu-central-1",
        addressing="path",
    )
    document = send(ISSUE).json()
    where = document["endpoint_url"], document["region"], document["addressing"]
    assert where == ("https://s3.example.org", "eu-central-1", "path")


def test_aws_needs_no_endpoint(send: Send) -> None:
    assert send(ISSUE).json()["endpoint_url"] is None


DELIVERIES = {"": "container", "?delivery=container": "container", "?delivery=process": "process"}


@pytest.mark.parametrize(("query", "delivery"), DELIVERIES.items())
def test_refreshing_says_how_it_leaves_and_lives_1800_seconds(
    query: str, delivery: str, send: Send, sts: FakeSts
) -> None:
    assert send(replace(REFRESH, path=REFRESH.path + query)).status_code == 200
    assert IssuedSession.objects.get().delivery == delivery
    assert sts.requests[0]["DurationSeconds"] >= 1800


def test_query_that_would_be_ignored_is_refused(send: Send, sts: FakeSts) -> None:
    for query in ("?duration_seconds=900", "?delivery="):
        response = send(replace(REFRESH, path=REFRESH.path + query))
        assert (response.status_code, sts.requests) == (400, []), query


def test_answers_with_secrets_are_never_stored(send: Send) -> None:
    for name, endpoint in STATED.items():
        response = send(endpoint)
        assert response["Cache-Control"] == "no-store", name
        assert "Authorization" in response["Vary"], name


ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "no key": (401, {"HTTP_AUTHORIZATION": ""}),
    "wrong key": (401, {"HTTP_AUTHORIZATION": "Bearer wrong"}),
    "unknown": (404, {}),
    "closed": (409, {}),
    "throttled": (503, {}),
    "bug": (500, {}),
}


def arrange(case: str, build: Build, sts: FakeSts) -> None:
    sts.error = None
    if case == "closed":
        delete_build(build_id=build.pk, now=build.registered_at)
    if case == "throttled":
        sts.fail_with("Throttling")
    if case == "bug":
        sts.error = ZeroDivisionError("bug")


def test_errors_are_never_stored(send: Send, sts: FakeSts, build: Build) -> None:
    for case, (status, headers) in ERRORS.items():
        with undone():
            arrange(case, build, sts)
            path = ISSUE.path.replace("{build}", "999") if case == "unknown" else ISSUE.path
            response = send(replace(ISSUE, path=path), **headers)
            assert (response.status_code, response["Cache-Control"]) == (status, "no-store"), case
            assert "Authorization" in response["Vary"], case


def test_wrong_methods_and_keys_are_never_stored(send: Send) -> None:
    for endpoint in STATED.values():
        for method, status in (("PUT", 405), ("HEAD", 405), (endpoint.method, 401)):
            key = {"HTTP_AUTHORIZATION": "Bearer wrong"} if status == 401 else {}
            response = send(replace(endpoint, method=method), **key)
            assert (response.status_code, response["Cache-Control"]) == (status, "no-store")


# The others: tests/credentials/vending/test_issuing_failures.py.
FAILURES = {
    "Throttling": (503, "sts_throttled", True),
    "PackedPolicyTooLarge": (422, "policy_too_large", False),
    "SomethingNew": (502, "sts_refused", False),
}


def test_refusal_of_sts_is_typed(send: Send, sts: FakeSts) -> None:
    for aws_code, (status, code, is_passing) in FAILURES.items():
        with undone():
            sts.fail_with(aws_code)
            response = send(ISSUE)
            assert (response.status_code, response.json()["code"]) == (status, code), aws_code
            assert ("Retry-After" in response) is is_passing, aws_code
            assert aws_code not in response.content.decode(), aws_code
            row = IssuedSession.objects.get()
            assert (row.status, row.failure_code, row.access_key_id) == ("failed", code, "")


def test_every_way_of_issuing_says_that_sts_refused(send: Send, sts: FakeSts) -> None:
    for endpoint in ISSUING.values():
        with undone():
            sts.fail_with("Throttling")
            response = send(endpoint)
            assert_problem(response, 503, "sts_throttled")
            assert int(response["Retry-After"]) > 0, endpoint
            assert IssuedSession.objects.get().status == "failed", endpoint


def test_right_that_ends_during_the_call_is_a_conflict(
    send: Send, sts: FakeSts, build: Build
) -> None:
    for endpoint in ISSUING.values():
        with undone():
            sts.during = lambda: delete_build(build_id=build.pk, now=build.registered_at)
            response = send(endpoint)
            assert (response.status_code, response.json()["code"]) == (409, "session_withheld")
            assert not any(secret in response.content.decode() for secret in sts.secrets)
            assert IssuedSession.objects.get().status == "withheld", endpoint


def test_sessions_clock_may_differ_by_a_minute(send: Send, sts: FakeSts) -> None:
    sts.lifetime_shift = -50
    assert send(ISSUE).status_code == 200
