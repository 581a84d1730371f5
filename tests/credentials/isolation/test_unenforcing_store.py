"""A store that enforces nothing must fail the check: moto's server is one."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from django.core.management import call_command
from django.utils import timezone
from moto.server import ThreadedMotoServer

from builds.models import Build, Store
from credentials.access.callers import Caller
from credentials.errors import IsolationNotProven
from credentials.isolation.checking import attempt, request_check, run_check
from credentials.isolation.models import IsolationRun, last_verdicts
from credentials.isolation.verdicts import IGNORES_POLICIES, Line, Outcome
from credentials.issuing import issue_session
from credentials.models import Delivery, IssuedSession
from ltdkeeper.origins import Origin

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.loopback]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto_store(store: Store, moto_url: str) -> Store:
    store.endpoint_url, store.addressing = moto_url, Store.Addressing.PATH
    store.save()
    s3 = boto3.client("s3", endpoint_url=moto_url, region_name=store.region)
    s3.create_bucket(Bucket=store.bucket)
    return store


@pytest.fixture
def run(moto_store: Store) -> IsolationRun:
    return request_check(store=moto_store, now=timezone.now())


def test_store_that_enforces_nothing_fails_with_one_clear_sentence(run: IsolationRun) -> None:
    told: list[Line] = []
    run_check(run=run, on_line=told.append)
    run.refresh_from_db()
    assert (run.passed, run.summary) == (False, IGNORES_POLICIES)
    assert [entry["call"] for entry in run.lines] == [line.call for line in told]


def test_sessions_of_the_check_are_in_the_ledger(run: IsolationRun) -> None:
    run_check(run=run, on_line=lambda line: None)
    deliveries = IssuedSession.objects.issued().values_list("delivery", flat=True)
    assert sorted(deliveries) == ["clean", "clean", "probe", "probe"]


def test_check_closes_its_builds_and_leaves_no_object(run: IsolationRun, moto_url: str) -> None:
    run_check(run=run, on_line=lambda line: None)
    assert not Build.objects.open(timezone.now()).exists()
    s3 = boto3.client("s3", endpoint_url=moto_url, region_name=run.store.region)
    assert s3.list_objects_v2(Bucket=run.store.bucket)["KeyCount"] == 0


def test_command_prints_a_verdict_a_line_and_exits_with_1(
    moto_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        call_command("check_isolation", store=moto_store.name)
    printed = capsys.readouterr().out
    assert "WRONG write to a sibling build" in printed
    assert IGNORES_POLICIES in printed


def test_unreachable_store_fails_the_run_and_closes_its_builds(store: Store) -> None:
    store.endpoint_url = "http://127.0.0.1:9"
    store.save()
    run = run_check(run=request_check(store=store, now=timezone.now()), on_line=lambda line: None)
    assert (run.passed, run.lines[0]["answer"]) == (False, "sts_unreachable")
    assert not Build.objects.open(timezone.now()).exists()


def test_requested_checks_are_made_once(run: IsolationRun) -> None:
    with pytest.raises(SystemExit):
        call_command("check_isolation", requested=True)
    call_command("check_isolation", requested=True)
    assert IsolationRun.objects.count() == 1


def issue(caller: Caller, build: Build) -> object:
    return issue_session(
        caller=caller,
        build_id=build.pk,
        delivery=Delivery.JSON,
        origin=Origin(),
        now=timezone.now(),
    )


HISTORY = {"never checked": [], "failed": [False], "failed after it passed": [True, False]}


@pytest.mark.parametrize("case", HISTORY)
def test_nothing_is_issued_until_a_check_has_passed(
    case: str, caller: Caller, build: Build, moto_store: Store, settings: Any
) -> None:
    settings.LTD_REQUIRE_ISOLATION_CHECK = True
    for passed in HISTORY[case]:
        request_check(store=moto_store, now=timezone.now()).finish(passed=passed)
    with pytest.raises(IsolationNotProven):
        issue(caller, build)
    assert not IssuedSession.objects.exists()


def test_sessions_are_issued_once_the_check_has_passed(
    caller: Caller, build: Build, moto_store: Store, settings: Any
) -> None:
    settings.LTD_REQUIRE_ISOLATION_CHECK = True
    request_check(store=moto_store, now=timezone.now()).finish(passed=True)
    issue(caller, build)
    assert IssuedSession.objects.issued().count() == 1


CHANGES = {
    "bucket": "another-bucket",
    "endpoint_url": "https://elsewhere.example.org",
    "role_arn": "arn:aws:iam::123456789012:role/other",
}


@pytest.mark.parametrize("field", CHANGES)
def test_verdict_says_nothing_of_a_store_that_was_changed(field: str, store: Store) -> None:
    request_check(store=store, now=timezone.now()).finish(passed=True)
    assert [run and run.passed for _, run in last_verdicts()] == [True]
    setattr(store, field, CHANGES[field])
    store.save()
    assert last_verdicts() == [(store, None)]
    assert IsolationRun.objects.last_of(store) is None


def test_bucket_that_takes_no_acls_refuses_one() -> None:
    """AWS says so with 400, not with 403."""

    def put_public() -> object:
        error = {"Error": {"Code": "AccessControlListNotSupported", "Message": ""}}
        answer: Any = error | {"ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(answer, "PutObject")

    assert attempt(put_public)[0] is Outcome.REFUSED
