"""SDKs that refresh, against the real server: one call of STS for all, and an answer in time."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import Call
from tests.faults.fake_store import FakeStore
from tests.faults.service import Service
from tests.faults.test_concurrency import at_once, outcomes

MANY = 500


def rows_of(service: Service, build: str) -> list[str]:
    """The status of every session of a build."""
    number = int(build.rpartition("/")[2])
    query = f"SELECT status FROM credentials_issuedsession WHERE build_id = {number}"  # noqa: S608
    return [status for (status,) in service.read(query)]


def wait_until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.1)


def test_500_that_ask_at_once_cost_one_call_of_sts(
    service: Service, build: str, store: FakeStore
) -> None:
    answers = at_once(service, MANY, "GET", f"{build}/credentials")
    assert outcomes(answers) == {(200, ""): MANY}
    assert len({answer.json()["AccessKeyId"] for answer in answers}) == 1
    assert store.asked == 1
    assert rows_of(service, build) == ["issued"]


def test_many_that_wait_for_a_slow_store_cost_one_call(
    service: Service, build: str, store: FakeStore
) -> None:
    store.sts = store.slow
    answers = at_once(service, 50, "GET", f"{build}/credentials")
    assert outcomes(answers) == {(200, ""): 50}
    assert (store.asked, rows_of(service, build)) == (1, ["issued"])


def test_answer_that_comes_late_is_there_for_the_next_ask(
    service: Service, build: str, store: FakeStore, call: Call
) -> None:
    store.sts = store.late
    assert call("GET", f"{build}/credentials").status_code == 503
    store.release()
    wait_until(lambda: rows_of(service, build) == ["issued"])
    assert call("GET", f"{build}/credentials").status_code == 200
    assert (store.asked, rows_of(service, build)) == (1, ["issued"])


def test_store_that_is_too_slow_says_when_to_come_back(
    service: Service, build: str, store: FakeStore, call: Call
) -> None:
    store.sts = store.late
    answer = call("GET", f"{build}/credentials")
    store.release()
    assert (answer.status_code, answer.json()["code"]) == (503, "sts_unreachable")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    wait_until(lambda: rows_of(service, build) == ["issued"])


def test_build_deleted_before_the_late_answer_has_its_session_withheld(
    service: Service, build: str, store: FakeStore, call: Call
) -> None:
    store.sts = store.late
    assert call("GET", f"{build}/credentials").status_code == 503
    assert call("DELETE", build).status_code == 200
    store.release()
    wait_until(lambda: rows_of(service, build) == ["withheld"])
    assert call("GET", f"{build}/credentials").json()["code"] == "build_closed"


def test_store_that_hangs_does_not_stop_the_service(
    service: Service, build: str, store: FakeStore, call: Call
) -> None:
    store.sts = store.hang
    answers = at_once(service, 40, "GET", f"{build}/credentials")
    assert outcomes(answers) == {(503, "sts_unreachable"): 40}
    assert store.asked == 1
    wait_until(lambda: rows_of(service, build) == ["failed"])


@pytest.fixture
def two_processes(
    tmp_path_factory: pytest.TempPathFactory, store: FakeStore
) -> Iterator[tuple[Service, str]]:
    """A service of two processes, and the path of a build."""
    service = Service(tmp_path_factory.mktemp("two"), store.url)
    service.set_up()
    with service.running(workers=2):
        body = {"git_refs": ["main"]}
        made = service.call("POST", "/products/guide/builds/", body, headers=service.headers)
        yield service, "/builds/" + made.json()["self_url"].rpartition("/")[2]


def test_each_process_asks_sts_once_at_most(
    two_processes: tuple[Service, str], store: FakeStore
) -> None:
    service, build = two_processes
    answers = at_once(service, MANY, "GET", f"{build}/credentials")
    assert outcomes(answers) == {(200, ""): MANY}
    assert store.asked <= 2
    assert rows_of(service, build) == ["issued"] * store.asked
