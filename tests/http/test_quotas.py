"""How much one client and one job may have: 429 where a person or a script asks, by the ledger."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.access.clients import start_job_token
from credentials.models import Client
from tests.conftest import api_for, undone
from tests.credentials.ledger_rows import failed_row, issued_row, requested_row
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import (
    CREATE_PRODUCT,
    ENDPOINTS,
    FINISH_BUILD,
    ISSUE,
    PRESIGNING,
    REFRESH,
    REFRESH_OPEN_BUILD,
    REGISTER_BUILD,
    Endpoint,
)
from tests.http.fake_s3 import FakeS3
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def one_build(settings: Any, build: Build) -> Build:
    """The client has as many open builds as it may."""
    settings.LTD_OPEN_BUILDS = 1
    return build


def sessions(client: Client, count: int, **fields: Any) -> None:
    for _ in range(count):
        issued_row(client=client, requested_at=timezone.now(), **fields)


@pytest.fixture
def three_sessions(settings: Any, caller: Caller, build: Build) -> None:
    """The client asked for as many sessions within the hour as it may."""
    settings.LTD_SESSIONS_AN_HOUR = 3
    sessions(caller.client, 3)


def test_registering_beyond_the_open_builds_is_refused(one_build: Build, refused: Refused) -> None:
    response = refused(REGISTER_BUILD, 429, "too_many_open_builds")
    assert int(response["Retry-After"]) > 0
    assert "1 open builds" in response.json()["message"]
    assert "LTD_OPEN_BUILDS" in response.json()["message"]


def test_registering_beyond_the_sessions_is_refused(three_sessions: None, refused: Refused) -> None:
    response = refused(REGISTER_BUILD, 429, "too_many_sessions")
    assert int(response["Retry-After"]) > 0
    assert "3 sessions within an hour" in response.json()["message"]
    assert "LTD_SESSIONS_AN_HOUR" in response.json()["message"]


# Whose caller is an SDK that would ask again at once, or who needs no session of its own.
NEVER_REFUSED = {name: each for name, each in ENDPOINTS.items() if each.method != "POST"} | {
    "create product": CREATE_PRODUCT
}


def test_everything_else_goes_on(
    one_build: Build, three_sessions: None, send: Send, s3: FakeS3
) -> None:
    s3.sizes = [1]
    for name, endpoint in NEVER_REFUSED.items():
        with undone():
            assert send(endpoint).status_code in {200, 201}, name


ASKED_BY_SCRIPTS = {"issue credentials": ISSUE} | PRESIGNING


def test_sessions_beyond_the_limit_are_refused_to_scripts(
    one_build: Build, three_sessions: None, refused: Refused
) -> None:
    for endpoint in ASKED_BY_SCRIPTS.values():
        response = refused(endpoint, 429, "too_many_sessions")
        assert int(response["Retry-After"]) > 0
        assert "LTD_SESSIONS_AN_HOUR" in response.json()["message"]


@pytest.mark.parametrize("name", PRESIGNING)
def test_kept_session_signs_beyond_the_limit(name: str, send: Send, settings: Any) -> None:
    settings.LTD_SESSIONS_AN_HOUR = 1
    assert [send(PRESIGNING[name]).status_code for _ in range(3)] == [200] * 3


NOT_HANDED_OUT: dict[str, Callable[..., object]] = {
    "requested": requested_row,
    "failed": failed_row,
    "withheld": lambda **fields: issued_row(status="withheld", **fields),
}


def test_sessions_that_were_not_handed_out_count_too(
    send: Send, caller: Caller, settings: Any
) -> None:
    settings.LTD_SESSIONS_AN_HOUR = 1
    for status, make in NOT_HANDED_OUT.items():
        with undone():
            make(client=caller.client, requested_at=timezone.now())
            assert send(REGISTER_BUILD).status_code == 429, status


def test_issuing_fills_the_limit(send: Send, settings: Any) -> None:
    settings.LTD_SESSIONS_AN_HOUR = 2
    assert [send(ISSUE).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert send(REGISTER_BUILD).status_code == 429
    assert send(REFRESH).status_code == 200


Job = tuple[Caller, APIClient]


@pytest.fixture
def make_job(caller: Caller, product: Product, now: datetime, sts: FakeSts) -> Callable[[], Job]:
    def make() -> Job:
        row, secret = start_job_token(
            client=caller.client, api_key=caller.api_key, products=[product], now=now
        )
        job = Caller(client=caller.client, api_key=caller.api_key, job_token=row)
        return job, api_for(secret.reveal())

    return make


@pytest.fixture
def greedy(make_job: Callable[[], Job], register: Callable[..., Build], settings: Any) -> APIClient:
    """A job with a build and twenty sessions where three are the limit, however it got them."""
    settings.LTD_SESSIONS_AN_HOUR = 3
    job, api = make_job()
    api.build = register(caller=job)
    sessions(job.client, 20, build=api.build, token_name=job.token_name)
    return api


def ask(job: APIClient, endpoint: Endpoint, build: Build) -> Any:
    path = endpoint.path.format(build=build.pk)
    return job.generic(endpoint.method, path, json.dumps(endpoint.body), "application/json")


AT_THE_LIMIT = {"register build": REGISTER_BUILD} | ASKED_BY_SCRIPTS


def test_job_beyond_its_own_limit_is_refused(greedy: Any) -> None:
    for endpoint in AT_THE_LIMIT.values():
        answer = ask(greedy, endpoint, greedy.build)
        document = assert_problem(answer, 429, "too_many_sessions")
        assert document["message"].startswith("This job has requested 3 sessions within")


def test_job_beyond_its_own_limit_refreshes_and_finishes(greedy: Any, s3: FakeS3) -> None:
    s3.sizes = [1]
    for endpoint in (REFRESH, REFRESH_OPEN_BUILD, FINISH_BUILD):
        assert ask(greedy, endpoint, greedy.build).status_code == 200


@pytest.mark.parametrize("name", ASKED_BY_SCRIPTS)
def test_job_that_asks_too_often_takes_no_place_of_its_siblings(
    name: str, greedy: Any, make_job: Callable[[], Job]
) -> None:
    _, api = make_job()
    assert ask(api, REGISTER_BUILD, greedy.build).status_code == 201
    assert ask(api, ASKED_BY_SCRIPTS[name], Build.objects.latest("pk")).status_code == 200


def test_many_jobs_fill_the_limit_of_their_client_but_not_each_others(
    make_job: Callable[[], Job], register: Callable[..., Build], settings: Any
) -> None:
    settings.LTD_SESSIONS_AN_HOUR = 2
    jobs = [(api, register(caller=job)) for job, api in (make_job(), make_job())]
    for api, build in jobs * 2:
        assert ask(api, ISSUE, build).status_code == 200
    answer = ask(make_job()[1], REGISTER_BUILD, jobs[0][1])
    assert_problem(answer, 429, "too_many_sessions")
    assert answer.json()["message"].startswith("This client")
