"""SDKs that ask again get the same credentials, and nobody else does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from builds.models import Product
from credentials.access.callers import Caller
from credentials.access.clients import (
    command_line_user,
    revoke_api_key,
    start_access_token,
    start_job_token,
)
from credentials.models import ApiKey, Client, IssuedSession
from tests.conftest import api_for, undone
from tests.fake_sts import FakeSts
from tests.http.conftest import Send
from tests.http.endpoints import FINISH_BUILD, ISSUE, REFRESH, REFRESH_OPEN_BUILD
from tests.http.fake_s3 import FakeS3
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db

NewJob = Callable[[], APIClient]


@pytest.fixture
def new_job(caller: Caller, product: Product, now: datetime, sts: FakeSts) -> NewJob:
    """A CI job with a token of its own."""

    def make() -> APIClient:
        _, token = start_job_token(
            client=caller.client, api_key=caller.api_key, products=[product], now=now
        )
        return api_for(token.reveal())

    return make


def test_both_addresses_serve_the_same(send: Send, sts: FakeSts) -> None:
    answers = [send(each).json() for each in (REFRESH, REFRESH_OPEN_BUILD, REFRESH)]
    assert answers[0] == answers[1] == answers[2]
    assert len(sts.requests) == IssuedSession.objects.count() == 1


def test_asking_by_post_issues_each_time(send: Send, sts: FakeSts) -> None:
    keys = {send(each).json()["AccessKeyId"] for each in (REFRESH, ISSUE, ISSUE, REFRESH)}
    assert len(keys) == len(sts.requests) == 3


def test_key_and_its_session_are_served_the_same(send: Send, caller: Caller) -> None:
    token = start_access_token(caller=caller, now=timezone.now()).reveal()
    first = send(REFRESH).json()
    assert send(REFRESH, HTTP_AUTHORIZATION=f"Bearer {token}").json() == first


def test_each_job_is_served_its_own(new_job: NewJob, sts: FakeSts) -> None:
    jobs = [new_job(), new_job()]
    for job in jobs:
        job.post("/products/guide/builds/", {"git_refs": ["main"]})
    first, second = ([job.get("/credentials").json() for _ in range(2)] for job in jobs)
    assert first[0] == first[1]
    assert second[0] == second[1]
    assert first[0]["root"] != second[0]["root"]
    assert len(sts.requests) == 2


def test_other_job_never_gets_what_is_in_memory(new_job: NewJob, send: Send) -> None:
    owner, other = new_job(), new_job()
    built = owner.post("/products/guide/builds/", {"git_refs": ["main"]}).json()
    path = built["credentials_url"].removeprefix("https://keeper.example.org")
    assert owner.get(path).status_code == 200
    assert_problem(other.get(path), 403, "not_your_build")
    assert_problem(send(replace(REFRESH, path=path)), 403, "not_your_build")


def test_retry_in_the_job_closes_what_was_in_memory(new_job: NewJob, sts: FakeSts) -> None:
    job = new_job()
    roots = []
    for _ in range(2):
        job.post("/products/guide/builds/", {"git_refs": ["main"]})
        roots.append(job.get("/credentials").json()["root"])
    assert roots[0] != roots[1]
    assert len(sts.requests) == 2


def test_finished_build_is_refused_although_it_is_in_memory(send: Send, s3: FakeS3) -> None:
    s3.sizes = [1]
    send(REFRESH)
    assert send(FINISH_BUILD).status_code == 200
    assert_problem(send(REFRESH), 409, "build_closed")


ENDING: dict[str, tuple[Callable[[], Any], int, str]] = {
    "key revoked": (
        lambda: revoke_api_key(
            key=ApiKey.objects.get(), actor=command_line_user(), now=timezone.now()
        ),
        401,
        "invalid_credentials",
    ),
    "client disabled": (lambda: Client.objects.update(is_active=False), 401, "invalid_credentials"),
    "key limited": (
        lambda: ApiKey.objects.update(all_products=False),
        403,
        "product_not_granted",
    ),
}


def test_token_that_ended_is_refused_although_it_is_in_memory(send: Send) -> None:
    for end, status, code in ENDING.values():
        with undone():
            send(REFRESH)
            end()
            assert_problem(send(REFRESH), status, code)


def test_answer_from_memory_is_never_stored(send: Send) -> None:
    send(REFRESH)
    again = send(REFRESH)
    assert (again["Cache-Control"], again["Vary"]) == ("no-store", "Authorization")


def test_serving_again_costs_few_statements(send: Send, django_assert_max_num_queries: Any) -> None:
    send(REFRESH)
    send(REFRESH)  # notes that it was served again
    with django_assert_max_num_queries(3):
        assert send(REFRESH).status_code == 200


def test_failed_call_is_made_again_by_the_next_ask(send: Send, sts: FakeSts) -> None:
    sts.fail_with("Throttling")
    assert_problem(send(REFRESH), 503, "sts_throttled")
    sts.error = None
    assert send(REFRESH).status_code == 200
