"""The database is locked by somebody else: typed answers in time, nothing issued without a row."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.faults.conftest import Call
from tests.faults.fake_store import FakeStore
from tests.faults.service import Service
from tests.http.problem import assert_tells_nothing
from tests.http.sts_answers import Answer

REGISTER = {"git_refs": ["main"]}
WRITES: dict[str, tuple[str, str, Any]] = {
    "issue": ("POST", "{build}/credentials", {}),
    "refresh": ("GET", "{build}/credentials", None),
    "token": ("GET", "/token", None),
    "register": ("POST", "/products/guide/builds/", REGISTER),
    "create product": ("POST", "/products/", {"slug": "locked-out", "store": "default"}),
    "finish": ("PATCH", "{build}", {"uploaded": True}),
    "delete": ("DELETE", "{build}", None),
}
READS = ["/", "/livez", "/readyz", "/products/", "/products/guide", "/products/guide/builds/"]


# What an SDK that refreshes is told if its wait ends before that for the database does.
NOT_READY = "sts_unreachable"


def assert_comes_back(response: requests.Response) -> None:
    refreshes = response.request.method == "GET" and response.url.endswith("/credentials")
    codes = {"database_unavailable", NOT_READY} if refreshes else {"database_unavailable"}
    assert (response.status_code, response.json()["code"] in codes) == (503, True)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) >= 1
    assert_tells_nothing(response.text)


@pytest.fixture
def lock(service: Service) -> Iterator[Any]:
    """Take the write lock when called; it is given back at the test's end."""
    taken = []
    yield lambda: taken.append(service.lock())
    for connection in taken:
        connection.close()


def test_locked_database_is_said_to_come_back_whatever_was_to_be_written(
    service: Service, store: FakeStore, build: str
) -> None:
    def send(write: str) -> requests.Response:
        method, template, body = WRITES[write]
        return service.call(method, template.format(build=build), body, headers=service.headers)

    with service.locked(), ThreadPoolExecutor(len(WRITES)) as pool:
        answers = list(pool.map(send, WRITES))
    for answer in answers:
        assert_comes_back(answer)


def test_nothing_is_asked_of_sts_while_no_row_can_be_written(
    store: FakeStore, service: Service, call: Call, build: str
) -> None:
    before = service.sessions()
    with service.locked():
        assert_comes_back(call("POST", f"{build}/credentials", {}))
    assert (store.asked, service.sessions()) == (0, before)
    assert call("POST", f"{build}/credentials", {}).status_code == 200


def test_locked_database_is_still_read(service: Service, call: Call, build: str) -> None:
    with service.locked():
        statuses = {path: call("GET", path).status_code for path in (*READS, build)}
    assert set(statuses.values()) == {200}


def test_short_lock_is_waited_for(service: Service, call: Call, build: str) -> None:
    connection = service.lock()
    release = threading.Timer(0.7, connection.close)
    release.start()
    assert call("POST", f"{build}/credentials", {}).status_code == 200
    release.join()


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_lock_taken_during_the_call_of_sts_withholds_the_session(
    method: str, lock: Any, store: FakeStore, service: Service, call: Call, build: str
) -> None:
    def locking() -> Answer:
        lock()
        return store.session()

    store.sts = locking
    response = call(method, f"{build}/credentials", {} if method == "POST" else None)
    assert_comes_back(response)
    assert [secret for secret in store.secrets if secret in response.text] == []
    assert service.last_session() == ("requested", "")


def test_failure_is_told_though_it_cannot_be_recorded(
    lock: Any, store: FakeStore, service: Service, call: Call, build: str
) -> None:
    def locking() -> Answer:
        lock()
        return store.refusal("AccessDenied", 403)

    store.sts = locking
    response = call("POST", f"{build}/credentials", {})
    assert (response.status_code, response.json()["code"]) == (502, "role_not_assumable")
    assert service.last_session() == ("requested", "")


def test_hanging_store_and_locked_database_together_are_answered_in_time(
    lock: Any, store: FakeStore, service: Service, call: Call, build: str
) -> None:
    def locking() -> Answer:
        if store.asked == 1:
            lock()
        return store.hang()

    store.sts = locking
    response = call("POST", f"{build}/credentials", {})
    assert (response.status_code, response.json()["code"]) == (503, "sts_unreachable")
    assert service.last_session() == ("requested", "")


def test_lock_taken_while_finishing_leaves_the_build_open(
    lock: Any, store: FakeStore, call: Call, build: str
) -> None:
    def locking() -> Answer:
        lock()
        return store.session()

    store.sts = locking
    assert_comes_back(call("PATCH", build, {"uploaded": True}))
    assert call("GET", build).json()["state"] == "open"
