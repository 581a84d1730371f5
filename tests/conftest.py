"""What every test has: settings of a production-like service, and rows to start from."""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from botocore.loaders import Loader
from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from pytest_django import DjangoDbBlocker
from pytest_socket import disable_socket, enable_socket
from rest_framework.test import APIClient

from builds.models import Build, Product, Store
from credentials.access import refusals, throttling
from credentials.access.callers import Caller
from credentials.access.clients import command_line_user, create_client, make_api_key
from credentials.access.registrations import register_owned_build
from credentials.models import ApiKey, Client
from credentials.operations import closed_builds
from credentials.vending import serving
from credentials.vending.memory import SingleFlight
from credentials.vending.sts import cooldown
from tests.documents import documents_held_against_schemas
from tests.fake_sts import FakeSts
from tests.migrated import create_test_database, restore_test_database
from tests.settings import DATABASE_URL

ROLE_ARN = "arn:aws:iam::123456789012:role/upload"
FOLDER = Path(__file__).parent
WITH_SERVERS = {
    *("browser", "clients", "demo", "faults", "soak", "spark", "steps", "store", "workflows"),
}
# A busy machine is slow, not wrong; a fixture that no example changes may serve them all.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# For who only asks whether a test fails (tests/proof): no smaller example is looked for.
settings.register_profile(
    "judging",
    parent=settings.get_profile("patient"),
    phases=(Phase.explicit, Phase.generate),
    database=None,
)
settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["database"] = DATABASE_URL


def pytest_configure(config: pytest.Config) -> None:
    """A worker of pytest-xdist that lost the database's address would test SQLite again."""
    named = getattr(config, "workerinput", {}).get("database", DATABASE_URL)
    assert named == DATABASE_URL, "LTD_TEST_DATABASE_URL did not reach this worker"


def pytest_collection() -> None:
    """What is imported stays: looking through it for garbage takes each worker a second."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # seldom: what a test leaves behind is little


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark folders whose tests start servers; on PostgreSQL, keep what touches the database."""
    for item in items:
        if item.path.relative_to(FOLDER).parts[0] in WITH_SERVERS:
            item.add_marker(pytest.mark.loopback)
            item.add_marker(pytest.mark.slow)
    if DATABASE_URL:
        others = [item for item in items if not _touches_the_database(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def _touches_the_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return bool(item.get_closest_marker("django_db")) or "db" in fixtures


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """In place of pytest-django's, which migrates each time, and of flushing every table."""
    with django_db_blocker.unblock():
        name = create_test_database()
    with pytest.MonkeyPatch.context() as patched:
        restore = lambda _case: restore_test_database()  # noqa: E731
        patched.setattr(TransactionTestCase, "_fixture_teardown", restore)
        yield
    with django_db_blocker.unblock():
        connection.creation.destroy_test_db(name, verbosity=0)


@pytest.fixture(scope="session", autouse=True)
def _botocore_models() -> Iterator[None]:
    """botocore's models are read once: each new session would read them again, for seconds."""
    loader = Loader()
    with patch("botocore.session.create_loader", lambda *_paths: loader):
        yield


@pytest.fixture(scope="session", autouse=True)
def _documents() -> Iterator[None]:
    with documents_held_against_schemas():
        yield


@pytest.fixture(autouse=True)
def _sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """No network, but for tests that start their own servers on loopback."""
    if request.node.get_closest_marker("loopback"):
        enable_socket()
    else:
        disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


def forget() -> None:
    """What a process remembers: no test is served what another was issued, and no test's time-outs
    and wrong keys are held against the next.
    """
    serving.session_cache.clear()
    cooldown.clear()
    cache.clear()
    throttling.cooldown.clear()
    refusals.refusals.take()


@contextmanager
def undone() -> Iterator[None]:
    """Within, a test goes through one row of its table: what it writes is taken back at the end."""
    before = transaction.savepoint()
    yield
    transaction.savepoint_rollback(before)
    forget()


class _SameThread(Executor):
    """Runs what is submitted at once, on the connection and in the transaction of the test."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that remembers nothing, issues sessions in the test's own thread, but for the tests
    that are about threads, and writes refused calls when a test says so.
    """
    monkeypatch.setattr(serving, "single_flight", SingleFlight(_SameThread))
    monkeypatch.setattr(closed_builds, "ThreadPoolExecutor", lambda _threads: _SameThread())
    monkeypatch.setattr(refusals, "_write_soon", lambda _write: None)
    forget()
    yield
    refusals.refusals.take()


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def one_minute() -> Iterator[time_machine.Traveller]:
    """The clock stands still, 45 s before the next minute: failures are counted by the minute, so
    a test that went on into the next would have them counted anew.
    """
    quarter_past = timezone.now().replace(second=15, microsecond=0)
    with time_machine.travel(quarter_past, tick=False) as clock:
        yield clock


@pytest.fixture
def groups(db: None) -> None:
    """The groups that migrations make: a test that empties all tables takes them away."""
    migrations, editor = "credentials.migrations", SimpleNamespace(connection=connection)
    import_module(f"{migrations}.0028_version_1_0_0").add_groups(apps, editor)
    import_module(f"{migrations}.0030_export_place").let_groups_view(apps, editor)


@pytest.fixture
def store(db: None) -> Store:
    return Store.objects.create(name="main", bucket="docs-bucket", role_arn=ROLE_ARN)


@pytest.fixture
def make_product(store: Store) -> Callable[..., Product]:
    def make(slug: str = "guide", **fields: Any) -> Product:
        return Product.objects.create(
            slug=slug, **{"store": store, "surrogate_key": "a" * 32, **fields}
        )

    return make


@pytest.fixture
def product(make_product: Callable[..., Product]) -> Product:
    return make_product()


@pytest.fixture
def make_caller(db: None) -> Callable[..., Caller]:
    """A client with an API key, granted the products; `caller.raw_key` is not kept: see keys."""

    def make(name: str = "ci", *products: Product, **rights: bool) -> Caller:
        client, _ = create_client(
            name=name,
            product_slugs=[product.slug for product in products],
            may_create_products=rights.get("may_create_products", False),
        )
        key, secret = make_api_key(client=client, actor=command_line_user())
        RAW_KEYS[key.pk] = secret.reveal()
        return Caller(client=client, api_key=key)

    return make


RAW_KEYS: dict[int, str] = {}


def raw_key(caller: Caller) -> str:
    """The text of the key that `make_caller` made."""
    return RAW_KEYS[caller.api_key.pk]


@pytest.fixture
def caller(make_caller: Callable[..., Caller], product: Product) -> Caller:
    return make_caller("ci", product)


@pytest.fixture
def client_row(caller: Caller) -> Client:
    return caller.client


@pytest.fixture
def api_key(caller: Caller) -> ApiKey:
    return caller.api_key


@pytest.fixture
def register(caller: Caller, product: Product, now: datetime) -> Callable[..., Build]:
    def make(slug: str | None = None, **fields: Any) -> Build:
        defaults = {"caller": caller, "product": product, "now": now}
        rest = {"git_refs": ["main"], "github_requester": ""}
        return register_owned_build(slug=slug, **{**defaults, **rest, **fields})

    return make


@pytest.fixture
def build(register: Callable[..., Build]) -> Build:
    return register()


@pytest.fixture
def api(caller: Caller) -> APIClient:
    """An API client that shows the caller's key as a Bearer token."""
    return api_for(raw_key(caller))


def api_for(raw_token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {raw_token}")
    return client


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> FakeSts:
    """STS as a function of this process: answers, fails or does something in the middle."""
    fake = FakeSts()
    monkeypatch.setattr("credentials.vending.sts.client_for", lambda *_: fake)
    return fake


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
