"""All of a finished build is counted, once; what fails is told and tried again the next time."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from threading import Barrier, Event
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from builds.models import Build, Product, Store
from builds.services import ObjectCount, record_count
from credentials.models import IssuedSession
from credentials.operations import closed_builds as walking
from credentials.operations.closed_builds import (
    COUNTED_AT_ONCE,
    Outcome,
    count_build,
    count_builds,
)
from credentials.vending.store_clients import UNATTENDED, store_client
from ltdkeeper.management.commands.count_builds import TYPES_NOT_LOOKED_AT
from tests.conftest import EPOCH
from tests.credentials.operations.closed_builds.conftest import MakeBuild
from tests.credentials.operations.closed_builds.fake_store import FakeStore
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db


def figures(build: Build) -> tuple[Any, ...]:
    build.refresh_from_db()
    return build.object_count, build.byte_count, build.newest_object_at


def test_run_ends_with_what_was_finished_when_it_began(make_build: MakeBuild) -> None:
    first = make_build(1)
    run = count_builds()
    late = make_build(1)
    assert [outcome.build for outcome in run] == [first.pk]
    assert [outcome.build for outcome in count_builds()] == [late.pk]


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "ThreadPoolExecutor", ThreadPoolExecutor)


@pytest.mark.usefixtures("in_threads")
def test_several_are_counted_at_once(
    make_build: MakeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = [make_build(1) for _ in range(2 * COUNTED_AT_ONCE)]
    others = Barrier(COUNTED_AT_ONCE, timeout=30)

    def count(build: Build, *_: Any, **__: Any) -> Outcome:
        others.wait()
        return Outcome(build=build.pk, root=build.root)

    monkeypatch.setattr(walking, "count_build", count)
    outcomes = [(outcome.build, outcome.failure) for outcome in count_builds()]
    assert outcomes == [(build.pk, "") for build in builds]


@pytest.mark.usefixtures("in_threads")
def test_run_that_is_given_up_counts_no_more(
    make_build: MakeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    others_go_on: list[bool] = []

    def count(build: Build, is_over: Event, **_: Any) -> Outcome:
        if build != first:
            others_go_on.append(not is_over.wait(60))
        return Outcome(build=build.pk, root=build.root)

    monkeypatch.setattr(walking, "count_build", count)
    first, *_ = (make_build(1) for _ in range(3 * COUNTED_AT_ONCE))
    run = count_builds()
    next(run)
    run.close()
    assert len(others_go_on) <= COUNTED_AT_ONCE
    assert not any(others_go_on)


def test_count_that_is_over_stores_nothing(make_build: MakeBuild) -> None:
    build, is_over = make_build(1), Event()
    is_over.set()
    with pytest.raises(InterruptedError):
        count_build(build, is_over)
    build.refresh_from_db()
    assert build.counted_at is None


def test_every_page_is_counted(make_build: MakeBuild) -> None:
    build = make_build(1, 20, 300, 4000, 50000)
    [outcome] = count_builds()
    assert figures(build) == (5, 54321, EPOCH + timedelta(minutes=4))
    assert (outcome.root, outcome.objects, outcome.bytes, outcome.failure) == (
        build.root,
        5,
        54321,
        "",
    )


def test_newest_object_is_the_newest_wherever_it_is_listed(
    make_build: MakeBuild, bucket: FakeStore
) -> None:
    build = make_build(1, 2, 3)
    bucket.written_at = lambda key: EPOCH - timedelta(days=int(key[-1]))  # type: ignore[method-assign]
    list(count_builds())
    assert figures(build)[2] == EPOCH


def test_build_without_objects_is_counted_too(make_build: MakeBuild) -> None:
    build = make_build()
    list(count_builds())
    assert figures(build) == (0, 0, None)
    assert build.counted_at is not None


@pytest.mark.parametrize("state", ["open", "superseded", "expired", "finished and deleted"])
def test_only_finished_builds_are_counted(state: str, make_build: MakeBuild, sts: FakeSts) -> None:
    make_build(1, state=state)
    assert list(count_builds()) == []
    assert sts.requests == []


def test_second_run_has_nothing_to_do(make_build: MakeBuild, sts: FakeSts) -> None:
    make_build(1)
    assert len(list(count_builds())) == 1
    assert list(count_builds()) == []
    assert len(sts.requests) == 1


def test_who_counts_later_changes_nothing(make_build: MakeBuild, bucket: FakeStore) -> None:
    build = make_build(7)
    first = ObjectCount(object_count=1, byte_count=7, newest_object_at=EPOCH)
    bucket.during = lambda: record_count(build_id=build.pk, count=first, now=EPOCH)
    bucket.objects[f"{build.root}/late"] = 1
    count_build(build)
    assert figures(build) == (1, 7, EPOCH)
    assert build.counted_at == EPOCH


def test_many_builds_are_taken_page_by_page(
    make_build: MakeBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "AT_A_TIME", 2)
    builds = [make_build(1) for _ in range(5)]
    assert [outcome.build for outcome in count_builds()] == [build.pk for build in builds]
    assert Build.objects.filter(counted_at=None).count() == 0


REFUSED = ClientError(
    {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {}},  # type: ignore[typeddict-item]
    "ListObjectsV2",
)
AWAY = EndpointConnectionError(endpoint_url="https://s3.example.org")
FAILURES = {
    "refused": (REFUSED, "store_refused: AccessDenied"),
    "away": (AWAY, "store_unreachable"),
    "a time before all others": (OverflowError("date value out of range"), "listing_unusable"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_build_that_cannot_be_listed_is_told_and_the_next_is_counted(
    case: str, make_build: MakeBuild, bucket: FakeStore
) -> None:
    error, code = FAILURES[case]
    builds = [make_build(1), make_build(1)]

    def fail_once() -> None:
        bucket.during = lambda: None
        raise error

    bucket.during = fail_once
    assert [outcome.failure for outcome in count_builds()] == [code, ""]
    assert figures(builds[0]) == (None, None, None)
    assert [outcome.build for outcome in count_builds()] == [builds[0].pk]


@pytest.mark.parametrize("lie", ["prefix ignored", "key twice"], indirect=True)
def test_nothing_is_counted_by_a_listing_that_cannot_be_so(
    lie: Callable[[Build], str], make_build: MakeBuild
) -> None:
    builds = [make_build(1), make_build(1)]
    code = lie(builds[0])
    assert [outcome.failure for outcome in count_builds()] == [code, ""]
    assert figures(builds[0]) == (None, None, None)


def test_store_without_sts_is_asked_once(make_build: MakeBuild, sts: FakeSts) -> None:
    for _ in range(3):
        make_build(1)
    sts.fail_with("AccessDenied")
    assert [outcome.failure for outcome in count_builds()] == ["role_not_assumable"] * 3
    assert len(sts.requests) == 1


def test_other_store_is_counted_all_the_same(
    make_build: MakeBuild, sts: FakeSts, store: Store, product: Product
) -> None:
    make_build(1)
    other = Store.objects.create(name="other", bucket="docs-bucket", role_arn=store.role_arn)
    second = make_build(1)
    elsewhere = Product.objects.create(slug="elsewhere", store=other, surrogate_key="b" * 32)
    Build.objects.filter(pk=second.pk).update(
        product=elsewhere, slug="v1", root="elsewhere/builds/v1"
    )
    sts.fail_with("AccessDenied")
    sts.during = lambda: setattr(sts, "error", sts.error if len(sts.requests) == 1 else None)
    assert [outcome.failure for outcome in count_builds()] == ["role_not_assumable", ""]


def run(*options: str) -> tuple[str, int]:
    written = StringIO()
    try:
        call_command("count_builds", *options, stdout=written)
    except SystemExit as ended:
        return written.getvalue().strip(), int(str(ended.code))
    return written.getvalue().strip(), 0


def test_command_says_what_it_came_to(make_build: MakeBuild, capsys: Any) -> None:
    Store.objects.update(with_sync=True)
    make_build(10, 5)
    make_build(1)
    assert run() == ("Counted 2 builds: 3 objects, 16 bytes. Failed: 0.", 0)
    assert capsys.readouterr().err == ""  # no progress bar where there is no terminal


def test_command_names_what_failed(make_build: MakeBuild, bucket: FakeStore) -> None:
    build = make_build(1)
    bucket.error = AWAY
    text, code = run()
    assert text.splitlines()[0] == f"{build.root}: store_unreachable"
    assert (text.splitlines()[1], code) == ("Counted 0 builds: 0 objects, 0 bytes. Failed: 1.", 3)


def test_command_speaks_json(make_build: MakeBuild, sts: FakeSts) -> None:
    builds = [make_build(3), make_build()]
    text, code = run("--format", "json")
    document = json.loads(text)
    assert [each["root"] for each in document["builds"]] == [build.root for build in builds]
    assert document["totals"] == {"builds": 2, "objects": 1, "bytes": 3, "failed": 0}
    assert code == 0
    assert json.loads(run("--format", "json")[0])["builds"] == []


UNTYPED = "pages are stored without a content type."
UNSEEN = "the auditor could not check the content types. The log says why."


class FakeAuditor(FakeStore):
    """Answers about each page's type, or raises."""

    types: ClassVar[dict[str, str | Exception]] = {}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, str]:  # noqa: N803
        assert Bucket == "docs-bucket"
        self.sessions.append(Key.rpartition("/")[2])
        answer = self.types.get(self.sessions[-1], "text/html")
        if isinstance(answer, Exception):
            raise answer
        return {"ContentType": answer}


@pytest.fixture
def auditor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeAuditor:
    """Who acts for the profile `auditor`."""
    (tmp_path / "config").write_text("[profile auditor]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    fake = FakeAuditor()

    def client(_store: Store, _service: str, session: Any, _patience: Any) -> FakeAuditor:
        assert session.profile_name == "auditor"
        if fake.error:
            raise fake.error
        return fake

    monkeypatch.setattr("credentials.operations.closed_builds.store_client", client)
    return fake


def add_pages(bucket: FakeStore, build: Build, *names: str) -> None:
    bucket.objects |= {f"{build.root}/{name}": 1 for name in sorted(names)}


# types of pages that are not HTML, the error of the auditor's key -> code, line, is there a warning
LOOKS: dict[str, tuple[dict[str, str | Exception], Exception | None, str, str, bool]] = {
    "typed": ({}, None, "typed", "", False),
    "untyped": ({"index.html": "binary/octet-stream"}, None, "untyped", UNTYPED, True),
    "refused": ({"index.html": REFUSED}, None, "unseen", UNSEEN, False),
    "no key": ({}, NoCredentialsError(), "unseen", UNSEEN, False),
}


@pytest.mark.parametrize("case", LOOKS)
def test_auditor_looks_at_types(
    case: str, make_build: MakeBuild, bucket: FakeStore, auditor: FakeAuditor
) -> None:
    types, auditor.error, code, line, warns = LOOKS[case]
    auditor.types = types  # type: ignore[misc]
    build = make_build(1)
    add_pages(bucket, build, "index.html")
    text, status = run("--profile", "auditor")
    told = [f"{build.root}: {line}"] if line else []
    assert text.splitlines() == [*told, "Counted 1 builds: 2 objects, 2 bytes. Failed: 0."]
    assert (status, figures(build)[0]) == (0, 2)
    assert ("application/octet-stream" in build.warning) == warns
    Build.objects.update(counted_at=None)
    [told_json] = json.loads(run("--profile", "auditor", "--format", "json")[0])["builds"]
    assert told_json["types"] == code


def test_auditor_looks_at_the_front_page_and_those_nearest_to_it_of_the_whole_build(
    make_build: MakeBuild, bucket: FakeStore, auditor: FakeAuditor, settings: Any
) -> None:
    settings.LTD_AUDITOR_PROFILE = "auditor"
    names = ["a/b/long.html", "a/b.html", "a/x.css", "index.html", "z.html", "zz.html"]
    add_pages(bucket, make_build(1), *names)
    run()
    assert auditor.sessions == ["index.html", "z.html", "zz.html"]


def test_warning_of_the_finish_stays(
    make_build: MakeBuild, bucket: FakeStore, auditor: FakeAuditor
) -> None:
    build = make_build(1)
    Build.objects.update(has_untyped_pages=True)
    run("--profile", "auditor")
    build.refresh_from_db()
    assert build.has_untyped_pages


def test_without_an_auditor_types_are_not_looked_at_and_the_command_says_so(
    make_build: MakeBuild, bucket: FakeStore, auditor: FakeAuditor
) -> None:
    build = make_build()
    add_pages(bucket, build, "index.html")
    said = run()[0].splitlines()
    assert said == ["Counted 1 builds: 1 objects, 1 bytes. Failed: 0.", TYPES_NOT_LOOKED_AT]
    assert auditor.sessions == []


def test_auditor_asks_the_store_with_its_own_key(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.region, store.endpoint_url, store.addressing = "eu-west-1", "http://s3:9000", "path"
    session = boto3.session.Session(aws_access_key_id="auditor", aws_secret_access_key="x")
    client = store_client(store, "s3", session, UNATTENDED)
    assert client._request_signer._credentials.access_key == "auditor"  # type: ignore[attr-defined]
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-1", "http://s3:9000")
    assert client.meta.config.s3["addressing_style"] == "path"


def test_figures_are_in_the_answer_about_the_build(make_build: MakeBuild, api: APIClient) -> None:
    build = make_build(5, 6)
    before = api.get(f"/builds/{build.pk}").json()
    assert (before["counted_at"], before["newest_object_at"]) == (None, None)
    list(count_builds())
    after = api.get(f"/builds/{build.pk}").json()
    assert (after["object_count"], after["byte_count"]) == (2, 11)
    assert after["newest_object_at"] == "2026-01-01T00:01:00Z"
    assert after["counted_at"] is not None


def test_figures_are_in_the_admin(make_build: MakeBuild, admin_client: Any) -> None:
    build = make_build(5, 6)
    list(count_builds())
    page = admin_client.get(f"/admin/builds/build/{build.pk}/change/").content.decode()
    assert "2026-01-01 00:01" in page
    assert "all objects were counted" in page


def test_counting_costs_the_client_nothing_of_its_quota(make_build: MakeBuild) -> None:
    build = make_build(1)
    count_build(build)
    client = build.registration.client
    assert not client.issued_sessions.exists()
    assert IssuedSession.objects.get().requested_at <= timezone.now()
