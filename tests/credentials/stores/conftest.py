"""A plan and an operator on moto: it shows that calls are made, never what they protect."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from boto3.session import Session
from moto import mock_aws

from builds.models import Store
from credentials.stores import assuming, setting
from credentials.stores.bootstrap import plan_for
from credentials.stores.operator import Operator
from credentials.stores.plan import Plan

ROLE_ARN = "arn:aws:iam::123456789012:role/ltdkeeper-upload"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setting, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(assuming, "PAUSE_SECONDS", 0)


@pytest.fixture
def make_row() -> Callable[..., Store]:
    def make(**fields: Any) -> Store:
        defaults = {"name": "main", "bucket": "docs-bucket", "role_arn": ROLE_ARN}
        return Store(**defaults | fields)

    return make


@pytest.fixture
def make_plan(make_row: Callable[..., Store]) -> Callable[..., Plan]:
    def make(**fields: Any) -> Plan:
        options = {name: fields.pop(name) for name in ("vendor_arn", "prefix") & fields.keys()}
        return plan_for(make_row(**fields), **options)

    return make


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan()


@pytest.fixture(scope="session")
def boto3_session() -> Session:
    """One for all: loading the services' models anew costs more than any test."""
    return Session()


@pytest.fixture
def operator(make_row: Callable[..., Store], boto3_session: Session) -> Iterator[Operator]:
    with mock_aws():
        yield Operator.of(make_row(), session=boto3_session)
