"""The service with rows of every kind, on a store that enforces, and a browser in front of it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState

from demo.service import Service
from tests.browser import Rows
from tests.browser.faults import Watch
from tests.browser.keeper import chromium, log_in, new_context, seeded
from tests.store.stage import Account, prepared_account, service_for
from tests.store.started import store_under_test


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    with store_under_test() as store, prepared_account(store) as account:
        yield account


@pytest.fixture(scope="session")
def service(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service_for(account, tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="session")
def rows(service: Service) -> Rows:
    """The rows to look at. With them, the service answers."""
    rows = seeded(service)
    service.wait_until_it_answers()
    return rows


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def logged_in(browser: Browser, service: Service, rows: Rows) -> StorageState:
    """The cookies of the operator, who logged in once."""
    with new_context(browser, service) as context:
        log_in(context.new_page())
        return context.storage_state()


@pytest.fixture
def page(browser: Browser, service: Service, logged_in: StorageState) -> Iterator[Page]:
    """An empty page of the operator's."""
    with new_context(browser, service, storage_state=logged_in) as context:
        yield context.new_page()


@pytest.fixture
def stranger(browser: Browser, service: Service, rows: Rows) -> Iterator[Page]:
    """An empty page of somebody who has never been here."""
    with new_context(browser, service) as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def watch(browser: Browser, service: Service, logged_in: StorageState) -> Iterator[Watch]:
    """One page of the operator's for all addresses: what it has fetched once it keeps."""
    with new_context(browser, service, storage_state=logged_in) as context:
        yield Watch(context.new_page(), service.url)
