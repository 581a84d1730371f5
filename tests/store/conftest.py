"""What every test of the suite has: the store, the service on it, builds, and their sessions."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from credentials.vending.store_clients import AccessKey
from demo.service import Service
from tests.store.calls import SOURCE, Hand
from tests.store.differences import Expectations
from tests.store.places import ORIGINAL, PAGE, Surroundings
from tests.store.posting import Desk, desk_for
from tests.store.report import VARIABLE, write_column
from tests.store.stage import Account, allow_sync, prepared_account, service_for
from tests.store.started import store_under_test
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import RegisteredBuild, Uploader
from tests.store.users import user_key

PRODUCT, OTHER_PRODUCT, SYNCED = "handbook", "payroll", "mirror"
TESTED, EXPECTED = pytest.StashKey[str](), pytest.StashKey[Expectations]()

HandOf = Callable[[RegisteredBuild], Hand]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which store it was, since the same tests pass on others, and write its report."""
    if not (tested := config.stash.get(TESTED, None)):
        return
    terminalreporter.write_line(f"Store: {tested}")
    if path := os.environ.get(VARIABLE):
        stats, expected = terminalreporter.stats, config.stash.get(EXPECTED, None)
        ended = {
            each.nodeid: outcome == "passed"
            for outcome in ("passed", "failed", "error")
            for each in stats.get(outcome, [])
        }
        write_column(Path(path), tested, ended=ended, met=expected.met if expected else [])


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
def admin(account: Account) -> Any:
    """S3 with the operator's key: other eyes than those of the session that is tested."""
    return account.admin


@pytest.fixture(scope="session")
def auditor(account: Account) -> AccessKey:
    return user_key(account, "auditor")


@pytest.fixture
def spare(store: StoreUnderTest) -> Iterator[Account]:
    """An account of its own, for what would disturb the others."""
    with prepared_account(store) as account:
        yield account


@pytest.fixture
def page(account: Account) -> dict[str, str]:
    """An object of some build."""
    where = {"Bucket": account.bucket, "Key": "identities/builds/1/page"}
    account.admin.put_object(**where, Body=ORIGINAL)
    return where


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps its database and its log."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="session")
def service(account: Account, folder: Path) -> Iterator[Service]:
    with service_for(account, folder) as service:
        yield service


@pytest.fixture(scope="session")
def uploader(service: Service, account: Account, folder: Path) -> Iterator[Uploader]:
    with uploader_of(service, account, folder) as uploader:
        yield uploader


@contextmanager
def uploader_of(service: Service, account: Account, folder: Path) -> Iterator[Uploader]:
    """A client that has a product to upload to, another one, and one that it may sync."""
    api_key = service.new_client("ci")  # while the web server starts
    service.wait_until_it_answers()
    uploader = Uploader(service.url, api_key=api_key, store=account.row.name)
    for product in (PRODUCT, OTHER_PRODUCT, SYNCED):
        uploader.create_product(product)
    allow_sync(folder, product=SYNCED)
    try:
        yield uploader
    finally:
        uploader.close()


@pytest.fixture(scope="session")
def expect(store: StoreUnderTest, pytestconfig: pytest.Config) -> Expectations:
    expected = Expectations(kind=store.kind, version=store.version)
    pytestconfig.stash[EXPECTED] = expected
    return expected


@pytest.fixture(scope="session")
def build(uploader: Uploader) -> RegisteredBuild:
    """The build whose session is tried, with a slug made by the service."""
    return uploader.register(PRODUCT)


@pytest.fixture(scope="session")
def hand_of(store: StoreUnderTest, uploader: Uploader) -> HandOf:
    return partial(hand_for, store, uploader)


def hand_for(store: StoreUnderTest, uploader: Uploader, build: RegisteredBuild) -> Hand:
    """S3 with the credentials that the service gives for a build."""
    s3 = store.client("s3", uploader.session(build))
    return Hand(s3=s3, bucket=build.bucket, root=build.root)


@pytest.fixture(scope="session")
def hand(hand_of: HandOf, build: RegisteredBuild) -> Hand:
    return with_sources(hand_of(build))


def with_sources(hand: Hand) -> Hand:
    """Own objects to copy, so that no copy is refused for want of one.

    Ceph 18 decodes the source of a copied part twice: to it, the page is the one at the place with
    an escaped slash.
    """
    for name in (SOURCE, PAGE):
        hand.s3.put_object(**hand.own(name), Body=ORIGINAL)
    return hand


@pytest.fixture(scope="session")
def synced(hand_of: HandOf, uploader: Uploader) -> Hand:
    """The same for a build of a product that may also be read and deleted."""
    return with_sources(hand_of(uploader.register(SYNCED)))


@pytest.fixture(scope="session")
def surroundings_of(account: Account, uploader: Uploader) -> Callable[[Hand], Surroundings]:
    return partial(surroundings_for, account, uploader)


def surroundings_for(account: Account, uploader: Uploader, hand: Hand) -> Surroundings:
    """What lies around the build of a session: builds of its product, and of another one."""
    return Surroundings(
        admin=account.admin,
        bucket=account.bucket,
        elsewhere=account.elsewhere,
        root=hand.root,
        sibling=uploader.register(hand.root.partition("/")[0]).root,
        other_product=uploader.register(OTHER_PRODUCT).root,
    )


@pytest.fixture(scope="session")
def surroundings(surroundings_of: Callable[[Hand], Surroundings], hand: Hand) -> Surroundings:
    return surroundings_of(hand)


@pytest.fixture(scope="session")
def surroundings_of_synced(
    surroundings_of: Callable[[Hand], Surroundings], synced: Hand
) -> Surroundings:
    return surroundings_of(synced)


@pytest.fixture(scope="session")
def desk(
    store: StoreUnderTest, expect: Expectations, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """A service of its own, that presigns for short times, in an account of its own."""
    by_bucket = expect.of("POST signed by a user without a bucket policy, refused", on_aws=False)
    with (
        prepared_account(store) as account,
        desk_for(account, tmp_path_factory.mktemp("posting"), by_bucket=by_bucket) as desk,
    ):
        yield desk
