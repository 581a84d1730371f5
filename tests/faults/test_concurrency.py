"""Many callers at once, over real HTTP: a slug is given once, and no two builds share a root."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import requests

from tests.faults.conftest import Call
from tests.faults.fake_store import FakeStore
from tests.faults.service import Service

BUILDS = "/products/guide/builds/"


def at_once(
    service: Service, count: int, method: str, path: str, body: Any = None
) -> list[requests.Response]:
    """The answers to equal requests that were sent together, each on a connection of its own."""

    def send(_number: int) -> requests.Response:
        with requests.Session() as http:
            http.trust_env = False
            return http.request(
                method, service.url + path, json=body, headers=service.headers, timeout=120
            )

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send, range(count)))


def outcomes(answers: list[requests.Response]) -> Counter[tuple[int, str]]:
    return Counter((answer.status_code, answer.json().get("code", "")) for answer in answers)


def test_slug_asked_for_by_twenty_is_given_once(service: Service) -> None:
    body = {"git_refs": ["main"], "slug": "v1.0"}
    answers = at_once(service, 20, "POST", BUILDS, body)
    assert outcomes(answers) == {(201, ""): 1, (409, "slug_taken"): 19}
    assert service.read("SELECT count(*) FROM builds_build WHERE slug = 'v1.0'") == [(1,)]


def test_thirty_builds_without_a_slug_have_thirty_roots(service: Service) -> None:
    answers = at_once(service, 30, "POST", BUILDS, {"git_refs": ["main"]})
    assert outcomes(answers) == {(201, ""): 30}
    assert len({answer.json()["bucket_root_dir"] for answer in answers}) == 30
    assert len({answer.json()["self_url"] for answer in answers}) == 30


def test_product_asked_for_by_ten_is_made_once(service: Service) -> None:
    body = {"slug": "contended", "store": "default"}
    answers = at_once(service, 10, "POST", "/products/", body)
    assert outcomes(answers) == {(201, ""): 1, (409, "slug_taken"): 9}


def test_build_finished_by_ten_is_finished_once(
    service: Service, build: str, store: FakeStore
) -> None:
    answers = at_once(service, 10, "PATCH", build, {"uploaded": True})
    assert outcomes(answers) == {(200, ""): 10}
    assert len({answer.json()["finished_at"] for answer in answers}) == 1


def test_ten_sessions_of_one_build_have_ten_rows(
    service: Service, build: str, store: FakeStore
) -> None:
    before = service.sessions()
    answers = at_once(service, 10, "POST", f"{build}/credentials", {})
    assert outcomes(answers) == {(200, ""): 10}
    assert len({answer.json()["AccessKeyId"] for answer in answers}) == 10
    assert service.sessions() == before + 10


def test_build_deleted_among_requests_issues_nothing_afterwards(
    service: Service, call: Call, build: str, store: FakeStore
) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(at_once, service, 10, "POST", f"{build}/credentials", {})
        assert call("DELETE", build).status_code == 200
        answers = asking.result()
    allowed = {(200, ""), (409, "build_closed"), (409, "session_withheld")}
    assert set(outcomes(answers)) <= allowed
    assert call("POST", f"{build}/credentials", {}).json()["code"] == "build_closed"


JOBS = 20
FINISH = {"uploaded": True, "empty": True}


@pytest.fixture
def two_workers(tmp_path: Path, running_store: FakeStore, store: FakeStore) -> Iterator[Service]:
    """A service of two processes, as on a machine with two cores, with a database of its own."""
    service = Service(tmp_path, running_store.url)
    service.set_up()
    with service.running(workers=2):
        yield service


def whole_job(service: Service) -> tuple[int, str]:
    """A job from its token to the finished build; ends at the first answer that is an error."""
    with requests.Session() as http:
        http.trust_env = False

        def send(method: str, url: str, body: Any = None) -> Any:
            answer = http.request(method, url, json=body, headers=headers, timeout=120)
            answer.raise_for_status()
            return answer.json()

        headers = service.headers
        try:
            token = send("GET", f"{service.url}/token?format=json&product=guide")["token"]
            headers = {"Authorization": f"Bearer {token}"}
            build = send("POST", service.url + BUILDS, {"git_refs": ["main"]})
            send("POST", build["credentials_url"], {})
            send("GET", build["credentials_url"])
            send("PATCH", build["self_url"], FINISH)
        except requests.HTTPError as err:
            return err.response.status_code, err.response.json()["code"]
    return 200, ""


def test_burst_of_jobs_that_do_not_retry_finishes_on_sqlite(two_workers: Service) -> None:
    together = Barrier(JOBS)

    def job(_number: int) -> tuple[int, str]:
        together.wait(120)
        return whole_job(two_workers)

    with ThreadPoolExecutor(JOBS) as pool:
        outcomes_of_jobs = Counter(pool.map(job, range(JOBS)))
    assert outcomes_of_jobs == {(200, ""): JOBS}
