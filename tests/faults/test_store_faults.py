"""The store hangs, is slow, stops, throttles or talks nonsense: callers get a typed answer."""

from collections.abc import Callable

import pytest
import requests

from tests.faults.conftest import Call
from tests.faults.fake_store import FakeStore
from tests.faults.service import Service
from tests.http.problem import assert_tells_nothing
from tests.http.sts_answers import Answer

# what the store does; status, code and whether the answer says when to come back
FAULTS: dict[str, tuple[Callable[[FakeStore], Answer], int, str, bool]] = {
    "hangs": (FakeStore.hang, 503, "sts_unreachable", True),
    "throttles": (lambda s: s.refusal("Throttling"), 503, "sts_throttled", True),
    "is behind a gateway": (
        lambda s: (502, "<html>arn:aws:x</html>"),
        503,
        "sts_unreachable",
        True,
    ),
    "talks garbage": (lambda s: (200, "<Assume arn:aws:x"), 502, "sts_bad_answer", False),
    "is cut off": (FakeStore.cut, 502, "sts_bad_answer", False),
    "gives too short a session": (
        lambda s: s.changed("Expiration", "2020-01-01T00:00:00Z"),
        502,
        "sts_bad_answer",
        False,
    ),
    "denies the role": (
        lambda s: s.refusal("AccessDenied", 403),
        502,
        "role_not_assumable",
        False,
    ),
}


def assert_typed(response: requests.Response, status: int, code: str, *, passing: bool) -> None:
    document = response.json()
    assert (response.status_code, document["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in response.headers) is passing
    assert_tells_nothing(response.text)
    assert "123456789012" not in response.text


@pytest.mark.parametrize("fault", FAULTS)
def test_store_that_fails_gives_a_typed_answer(
    fault: str, store: FakeStore, service: Service, call: Call, build: str
) -> None:
    behaviour, status, code, passing = FAULTS[fault]
    store.sts = lambda: behaviour(store)
    response = call("POST", f"{build}/credentials", {})
    assert_typed(response, status, code, passing=passing)
    assert service.last_session() == ("failed", code)
    assert [secret for secret in store.secrets if secret in response.text] == []


def test_store_that_is_stopped_gives_a_typed_answer(
    store: FakeStore, service: Service, call: Call, build: str
) -> None:
    with store.stopped():
        response = call("POST", f"{build}/credentials", {})
    assert_typed(response, 503, "sts_unreachable", passing=True)
    assert service.last_session() == ("failed", "sts_unreachable")


def test_slow_store_still_works(store: FakeStore, service: Service, call: Call, build: str) -> None:
    store.sts = store.slow
    response = call("POST", f"{build}/credentials", {})
    assert response.status_code == 200
    assert response.json()["SecretAccessKey"] in store.secrets
    assert service.last_session() == ("issued", "")


def test_store_that_fails_once_is_asked_again(
    store: FakeStore, service: Service, call: Call, build: str
) -> None:
    store.sts = lambda: (
        store.refusal("InternalFailure", 500) if store.asked < 2 else store.session()
    )
    assert call("POST", f"{build}/credentials", {}).status_code == 200
    assert store.asked == 2


def test_store_that_keeps_failing_is_asked_twice(store: FakeStore, call: Call, build: str) -> None:
    store.sts = lambda: store.refusal("InternalFailure", 500)
    call("POST", f"{build}/credentials", {})
    assert store.asked == 2


def test_store_that_comes_back_is_used_at_once(store: FakeStore, call: Call, build: str) -> None:
    assert call("POST", f"{build}/credentials", {}).status_code == 200
    with store.stopped():
        assert call("POST", f"{build}/credentials", {}).status_code == 503
    assert call("POST", f"{build}/credentials", {}).status_code == 200


FINISHES: dict[str, Callable[[FakeStore], None]] = {
    "STS hangs": lambda store: setattr(store, "sts", store.hang),
    "S3 hangs": lambda store: setattr(store, "s3", store.hang),
    "S3 talks garbage": lambda store: setattr(store, "s3", lambda: (200, "<List")),
    "S3 fails": lambda store: setattr(store, "s3", lambda: (500, "")),
}


@pytest.mark.parametrize("fault", FINISHES)
def test_build_is_finished_without_the_store(
    fault: str, store: FakeStore, service: Service, call: Call, build: str
) -> None:
    FINISHES[fault](store)
    response = call("PATCH", build, {"uploaded": True})
    assert (response.status_code, response.json()["state"]) == (200, "finished")
    assert response.json()["object_count"] is None


def test_build_is_finished_while_the_store_is_stopped(
    store: FakeStore, call: Call, build: str
) -> None:
    with store.stopped():
        response = call("PATCH", build, {"uploaded": True})
    assert (response.status_code, response.json()["state"]) == (200, "finished")


def test_finished_build_is_counted(call: Call, build: str) -> None:
    document = call("PATCH", build, {"uploaded": True}).json()
    assert (document["object_count"], document["byte_count"]) == (1, 7)


def test_everything_else_works_while_the_store_is_stopped(
    store: FakeStore, call: Call, build: str
) -> None:
    with store.stopped():
        assert call("GET", "/readyz").status_code == 200
        assert call("GET", "/token").status_code == 200
        assert call("GET", build).json()["state"] == "open"
        assert call("DELETE", build).json()["state"] == "deleted"


def test_log_of_the_service_holds_no_secret(
    store: FakeStore, service: Service, call: Call, build: str
) -> None:
    store.sts = store.cut
    call("POST", f"{build}/credentials", {})
    store.sts = store.session
    call("POST", f"{build}/credentials", {})
    log = service.log.read_text()
    assert "assume_role_failed" in log
    assert [secret for secret in store.secrets if secret[:20] in log] == []
