"""A store that enforces nothing must fail the check: moto's server is one."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError
from django.core.management import call_command
from django.utils import timezone
from moto.server import ThreadedMotoServer
from structlog.testing import capture_logs

from builds.models import Build, Store
from credentials.access.callers import Caller, Origin
from credentials.errors import IsolationNotProven
from credentials.models import Delivery, IssuedSession
from credentials.models.runs import IsolationRun, last_verdicts
from credentials.operations.isolation.calls import Scene
from credentials.operations.isolation.checking import attempt, request_check, run_check
from credentials.rules.verdicts import DOCTOR, IGNORES_POLICIES, UNCHECKED_SOURCE, Line, Outcome
from credentials.vending.issuing import issue_session
from ltdkeeper.management.outcomes import BrokenOff
from tests.conftest import ROLE_ARN
from tests.credentials.operations.isolation import enforcing_store
from tests.credentials.operations.isolation.enforcing_store import enforce, is_allowed
from tests.fake_sts import FakeSts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.loopback, pytest.mark.slow]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


BUCKETS = count()


@pytest.fixture
def moto_store(store: Store, moto_url: str) -> Store:
    store.endpoint_url, store.addressing = moto_url, Store.Addressing.PATH
    store.bucket = f"docs-bucket-{next(BUCKETS)}"
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
    assert sorted(deliveries) == ["clean"] * 3 + ["probe"] * 3


def test_check_closes_its_builds_and_leaves_no_object(run: IsolationRun, moto_url: str) -> None:
    run_check(run=run, on_line=lambda line: None)
    assert not Build.objects.open(timezone.now()).exists()
    s3 = boto3.client("s3", endpoint_url=moto_url, region_name=run.store.region)
    assert s3.list_objects_v2(Bucket=run.store.bucket)["KeyCount"] == 0


ENDS: dict[str, BaseException] = {"interrupted": BrokenOff("SIGTERM"), "bug": RuntimeError()}


@pytest.mark.parametrize("end", ENDS)
def test_check_that_breaks_off_leaves_nothing(end: str, run: IsolationRun, moto_url: str) -> None:
    def stop(line: Line) -> None:
        if line.call == "read its own page":
            raise ENDS[end]

    with pytest.raises(type(ENDS[end])):
        run_check(run=run, on_line=stop)
    s3 = boto3.client("s3", endpoint_url=moto_url, region_name=run.store.region)
    assert s3.list_objects_v2(Bucket=run.store.bucket)["KeyCount"] == 0
    assert not s3.list_multipart_uploads(Bucket=run.store.bucket).get("Uploads")
    assert not Build.objects.open(timezone.now()).exists()


def test_what_could_not_be_removed_is_in_the_log(
    run: IsolationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    enforce(monkeypatch, down="DeleteObject")
    with capture_logs() as logs:
        run_check(run=run, on_line=lambda line: None)
    [entry] = [each for each in logs if each["event"] == "isolation_check_left_objects"]
    assert any(key.endswith("/index.html") for key in entry["keys"])
    assert run.verdict == "unchecked"


def test_no_build_stays_open_where_not_all_can_be_registered(
    run: IsolationRun, settings: Any
) -> None:
    settings.LTD_OPEN_BUILDS = 1
    run_check(run=run, on_line=lambda line: None)
    assert (run.verdict, "too_many_open_builds" in run.summary) == ("unchecked", True)
    assert not Build.objects.open(timezone.now()).exists()


def test_command_prints_a_verdict_a_line_and_exits_with_1(
    moto_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        call_command("check_isolation", store=moto_store.name)
    printed = capsys.readouterr().out
    assert "WRONG write to a sibling build" in printed
    assert IGNORES_POLICIES in printed


PLACES = (
    *("a sibling build", "another product's build"),
    *("a place beside its root", "a place beside the builds"),
)
OWNERS = ("a sibling's", "another product's")
PAGES = tuple(f"{owner} page" for owner in OWNERS)
IN_PARTS = [f"copy {page} in parts into its root" for page in PAGES]
# The operation that a store lets through -> how a check names it.
LEAKS = {
    "GetObject": ["read its own page", *(f"read {page}" for page in PAGES)],
    "HeadObject": [f"ask about {page}" for page in PAGES],
    "CopyObject": [
        *(f"copy its page into {place}" for place in PLACES),
        *(f"copy {page} into its root" for page in PAGES),
        "copy an object beside the builds into its root",
    ],
    "UploadPartCopy": [*IN_PARTS, *(f"copy a part into {owner} upload" for owner in OWNERS)],
    "PutObject": [
        *(f"write to {place}" for place in PLACES),
        *("write to its root in capitals", "make its own page public"),
    ],
    "CreateMultipartUpload": [f"write in parts to {place}" for place in PLACES],
    "UploadPart": [f"add a part to {owner} upload" for owner in OWNERS],
    "ListParts": [f"list the parts of {owner} upload" for owner in OWNERS],
    "AbortMultipartUpload": [f"abort {owner} upload" for owner in OWNERS],
    "ListObjectsV2": [*(f"list {owner} build" for owner in OWNERS), "list the whole bucket"],
    "ListMultipartUploads": ["list the bucket's uploads in parts"],
    "DeleteObject": [f"delete {page}" for page in PAGES],
    "DeleteObjects": [f"delete {page} together with others" for page in PAGES],
    "presigned GET": [f"read {page} with a presigned GET" for page in PAGES],
    "presigned PUT": [f"write with a presigned PUT to {place}" for place in PLACES],
    "presigned POST": [f"write with a POST to {place}" for place in PLACES],
    "presigned DELETE": [f"delete {page} with a presigned DELETE" for page in PAGES],
}


def checked(store: Store) -> IsolationRun:
    return run_check(run=request_check(store=store, now=timezone.now()), on_line=lambda line: None)


def test_store_that_enforces_every_policy_passes(
    moto_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    enforce(monkeypatch)
    run = checked(moto_store)
    assert [line for line in run.lines if line["outcome"] != line["expected"]] == []
    assert run.passed


@pytest.mark.parametrize("operation", LEAKS)
def test_each_way_in_or_out_is_tried_and_named(
    operation: str, moto_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    enforce(monkeypatch, ignoring=operation)
    run = checked(moto_store)
    assert (run.verdict, run.summary) == (
        "failed",
        f"Isolation does not hold: a session can {'; '.join(LEAKS[operation])}.",
    )


def test_store_that_asks_only_the_role_about_the_source_of_a_copy_in_parts_fails(
    moto_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ceph 18.2.7."""
    enforce(monkeypatch, source_of="UploadPartCopy")
    run = checked(moto_store)
    assert (run.verdict, run.summary) == ("failed", UNCHECKED_SOURCE.format("; ".join(IN_PARTS)))


def test_session_that_ends_meanwhile_shows_nothing(
    moto_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From then on every call is refused, as those after it have to be."""
    enforce(monkeypatch)
    run = request_check(store=moto_store, now=timezone.now())

    def end(line: Line) -> None:
        if line.call == "list its root without a slash":
            ended = IssuedSession.objects.order_by("pk")[0]
            monkeypatch.setattr(
                enforcing_store,
                "is_allowed",
                lambda vended, *rest: vended.row != ended and is_allowed(vended, *rest),
            )

    run_check(run=run, on_line=end)
    assert (run.passed, run.verdict) == (False, "unchecked")
    assert "still write below its root (403 AccessDenied)" in run.summary


@pytest.mark.parametrize("external_id", ["", "our-own"])
def test_external_id_is_not_what_keeps_a_session_from_the_role(external_id: str) -> None:
    sts = Mock()
    store = Store(role_arn=ROLE_ARN, external_id=external_id)
    Scene.assume_again(cast(Scene, SimpleNamespace(sts=sts, store=store)))
    assert sts.assume_role.call_args.kwargs.get("ExternalId", "") == external_id


def test_response_without_what_it_should_have_is_unclear() -> None:
    begun: dict[str, str] = {}
    assert attempt(lambda: begun["UploadId"]) == (Outcome.UNCLEAR, "KeyError")


def without_bucket(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.objects.update(bucket="nowhere")


def without_role(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sts = FakeSts()
    sts.fail_with("NoSuchEntity", status=404)
    monkeypatch.setattr("credentials.vending.sts.client_for", lambda *_: sts)


def dead_endpoint(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.objects.update(endpoint_url="http://127.0.0.1:9")


def without_rights(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    enforce(monkeypatch, down="CreateMultipartUpload")


UNTRIED = {
    "no bucket": (without_bucket, "prepare the check (404 NoSuchBucket)"),
    "no role": (without_role, "prepare the check (role_missing)"),
    "dead endpoint": (dead_endpoint, "prepare the check (sts_unreachable)"),
    "store down": (without_rights, "prepare the check (503 SlowDown)"),
}


@pytest.mark.parametrize("case", UNTRIED)
def test_check_that_could_not_be_made_says_so_and_names_the_doctor(
    case: str,
    moto_store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    break_it, wrong = UNTRIED[case]
    break_it(moto_store, monkeypatch)
    with pytest.raises(SystemExit) as ended:
        call_command("check_isolation")
    run, printed = IsolationRun.objects.get(), capsys.readouterr().out
    assert (ended.value.code, run.passed, run.verdict) == (3, False, "unchecked")
    assert f"Isolation could not be checked. {DOCTOR} What went wrong: {wrong}." in printed
    assert not Build.objects.open(timezone.now()).exists()


def test_requested_checks_of_another_store_are_left(run: IsolationRun) -> None:
    Store.objects.create(name="second", bucket="second-bucket", role_arn=ROLE_ARN)
    call_command("check_isolation", requested=True, store="second")
    run.refresh_from_db()
    assert run.verdict == "requested"


def test_requested_checks_are_made_once(
    run: IsolationRun, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call_command("check_isolation", requested=True)
    capsys.readouterr()
    call_command("check_isolation", requested=True)
    assert capsys.readouterr().out == "No check is requested.\n"
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
    moto_store: Store, caller: Caller, build: Build, settings: Any
) -> None:
    settings.LTD_REQUIRE_ISOLATION_CHECK = True
    request_check(store=moto_store, now=timezone.now()).finish(passed=True)
    issue(caller, build)
    assert IssuedSession.objects.issued().count() == 1


CHANGES = {
    "bucket": "another-bucket",
    "endpoint_url": "https://elsewhere.example.org",
    "role_arn": "arn:aws:iam::123456789012:role/other",
    "with_sync": True,
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
