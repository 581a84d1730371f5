"""An account and an operator on moto: they show that calls are made, not what these protect."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from boto3.session import Session
from moto import mock_aws

from builds.models import Store
from credentials.operations.account import assuming, requirements
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import wanted_account
from credentials.rules.account_documents import WantedAccount

ROLE_ARN = "arn:aws:iam::123456789012:role/ltdkeeper-upload"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(assuming, "PAUSE_SECONDS", 0)


@pytest.fixture
def make_row() -> Callable[..., Store]:
    def make(**fields: Any) -> Store:
        defaults = {"name": "main", "bucket": "docs-bucket", "role_arn": ROLE_ARN}
        return Store(**defaults | fields)

    return make


@pytest.fixture
def make_wanted(make_row: Callable[..., Store]) -> Callable[..., WantedAccount]:
    def make(**fields: Any) -> WantedAccount:
        options = {name: fields.pop(name) for name in ("vendor_arn", "prefix") & fields.keys()}
        return wanted_account(make_row(**fields), **options)

    return make


@pytest.fixture
def wanted(make_wanted: Callable[..., WantedAccount]) -> WantedAccount:
    return make_wanted()


@pytest.fixture
def clients(make_row: Callable[..., Store], boto3_session: Session) -> Iterator[StoreClients]:
    with mock_aws():
        yield StoreClients(store=make_row(), session=boto3_session)
