"""The service, its store and a caller, shared by the modules of this folder."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from credentials.rules.cooldown import COOLDOWN_SECONDS
from tests.faults import table
from tests.faults.fake_store import FakeStore
from tests.faults.postgres import PROGRAMS, Postgres
from tests.faults.service import Service

Call = Callable[..., requests.Response]
# The Procfile leaves starting again to whoever started it; here only the worker is to be new.
AGAIN = ("--respawn-failed-workers", "--respawn-interval", "0.1")


def preloaded(source: str, library: Path) -> str:
    """Compile a library of this folder, for `LD_PRELOAD`."""
    code = Path(__file__).with_name(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, code, "-ldl"], check=True)  # noqa: S607
    return str(library)


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
    """Migrated, with a store, a product and a client that may create more; running."""
    service = Service(tmp_path_factory.mktemp("service"), running_store.url)
    service.set_up()
    with service.running():
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in table.lines():
        terminalreporter.write_line(line)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """For what is tried on both databases."""
    return str(request.param)


@pytest.fixture(scope="session")
def empty_sqlite(
    tmp_path_factory: pytest.TempPathFactory, running_store: FakeStore
) -> tuple[Service, Path]:
    """A service that is set up, and its file, to be copied."""
    service = Service(tmp_path_factory.mktemp("empty"), running_store.url)
    service.set_up()
    return service, service.database


@pytest.fixture(scope="session")
def empty_postgresql(
    tmp_path_factory: pytest.TempPathFactory, running_store: FakeStore
) -> Iterator[tuple[Service, Postgres]]:
    """The same with a server, which is stopped."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed")
    server = Postgres()
    server.create()
    server.start()
    service = Service(tmp_path_factory.mktemp("empty"), running_store.url, server.url())
    service.set_up()
    server.stop("fast")
    yield service, server
    server.remove()


class Services:
    """Services that are set up, each with a copy of a prepared database, until the block ends."""

    def __init__(self, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> None:
        self._request = request
        self._folders = folders
        self._store: FakeStore = request.getfixturevalue("running_store")
        self._running: dict[str, Service] = {}
        self.stack = ExitStack()

    def make(self, kind: str, disk: Path | None = None) -> Service:
        """Not running. The files of its database may lie on a disk of their own."""
        prepared, database = self._request.getfixturevalue(f"empty_{kind}")
        service = Service(self._folders.mktemp("service"), self._store.url)
        service.headers = prepared.headers
        if kind == "sqlite":
            place = disk / "db.sqlite3" if disk else service.database
            service.use_file(Path(shutil.copy(database, place)))
        else:
            service.use_server(self.stack.enter_context(database.copy_to(disk).running()))
        return service

    def running(self, kind: str) -> Service:
        """One that all tests share which need no other; its workers are started again."""
        if kind not in self._running:
            self._running[kind] = self.make(kind)
            self.stack.enter_context(self._running[kind].running(2, *AGAIN))
        return self._running[kind]


@pytest.fixture(scope="session")
def shared_services(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    services = Services(request, tmp_path_factory)
    with services.stack:
        yield services


@pytest.fixture
def shared(shared_services: Services, kind: str, store: FakeStore) -> Service:
    """The running service of a kind."""
    return shared_services.running(kind)


@pytest.fixture
def services(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, store: FakeStore
) -> Iterator[Services]:
    """Services of the test's own."""
    services = Services(request, tmp_path_factory)
    with services.stack:
        yield services
