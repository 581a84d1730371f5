"""One embedded store for all of these tests, and a healthy account in it for each."""

from collections.abc import Callable, Iterator

import pytest
from botocore.loaders import Loader

from builds.models import Store
from credentials.operations.account.doctor import Result, examine_store, findings_of
from demo.store import EmbeddedStore
from tests.credentials.operations.account.doctor.embedded_account import Account, healthy_account

Examine = Callable[[], list[Result]]
# Every examination makes clients anew; reading botocore's models is half of its time.
LOADER = Loader()


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedStore]:
    with EmbeddedStore() as store:
        yield store


@pytest.fixture
def account(embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A healthy one, whose vendor is what the service runs as."""
    made = healthy_account(embedded)
    for name, value in made.vendor_key.items():
        monkeypatch.setenv(name.upper(), value)
    # Clients are shared by endpoint, and this endpoint has another vendor in every test.
    monkeypatch.setattr("credentials.vending.sts._clients", {})
    monkeypatch.setattr("botocore.session.create_loader", lambda *_args: LOADER)
    return made


@pytest.fixture
def row(account: Account, transactional_db: None) -> Store:
    return account.row()


@pytest.fixture
def examine(account: Account, row: Store) -> Examine:
    """Examine the account as it is at that moment."""

    def run() -> list[Result]:
        row.refresh_from_db()
        auditor, revoker = account.auditor_session(), account.revoker_session()
        return examine_store(store=row, auditor=auditor, revoker=revoker)

    return run


def rules(results: list[Result]) -> set[str]:
    return {finding.rule for finding in findings_of(results)}
