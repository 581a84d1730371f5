"""What every test here has: the service on an enforcing store, a site, what a row promises."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.matrix import Row, read_matrix
from tests.clients.posting import signer_settings, take_posts
from tests.clients.scene import Scene, running_scene
from tests.clients.sites import MISREAD_IN_FORMS, make_site
from tests.store.named import VARIABLE
from tests.store.stage import Account, prepared_account
from tests.store.started import store_under_test
from tests.store.under_test import StoreUnderTest

TESTED = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each way is tried on the stores that its row names."""
    rows, store = read_matrix(), os.environ.get(VARIABLE, "embedded")
    others = [
        item
        for item in items
        if (marker := item.get_closest_marker("way")) and not rows[marker.args[0]].runs_on(store)
    ]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which store it was: the same tests pass on both."""
    if tested := config.stash.get(TESTED, None):
        terminalreporter.write_line(f"Store: {tested}")


@pytest.fixture(scope="session")
def store(pytestconfig: pytest.Config) -> Iterator[StoreUnderTest]:
    with store_under_test() as store:
        pytestconfig.stash[TESTED] = f"{store.kind} {store.version}".strip()
        yield store


@pytest.fixture(scope="session")
def account(store: StoreUnderTest) -> Iterator[Account]:
    with prepared_account(store) as account:
        yield account


@pytest.fixture(scope="session")
def scene(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("service")
    settings = signer_settings(account, folder) | {"LTD_PROXY_UPLOADS": "2"}
    with running_scene(account, folder, **settings) as scene:
        yield scene


@pytest.fixture(scope="session")
def posting(scene: Scene) -> Scene:
    """The same, once it is known how the store takes presigned POSTs."""
    take_posts(scene)
    return scene


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of odd names. Nobody writes into it."""
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def post_site(store: StoreUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for POSTs, without the names that this store makes others of."""
    folder = tmp_path_factory.mktemp("post-site")
    return make_site(folder, left_out=MISREAD_IN_FORMS.get(store.kind, ()))


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """What docs/reference/programs.rst says of the way that the test is marked with."""
    marker = request.node.get_closest_marker("way")
    assert marker, "mark the test with the row that it backs"
    return read_matrix()[marker.args[0]]
