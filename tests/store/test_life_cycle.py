"""Who is given a session, for which build, and when no more."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from demo.service import Service
from tests.store.answers import ACCEPTED, Answer, answer_to, http_answer
from tests.store.calls import Hand
from tests.store.conftest import OTHER_PRODUCT, PRODUCT, SYNCED, HandOf
from tests.store.differences import Expectations
from tests.store.places import PAGE, body_of
from tests.store.stage import Account, edit
from tests.store.uploader import RegisteredBuild, Uploader

BUILD_CLOSED = Answer(409, "build_closed")
OUT_OF_RANGE = Answer(400, "duration_out_of_range")


@pytest.fixture(scope="module")
def stranger(service: Service, uploader: Uploader, account: Account) -> Iterator[Uploader]:
    """Another client, granted one of the first one's two products."""
    options = ["--product", PRODUCT, "--format", "json"]
    made = json.loads(service.manage("create_client", "stranger", *options))
    other = Uploader(service.url, api_key=made["api_key"], store=account.row.name)
    yield other
    other.close()


def ask_in_every_way(uploader: Uploader, build: RegisteredBuild) -> set[Answer]:
    path = f"{build.url}/credentials"
    ways = [("POST", path), ("GET", path), ("GET", f"{path}?delivery=process")]
    return {http_answer(uploader.call(method, url)) for method, url in ways}


def test_build_that_is_open_is_given_credentials_in_every_way(
    uploader: Uploader, build: RegisteredBuild
) -> None:
    assert ask_in_every_way(uploader, build) == {ACCEPTED}


def test_finished_build_is_given_none(uploader: Uploader) -> None:
    build = uploader.register(PRODUCT)
    uploader.finish(build)
    assert ask_in_every_way(uploader, build) == {BUILD_CLOSED}


def test_deleted_build_is_given_none(uploader: Uploader) -> None:
    build = uploader.register(PRODUCT)
    assert uploader.call("DELETE", build.url).ok
    assert ask_in_every_way(uploader, build) == {BUILD_CLOSED}


def test_build_of_another_client_is_given_none(uploader: Uploader, stranger: Uploader) -> None:
    build = uploader.register(PRODUCT)
    assert ask_in_every_way(stranger, build) == {Answer(403, "not_your_build")}


def test_build_of_a_product_that_is_not_granted_is_given_none(
    uploader: Uploader, stranger: Uploader
) -> None:
    build = uploader.register(OTHER_PRODUCT)
    assert ask_in_every_way(stranger, build) == {Answer(403, "product_not_granted")}


# The database itself refuses a root that does not end in the build's slug.
EDITS = {
    "root": "UPDATE builds_build SET root = 'payroll/builds/' || slug WHERE slug = ?",
    "bucket": "UPDATE builds_build SET bucket_name = 'elsewhere' WHERE slug = ?",
}


@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS)
def test_build_whose_row_was_edited_is_given_none(
    statement: str, uploader: Uploader, folder: Path
) -> None:
    build = uploader.register(PRODUCT)
    edit(folder, statement, build.slug)
    assert ask_in_every_way(uploader, build) == {Answer(409, "scope_changed")}


def test_nobody_is_given_any(build: RegisteredBuild) -> None:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{build.url}/credentials", json={}, timeout=120)
    assert (answer.status_code, "AccessKeyId" in answer.text) == (401, False)


def test_build_of_one_job_is_given_none_for_the_token_of_another(uploader: Uploader) -> None:
    """Nor for the API key that both tokens came from."""
    one, other = (uploader.for_job(PRODUCT) for _ in range(2))
    build = one.register(PRODUCT)
    assert ask_in_every_way(one, build) == {ACCEPTED}
    for somebody in (other, uploader):
        assert ask_in_every_way(somebody, build) == {Answer(403, "not_your_build")}
    one.close()
    other.close()


@pytest.mark.parametrize("seconds", [-1, 0, 1, 899, 3601, 43_200, 43_201, 10**9])
def test_duration_that_nobody_may_have_is_refused(
    seconds: int, uploader: Uploader, build: RegisteredBuild
) -> None:
    assert http_answer(uploader.ask(build, duration_seconds=seconds)) == OUT_OF_RANGE


@pytest.mark.parametrize("seconds", [900, 3600])
def test_shortest_and_longest_duration_are_given(
    seconds: int, uploader: Uploader, build: RegisteredBuild
) -> None:
    assert http_answer(uploader.ask(build, duration_seconds=seconds)) == ACCEPTED


def test_session_outlives_its_finished_build(
    uploader: Uploader, hand_of: HandOf, admin: Any
) -> None:
    """Until it is revoked or expires: STS takes nothing back. The audit names such sessions."""
    build = uploader.register(PRODUCT)
    hand = hand_of(build)
    uploader.finish(build)
    hand.s3.put_object(**hand.own(PAGE), Body=b"late")
    assert body_of(admin, hand.bucket, f"{hand.root}/{PAGE}") == b"late"


def test_objects_of_a_build_are_counted_when_it_is_finished(
    uploader: Uploader, hand_of: HandOf
) -> None:
    build = uploader.register(PRODUCT)
    hand = hand_of(build)
    for name in ("a", "folder/b"):
        hand.s3.put_object(**hand.own(name), Body=b"12345")
    finished = uploader.finish(build)
    assert (finished["object_count"], finished["byte_count"]) == (2, 10)


@pytest.mark.parametrize("page_type", ["", "text/html"])
def test_pages_without_a_type_are_told_where_the_role_may_read(
    page_type: str, uploader: Uploader, hand_of: HandOf
) -> None:
    build = uploader.register(SYNCED)
    hand = hand_of(build)
    typed = {"ContentType": page_type} if page_type else {}
    hand.s3.put_object(**hand.own("index.html"), Body=b"<p>", **typed)
    warning = uploader.finish(build)["warning"]
    assert (warning or "").startswith("" if page_type else "Pages (.html) are stored as")
    assert (warning is None) is bool(page_type)


@pytest.mark.parametrize("hours", [-1, 1])
def test_request_signed_by_a_wrong_clock_is_refused(
    hours: int, hand: Hand, expect: Expectations
) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        answer = answer_to(lambda: hand.s3.put_object(**hand.own("skewed"), Body=b""))
    assert answer == expect.of("put, signed by a wrong clock", Answer(403, "RequestTimeTooSkewed"))
