"""Finishing over HTTP: what the listing says is stored, what it cannot say stops nobody."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.utils import timezone

from builds.models import Build, Store
from builds.services import (
    ObjectCount,
    Survey,
    close_to_uploads,
    delete_build,
    finish_build,
    record_count,
)
from credentials.models import ApiKey, Client, IssuedSession
from tests.conftest import undone
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send, expire
from tests.http.endpoints import FINISH_BUILD, ISSUE, READ_BUILD, REFRESH
from tests.http.fake_s3 import FakeS3
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db

EMPTY_ALLOWED = b'{"uploaded": true, "empty": true}'


def test_finished_build_knows_its_objects_and_bytes(send: Send, s3: FakeS3) -> None:
    s3.sizes = [10, 200, 3_000]
    send(ISSUE)
    document = send(FINISH_BUILD).json()
    assert (document["object_count"], document["byte_count"]) == (3, 3_210)
    assert (document["uploaded"], document["state"]) == (True, "finished")
    assert document["written_without_session"] is False


def test_finish_answers_200_with_the_whole_build(send: Send, s3: FakeS3) -> None:
    s3.sizes = [1]
    response = send(FINISH_BUILD)
    assert response.status_code == 200
    assert response.json() == send(READ_BUILD).json()


def test_one_page_below_the_root_is_listed(send: Send, s3: FakeS3, build: Build) -> None:
    s3.sizes = [1]
    send(FINISH_BUILD)
    expected = {"Bucket": "docs-bucket", "Prefix": f"{build.root}/", "MaxKeys": 1000}
    assert s3.requests == [expected]


def test_listing_has_a_session_of_its_own_in_the_ledger(
    send: Send, s3: FakeS3, sts: FakeSts, build: Build
) -> None:
    s3.sizes = [1]
    send(FINISH_BUILD)
    row = IssuedSession.objects.get()
    assert (row.delivery, row.status, row.build) == ("list", "issued", build)
    assert (row.access_key_id, row.duration_seconds) == (
        s3.sessions[0].assumed.access_key_id,
        900,
    )
    [statement] = json.loads(sts.requests[0]["Policy"])["Statement"]
    assert statement["Action"] == "s3:ListBucket"


def test_no_secret_of_the_listing_is_answered(send: Send, s3: FakeS3, sts: FakeSts) -> None:
    s3.sizes = [1]
    text = send(FINISH_BUILD).content.decode()
    assert [secret for secret in sts.secrets if secret in text] == []


def test_empty_build_is_refused_and_stays_open(send: Send, s3: FakeS3) -> None:
    assert_problem(send(FINISH_BUILD), 409, "empty_build")
    document = send(READ_BUILD).json()
    assert (document["state"], document["uploaded"], document["object_count"]) == (
        "open",
        False,
        None,
    )
    assert send(ISSUE).status_code == 200


def test_refused_build_can_be_finished_when_something_is_there(send: Send, s3: FakeS3) -> None:
    send(FINISH_BUILD)
    s3.sizes = [5]
    response = send(FINISH_BUILD)
    assert (response.status_code, response.json()["byte_count"]) == (200, 5)


def test_empty_build_is_finished_when_it_is_meant(send: Send, s3: FakeS3) -> None:
    document = send(FINISH_BUILD, EMPTY_ALLOWED).json()
    assert (document["state"], document["object_count"], document["byte_count"]) == (
        "finished",
        0,
        0,
    )
    assert document["written_without_session"] is False


def test_more_than_one_page_is_finished_without_a_count(send: Send, s3: FakeS3) -> None:
    s3.sizes, s3.truncated = [1] * 1000, True
    send(ISSUE)
    document = send(FINISH_BUILD).json()
    assert (document["state"], document["object_count"], document["byte_count"]) == (
        "finished",
        None,
        None,
    )
    assert Build.objects.get().survey_failure == "more_than_one_page"


def test_objects_without_a_writing_session_are_marked(send: Send, s3: FakeS3) -> None:
    s3.sizes = [1]
    assert send(FINISH_BUILD).json()["written_without_session"] is True


def test_more_than_one_page_without_a_writing_session_is_marked(send: Send, s3: FakeS3) -> None:
    s3.sizes, s3.truncated = [1] * 1000, True
    assert send(FINISH_BUILD).json()["written_without_session"] is True


@pytest.mark.parametrize("endpoint", [ISSUE, REFRESH], ids=["issue", "refresh"])
def test_objects_with_a_writing_session_are_not_marked(
    endpoint: Any, send: Send, s3: FakeS3
) -> None:
    s3.sizes = [1]
    send(endpoint)
    assert send(FINISH_BUILD).json()["written_without_session"] is False


def test_session_that_failed_did_not_write(send: Send, s3: FakeS3, sts: FakeSts) -> None:
    s3.sizes = [1]
    sts.fail_with("Throttling")
    send(ISSUE)
    sts.error = None
    assert send(FINISH_BUILD).json()["written_without_session"] is True


def test_session_of_another_build_did_not_write(
    send: Send, s3: FakeS3, register: Callable[..., Build]
) -> None:
    other = register()
    s3.sizes = [1]
    send(ISSUE)
    finish_other = replace(FINISH_BUILD, path=f"/builds/{other.pk}")
    assert send(finish_other).json()["written_without_session"] is True


def typed(s3: FakeS3, page_type: str) -> None:
    Store.objects.update(with_sync=True)
    s3.sizes, s3.page_type = [1], page_type


def away(s3: FakeS3) -> None:
    s3.error = EndpointConnectionError(endpoint_url="http://inside:9000")


# what the store shows, whether a session was issued -> what the warning says, None: there is none
WARNINGS: dict[str, tuple[Callable[[FakeS3], object], bool, tuple[str, ...] | None]] = {
    "all well": (lambda s3: typed(s3, "text/html"), True, None),
    "more than one page": (
        lambda s3: [setattr(s3, "truncated", True), typed(s3, "text/html")],
        True,
        None,
    ),
    "pages to download": (lambda s3: typed(s3, "binary/octet-stream"), True, ("download them",)),
    "store away": (away, True, ("could not be read (store_unreachable)",)),
    "other credentials": (lambda s3: typed(s3, "text/html"), False, ("static keys",)),
    "two at once": (
        lambda s3: typed(s3, "application/octet-stream"),
        False,
        ("static keys", ". Pages (.html) are stored"),
    ),
}


def test_finished_build_warns_of_what_its_uploader_should_know(
    send: Send, s3: FakeS3, build: Build
) -> None:
    for case, (arrange, issued, told) in WARNINGS.items():
        with undone():
            vars(s3).update(vars(FakeS3()))
            arrange(s3)
            if issued:
                send(ISSUE)
            for answer in (send(FINISH_BUILD), send(FINISH_BUILD), send(READ_BUILD)):
                warning = answer.json()["warning"]
                assert (warning is None) is (told is None), case
                assert [part for part in told or () if part not in warning] == [], case


def test_build_that_was_counted_later_no_longer_warns(
    send: Send, s3: FakeS3, build: Build, now: datetime
) -> None:
    away(s3)
    send(FINISH_BUILD)
    count = ObjectCount(object_count=1, byte_count=1, newest_object_at=now)
    record_count(build_id=build.pk, count=count, now=now)
    assert send(READ_BUILD).json()["warning"] is None


def test_open_build_has_no_warning(send: Send) -> None:
    assert send(READ_BUILD).json()["warning"] is None


def test_finishing_again_gives_the_same_answer(send: Send, s3: FakeS3) -> None:
    s3.sizes = [7]
    first = send(FINISH_BUILD)
    s3.sizes = [7, 8, 9]
    second = send(FINISH_BUILD)
    assert (second.status_code, second.content) == (200, first.content)
    assert (len(s3.requests), IssuedSession.objects.count()) == (1, 1)


def test_finishing_again_after_the_window_gives_the_same_answer(
    send: Send, s3: FakeS3, build: Build
) -> None:
    s3.sizes = [7]
    first = send(FINISH_BUILD)
    expire(build)
    again = send(FINISH_BUILD)
    assert (again.status_code, again.json()["finished_at"]) == (200, first.json()["finished_at"])


def delete(build: Build) -> None:
    delete_build(build_id=build.pk, now=timezone.now())


@pytest.mark.parametrize("close", [delete, expire])
def test_build_that_closed_otherwise_is_not_looked_at(
    close: Callable[[Build], None], refused: Refused, s3: FakeS3, build: Build
) -> None:
    close(build)
    refused(FINISH_BUILD, 409, "build_closed")
    assert s3.requests == []


def test_finished_then_deleted_build_is_not_finished_again(send: Send, s3: FakeS3) -> None:
    s3.sizes = [1]
    send(FINISH_BUILD)
    delete(Build.objects.get())
    assert_problem(send(FINISH_BUILD), 409, "build_closed")


def finish(build: Build) -> None:
    survey = Survey(object_count=7, byte_count=7, has_objects=True)
    finish_build(
        build_id=build.pk,
        survey=survey,
        empty_allowed=False,
        written_without_session=False,
        now=timezone.now(),
    )


@pytest.mark.parametrize("moment", ["sts", "s3"])
def test_build_finished_by_another_call_meanwhile_gives_that_answer(
    moment: str, send: Send, s3: FakeS3, sts: FakeSts, build: Build
) -> None:
    s3.sizes = [1]
    (sts if moment == "sts" else s3).during = lambda: finish(build)
    response = send(FINISH_BUILD)
    assert (response.status_code, response.json()["object_count"]) == (200, 7)


def test_build_deleted_during_the_listing_is_not_finished(send: Send, s3: FakeS3) -> None:
    s3.sizes, s3.during = [1], lambda: delete(Build.objects.get())
    assert_problem(send(FINISH_BUILD), 409, "build_closed")
    assert Build.objects.get().finished_at is None


ENDED: dict[str, tuple[Callable[[datetime], Any], str]] = {
    "client disabled": (lambda _: Client.objects.update(is_active=False), "session_withheld"),
    "key revoked": (lambda now: ApiKey.objects.update(revoked_at=now), "session_withheld"),
    "build closed to uploads": (
        lambda now: close_to_uploads(build_id=Build.objects.get().pk, now=now),
        "build_closed",
    ),
}


def test_build_whose_right_ended_during_the_listing_is_not_finished(
    send: Send, s3: FakeS3, build: Build
) -> None:
    s3.sizes = [1]
    for case, (end, code) in ENDED.items():
        with undone():
            s3.during = lambda end=end: end(timezone.now())
            assert send(FINISH_BUILD).json()["code"] == code, case
            assert Build.objects.get().finished_at is None, case
