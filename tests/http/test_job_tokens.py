"""What a CI job goes through with its token: retries, crashes, cancellations, the end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from builds.models import Product
from credentials.access.callers import Caller
from credentials.access.clients import start_job_token
from credentials.models import AccessToken, ApiKey, Client, Grant, JobToken
from tests.conftest import api_for, raw_key, undone
from tests.fake_sts import FakeSts
from tests.http.conftest import basic
from tests.http.fake_s3 import FakeS3
from tests.http.problem import assert_problem
from tests.http.rows import every_row

pytestmark = pytest.mark.django_db
BUILDS = "/products/guide/builds/"
MAIN = {"git_refs": ["main"]}
SLUG = MAIN | {"slug": "v1"}
HOST = "https://keeper.example.org"


@pytest.fixture
def job_token(caller: Caller, product: Product, now: datetime) -> Callable[..., str]:
    def make(*others: Product) -> str:
        _, secret = start_job_token(
            client=caller.client, api_key=caller.api_key, products=[product, *others], now=now
        )
        return secret.reveal()

    return make


@pytest.fixture
def token(job_token: Callable[[], str]) -> str:
    return job_token()


@pytest.fixture
def job(token: str, sts: FakeSts, s3: FakeS3) -> APIClient:
    s3.sizes = [1]
    return api_for(token)


def path_of(built: Any) -> str:
    return str(built.json()["self_url"].removeprefix(HOST))


@pytest.mark.parametrize("header", ["name", "alone", "Bearer"])
def test_token_is_answered_with_itself(header: str, token: str) -> None:
    shown = {"name": basic("ci", token), "alone": basic(token, ""), "Bearer": f"Bearer {token}"}
    client = APIClient()
    for _ in range(3):
        answer = client.get("/token", HTTP_AUTHORIZATION=shown[header])
        assert (answer.status_code, answer.json()) == (200, {"token": token})
        assert answer["Cache-Control"] == "no-store"
    assert (JobToken.objects.count(), AccessToken.objects.count()) == (1, 0)


def test_ended_token_opens_nothing_any_more(job: APIClient) -> None:
    assert job.delete("/token").status_code == 204
    assert_problem(job.get("/token"), 401, "invalid_credentials")
    assert_problem(job.post(BUILDS, MAIN), 401, "invalid_credentials")


def test_ended_access_token_is_gone_and_its_key_is_not(caller: Caller) -> None:
    key = api_for(raw_key(caller))
    session = api_for(key.get("/token").json()["token"])
    given = [
        api_for(each.get("/token?format=json&product=guide").json()["token"])
        for each in (session, key)
    ]
    assert session.delete("/token").status_code == 204
    assert_problem(session.get("/token"), 401, "invalid_credentials")
    assert [each.get("/token").status_code for each in (key, *given)] == [200, 401, 200]


def test_address_is_known_before_the_build(job: APIClient) -> None:
    assert_problem(job.get("/credentials?product=guide"), 404, "no_open_build")
    root = job.post(BUILDS, MAIN).json()["bucket_root_dir"]
    for query in ("?product=guide", "", "?product=guide&delivery=process"):
        assert job.get(f"/credentials{query}").json()["root"] == root


def test_other_products_have_no_open_build(job: APIClient) -> None:
    job.post(BUILDS, MAIN)
    for query in ("?product=other", "?product=..", "?product=GUIDE"):
        assert_problem(job.get(f"/credentials{query}"), 404, "no_open_build")


def test_job_is_finished_with_the_last_of_its_products(
    job_token: Callable[..., str],
    caller: Caller,
    make_product: Callable[..., Product],
    sts: FakeSts,
    s3: FakeS3,
) -> None:
    Grant.objects.create(client=caller.client, product=(other := make_product("other")))
    s3.sizes, job = [1], api_for(job_token(other))
    for slug, rest in (("guide", (404, "no_open_build")), ("other", (409, "job_finished"))):
        built = job.post(f"/products/{slug}/builds/", MAIN)
        assert job.patch(path_of(built), {"uploaded": True}).status_code == 200
        assert_problem(job.get(f"/credentials?product={slug}"), 409, "job_finished")
        assert_problem(job.get("/credentials"), *rest)


def test_wrong_query_is_refused(job: APIClient) -> None:
    for query in ("?delivery=json", "?delivery=list", "?product="):
        assert_problem(job.get(f"/credentials{query}"), 400, "invalid_request")


def test_key_with_two_builds_is_told_what_to_do(caller: Caller, sts: FakeSts) -> None:
    key = api_for(raw_key(caller))
    for _ in range(2):
        key.post(BUILDS, MAIN)
    document = assert_problem(key.get("/credentials"), 409, "several_open_builds")
    assert "credentials_url" in document["message"]
    assert sts.requests == []


def test_retry_supersedes_and_the_older_build_gets_nothing(job: APIClient) -> None:
    first, second = job.post(BUILDS, MAIN), job.post(BUILDS, MAIN)
    assert job.get(path_of(first)).json()["state"] == "superseded"
    assert_problem(job.post(f"{path_of(first)}/credentials", {}), 409, "build_closed")
    assert_problem(job.patch(path_of(first), {"uploaded": True}), 409, "build_closed")
    assert job.get("/credentials").json()["root"] == second.json()["bucket_root_dir"]


def test_retry_after_finish_is_refused_and_a_new_token_works(
    job: APIClient, job_token: Callable[[], str]
) -> None:
    built = job.post(BUILDS, MAIN)
    for _ in range(2):
        assert job.patch(path_of(built), {"uploaded": True}).status_code == 200
    assert_problem(job.post(BUILDS, MAIN), 409, "job_finished")
    assert_problem(job.get("/credentials?product=guide"), 409, "job_finished")
    assert job.get("/token").status_code == 200
    assert api_for(job_token()).post(BUILDS, MAIN).status_code == 201


BUILT = "the build that it finished"
OLDER = "an older one"
WITH_POSTS = {"HTTP_ACCEPT": "application/vnd.ltdkeeper.v2+json"}
SPENT: dict[str, tuple[Callable[[APIClient, dict[str, str]], Any], str]] = {
    "delete": (lambda job, at: job.delete(at[BUILT]), "job_finished"),
    "delete an older build": (lambda job, at: job.delete(at[OLDER]), "job_finished"),
    "register": (lambda job, at: job.post(BUILDS, MAIN), "job_finished"),
    "register again by slug": (lambda job, at: job.post(BUILDS, SLUG), "job_finished"),
    "register with POSTs": (
        lambda job, at: job.post(BUILDS, MAIN | {"directories": ["/"]}, **WITH_POSTS),
        "job_finished",
    ),
    "credentials of whichever is open": (lambda job, at: job.get("/credentials"), "job_finished"),
    "finish an older build": (
        lambda job, at: job.patch(at[OLDER], {"uploaded": True}),
        "build_closed",
    ),
    "credentials": (lambda job, at: job.post(f"{at[BUILT]}/credentials", {}), "build_closed"),
    "refreshed credentials": (lambda job, at: job.get(f"{at[BUILT]}/credentials"), "build_closed"),
    "presigned POSTs": (
        lambda job, at: job.post(f"{at[BUILT]}/presigned-posts", {"directories": ["/"]}),
        "build_closed",
    ),
    "presigned URLs": (
        lambda job, at: job.post(f"{at[BUILT]}/presigned-urls", {"files": [{"key": "a"}]}),
        "build_closed",
    ),
}


@pytest.fixture
def spent(job: APIClient) -> dict[str, str]:
    """Paths of the build that the job finished, and of the one that it had before."""
    older, built = (path_of(job.post(BUILDS, body)) for body in (MAIN, SLUG))
    job.patch(built, {"uploaded": True})
    return {BUILT: built, OLDER: older}


def test_spent_token_writes_nothing_any_more(spent: dict[str, str], job: APIClient) -> None:
    before = every_row()
    for what, (attempt, code) in SPENT.items():
        assert_problem(attempt(job, spent), 409, code)
        assert every_row() == before, what


def test_what_a_job_published_is_deleted_with_the_clients_key(
    spent: dict[str, str], caller: Caller
) -> None:
    assert api_for(raw_key(caller)).delete(spent[BUILT]).json()["state"] == "deleted"


def test_slug_of_its_open_build_gives_a_job_that_build_again(job: APIClient) -> None:
    first, again = (job.post(BUILDS, SLUG) for _ in range(2))
    assert (again.status_code, again["Location"]) == (201, first["Location"])
    assert again.json() == first.json()


def test_job_whose_posts_were_not_signed_comes_back_for_its_slug(
    job: APIClient, sts: FakeSts
) -> None:
    body = SLUG | {"directories": ["/"]}
    sts.fail_with("Throttling")
    assert_problem(job.post(BUILDS, body, **WITH_POSTS), 503, "sts_throttled")
    sts.error = None
    answer = job.post(BUILDS, body, **WITH_POSTS)
    assert (answer.status_code, answer.json()["slug"]) == (201, "v1")
    assert "/" in answer.json()["post_prefix_urls"]


def test_crashed_job_locks_nobody_out(job: APIClient, job_token: Callable[[], str]) -> None:
    crashed = job.post(BUILDS, MAIN)
    job.get("/credentials")
    again = api_for(job_token())
    built = again.post(BUILDS, MAIN)
    assert again.patch(path_of(built), {"uploaded": True}).status_code == 200
    assert job.get(path_of(crashed)).json()["state"] == "open"


def test_cancelled_job_is_cleared_up_with_the_clients_key(job: APIClient, caller: Caller) -> None:
    built = job.post(BUILDS, MAIN)
    key = api_for(raw_key(caller))
    assert key.delete(path_of(built)).json()["state"] == "deleted"
    assert_problem(job.get("/credentials"), 404, "no_open_build")
    assert job.post(BUILDS, MAIN).status_code == 201


def test_build_of_a_job_is_finished_with_the_clients_key(job: APIClient, caller: Caller) -> None:
    built = job.post(BUILDS, MAIN)
    answer = api_for(raw_key(caller)).patch(path_of(built), {"uploaded": True})
    assert (answer.status_code, answer.json()["object_count"]) == (200, 1)
    assert_problem(job.post(BUILDS, MAIN), 409, "job_finished")


def test_token_and_build_end_together(job: APIClient, token: str) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        JobToken.objects.update(expires_at=timezone.now() + timedelta(hours=1))
        built = job.post(BUILDS, MAIN).json()
        expires_at = JobToken.objects.get().expires_at
        assert datetime.fromisoformat(built["open_until"]) == expires_at
        clock.shift(timedelta(seconds=3599))
        assert job.get("/credentials").status_code == 200
        clock.shift(timedelta(seconds=1))
        assert_problem(job.get("/credentials"), 401, "invalid_credentials")


TAKEN: dict[str, Callable[[], object]] = {
    "key revoked": lambda: ApiKey.objects.update(revoked_at=timezone.now()),
    "client disabled": lambda: Client.objects.update(is_active=False),
    "grant taken": lambda: Grant.objects.all().delete(),
    "key limited to no product": lambda: ApiKey.objects.update(all_products=False),
}


def test_token_handed_out_before_stops_at_its_next_call(job: APIClient, sts: FakeSts) -> None:
    for case, end in TAKEN.items():
        with undone():
            path = path_of(job.post(BUILDS, MAIN))
            assert job.get("/credentials").status_code == 200, case
            end()
            assert job.get("/credentials").status_code in {401, 404}, case
            assert job.get(f"{path}/credentials").status_code in {401, 403}, case
            assert job.post(BUILDS, MAIN).status_code in {401, 403}, case
            assert len(sts.requests) == 1, case
            sts.requests.clear()


def test_right_that_ends_while_sts_is_asked_hands_out_nothing(job: APIClient, sts: FakeSts) -> None:
    for case, end in TAKEN.items():
        with undone():
            job.post(BUILDS, MAIN)
            sts.during = end
            answer = job.get("/credentials")
            assert_problem(answer, 409, "session_withheld")
            assert not any(secret in answer.content.decode() for secret in sts.secrets), case


def test_token_that_ends_while_sts_is_asked_hands_out_nothing(job: APIClient, sts: FakeSts) -> None:
    job.post(BUILDS, MAIN)
    sts.during = lambda: JobToken.objects.update(ended_at=timezone.now())
    assert_problem(job.get("/credentials"), 409, "session_withheld")
