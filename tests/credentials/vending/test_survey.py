"""A look at what lies below a root: one page, with a ledgered session that may only list."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from builds.errors import BuildClosed
from builds.models import Build, Store
from builds.services import Survey, delete_build
from credentials.access.callers import Caller, Origin
from credentials.errors import NotYourBuild, ProductNotGranted, SessionWithheld
from credentials.models import BuildOwner, Delivery, Grant
from credentials.vending.finishing import survey_build
from credentials.vending.issuing import issue_session, s3_client
from credentials.vending.store_clients import INTERACTIVE, UNATTENDED
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)


class FakeS3:
    """Answers one listing, or raises."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.page: dict[str, Any] = {}
        self.error: Exception | None = None
        self.types: dict[str, str | Exception] = {}
        self.looked_at: list[str] = []

    def list_objects_v2(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if self.error:
            raise self.error
        return self.page

    def head_object(self, **request: Any) -> dict[str, Any]:
        name = request["Key"].rpartition("/")[2]
        self.looked_at.append(name)
        if isinstance(answer := self.types.get(name, "text/html"), Exception):
            raise answer
        return {"ContentType": answer} if answer else {}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    fake = FakeS3()
    monkeypatch.setattr("credentials.vending.finishing.s3_client", lambda *_: fake)
    return fake


Look = Callable[[], Survey]


@pytest.fixture
def look(caller: Caller, build: Build, sts: FakeSts, s3: FakeS3, now: datetime) -> Look:
    return lambda: survey_build(caller=caller, build=build, origin=Origin(), now=now)


def keys(*sizes: int) -> list[dict[str, Any]]:
    """Objects below the root, which `ROOT` stands for."""
    return [{"Key": f"ROOT/page-{number}", "Size": size} for number, size in enumerate(sizes)]


PAGES = {
    "objects": (
        {"Contents": keys(10, 20, 0), "IsTruncated": False},
        Survey(object_count=3, byte_count=30, has_objects=True),
    ),
    "one empty object": (
        {"Contents": keys(0), "IsTruncated": False},
        Survey(object_count=1, byte_count=0, has_objects=True),
    ),
    "nothing": (
        {"KeyCount": 0, "IsTruncated": False},
        Survey(object_count=0, byte_count=0, has_objects=False),
    ),
    "more than one page": (
        {"Contents": keys(1), "IsTruncated": True},
        Survey(failure="more_than_one_page", has_objects=True),
    ),
    "keys of others": (
        {"Contents": [*keys(1), {"Key": "secret/top.txt", "Size": 1}], "IsTruncated": True},
        Survey(failure="listing_outside_build"),
    ),
    "a neighbour that begins alike": (
        {"Contents": [{"Key": "ROOT0/page", "Size": 1}], "IsTruncated": False},
        Survey(failure="listing_outside_build"),
    ),
    "a key twice": (
        {"Contents": keys(1) * 2, "IsTruncated": False},
        Survey(failure="listing_unusable"),
    ),
    "no size": (
        {"Contents": [{"Key": "ROOT/page"}], "IsTruncated": False},
        Survey(failure="listing_unusable"),
    ),
}


def test_page_is_counted(look: Look, s3: FakeS3, build: Build) -> None:
    for case, (page, expected) in PAGES.items():
        s3.page = json.loads(json.dumps(page).replace("ROOT", build.root))
        assert look() == expected, case


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "ListObjectsV2")


URL = "https://s3.example.org"
FAILURES: dict[str, tuple[Exception, str]] = {
    "refused": (refused("AccessDenied"), "listing_refused: AccessDenied"),
    "no bucket": (refused("NoSuchBucket"), "listing_refused: NoSuchBucket"),
    "a long code": (refused("X" * 99), f"listing_refused: {'X' * 47}"),
    "not reached": (ConnectTimeoutError(endpoint_url=URL), "store_unreachable"),
    "hanging": (ReadTimeoutError(endpoint_url=URL), "store_unreachable"),
    "not S3": (ResponseParserError("<html>"), "store_unreachable"),
}


def test_store_that_does_not_list_is_an_answer(look: Look, s3: FakeS3) -> None:
    for case, (s3.error, failure) in FAILURES.items():
        assert look() == Survey(failure=failure), case
        assert len(failure) <= Build._meta.get_field("survey_failure").max_length, case


def pages(build: Build, *names: str) -> dict[str, Any]:
    contents = [{"Key": f"{build.root}/{name}", "Size": 1} for name in names]
    return {"Contents": contents, "IsTruncated": False}


# names of the objects, types of those that are not HTML, which are looked at -> is it told
TYPES: dict[str, tuple[list[str], dict[str, Any], list[str], bool]] = {
    "pages as they should be": (["a.html", "index.html"], {}, ["index.html", "a.html"], False),
    "the front page": (["index.html"], {"index.html": "binary/octet-stream"}, ["index.html"], True),
    "another page": (
        ["a.html", "index.html"],
        {"a.html": "application/octet-stream"},
        ["index.html", "a.html"],
        True,
    ),
    "with a parameter": (
        ["a.html"],
        {"a.html": "Application/Octet-Stream; charset=binary"},
        ["a.html"],
        True,
    ),
    "no type at all": (["a.html"], {"a.html": ""}, ["a.html"], True),
    "another type": (["a.html"], {"a.html": "application/xhtml+xml"}, ["a.html"], False),
    "no page": (["a.css", "html"], {}, [], False),
    "many": (
        ["b/c.html", "a.html", "bb.html", "c.html"],
        {},
        ["a.html", "c.html", "bb.html"],
        False,
    ),
    "refused": (["a.html", "b.html"], {"a.html": refused("403")}, ["a.html"], False),
    "away": (["a.html"], {"a.html": ReadTimeoutError(endpoint_url=URL)}, ["a.html"], False),
}


def test_some_pages_are_looked_at(look: Look, s3: FakeS3, build: Build) -> None:
    Store.objects.update(with_sync=True)
    for case, (names, s3.types, looked_at, told) in TYPES.items():
        s3.looked_at.clear()
        s3.page = pages(build, *names)
        count = len(names)
        assert look() == Survey(
            object_count=count, byte_count=count, has_objects=True, has_untyped_pages=told
        ), case
        assert s3.looked_at == looked_at, case


def test_no_page_is_looked_at_where_the_role_may_not_read(
    look: Look, s3: FakeS3, build: Build, sts: FakeSts
) -> None:
    s3.page = pages(build, "index.html")
    look()
    assert s3.looked_at == []
    assert "GetObject" not in sts.requests[0]["Policy"]


def test_session_of_the_look_may_read_where_the_role_may(
    look: Look, build: Build, sts: FakeSts
) -> None:
    Store.objects.update(with_sync=True)
    look()
    [_, reading] = json.loads(sts.requests[0]["Policy"])["Statement"]
    expected = ("s3:GetObject", f"arn:aws:s3:::docs-bucket/{build.root}/*")
    assert (reading["Action"], reading["Resource"]) == expected


def test_no_page_is_looked_at_after_its_time(
    look: Look, s3: FakeS3, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.vending.finishing.LOOKING_BEGINS_WITHIN", 0)
    Store.objects.update(with_sync=True)
    s3.page = pages(build, "index.html")
    assert look().has_objects
    assert s3.looked_at == []


REFUSALS: dict[str, tuple[Callable[[], object], type[Exception]]] = {
    "no grant": (lambda: Grant.objects.all().delete(), ProductNotGranted),
    "another's build": (lambda: BuildOwner.objects.all().delete(), NotYourBuild),
    "closed build": (
        lambda: delete_build(
            build_id=Build.objects.get().pk, now=Build.objects.get().registered_at
        ),
        BuildClosed,
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_right_to_the_build_is_asked_first(case: str, look: Look, sts: FakeSts, s3: FakeS3) -> None:
    end, error = REFUSALS[case]
    end()
    with pytest.raises(error):
        look()
    assert (sts.requests, s3.requests) == ([], [])


def test_right_that_ends_meanwhile_is_told(look: Look, sts: FakeSts, s3: FakeS3) -> None:
    sts.during = lambda: Grant.objects.all().delete()
    with pytest.raises(SessionWithheld):
        look()
    assert s3.requests == []


def test_clients_act_with_the_session_alone(
    caller: Caller, build: Build, sts: FakeSts, now: datetime
) -> None:
    Store.objects.update(region="eu-central-1", endpoint_url="http://s3:9000", addressing="path")
    vended = issue_session(
        caller=caller, build_id=build.pk, delivery=Delivery.LIST, origin=Origin(), now=now
    )
    for client in (s3_client(vended, INTERACTIVE), s3_client(vended, UNATTENDED)):
        used = client._request_signer._credentials  # type: ignore[attr-defined]
        assert used.access_key == vended.assumed.access_key_id
        assert [used.secret_key, used.token] == sts.secrets
        assert (client.meta.region_name, client.meta.endpoint_url) == (
            "eu-central-1",
            "http://s3:9000",
        )


def test_clients_try_once_and_give_up_in_two_seconds(
    caller: Caller, build: Build, sts: FakeSts, now: datetime
) -> None:
    Store.objects.update(addressing="virtual")
    vended = issue_session(
        caller=caller, build_id=build.pk, delivery=Delivery.LIST, origin=Origin(), now=now
    )
    config = s3_client(vended, INTERACTIVE).meta.config
    assert config.connect_timeout + config.read_timeout == 2.0
    assert config.retries["total_max_attempts"] == 1
    assert config.s3["addressing_style"] == "virtual"


@pytest.mark.parametrize("error", [ValueError("no size"), RuntimeError("no timezone")])
def test_answer_that_botocore_cannot_read_is_an_answer(
    error: Exception, look: Look, s3: FakeS3
) -> None:
    s3.error = error
    assert look() == Survey(failure="listing_unreadable")
