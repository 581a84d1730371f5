"""The service, its store and a caller, shared by the modules of this folder."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from credentials.rules.cooldown import COOLDOWN_SECONDS
from tests.faults.fake_store import FakeStore
from tests.faults.service import Service

Call = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def running_store() -> Iterator[FakeStore]:
    store = FakeStore()
    yield store
    store.behave()
    store.stop()


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, running_store: FakeStore
) -> Iterator[Service]:
    """Migrated, with a store and a client that may create products; running."""
    service = Service(tmp_path_factory.mktemp("service"), running_store.url)
    service.set_up()
    with service.running():
        product = {"slug": "guide", "store": "default"}
        created = service.call("POST", "/products/", product, headers=service.headers)
        assert created.status_code == 201, created.text
        yield service


@pytest.fixture
def store(running_store: FakeStore) -> Iterator[FakeStore]:
    """The store, well again before and after each test."""
    running_store.behave()
    yield running_store
    running_store.behave()
    if running_store.has_hung:  # the service leaves it alone for a moment
        time.sleep(COOLDOWN_SECONDS)
        running_store.has_hung = False


@pytest.fixture
def call(service: Service, request: pytest.FixtureRequest) -> Call:
    """Call the service as its client, and note how long it took."""

    def timed(method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        started = time.monotonic()
        try:
            return service.call(method, path, body, headers=service.headers | headers)
        finally:
            seconds = time.monotonic() - started
            sys.stdout.write(f"{seconds:6.2f} s  {method} {path}  {request.node.name}\n")

    return timed


@pytest.fixture
def build(call: Call, store: FakeStore) -> str:
    """The path of a build just registered."""
    made = call("POST", "/products/guide/builds/", {"git_refs": ["main"]})
    assert made.status_code == 201, made.text
    return "/builds/" + made.json()["self_url"].rpartition("/")[2]
