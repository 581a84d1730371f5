"""`manage.py check_isolation` passes on stores that keep builds apart, and fails on others."""

import json
from typing import Any

import pytest

from credentials.operations.isolation.calls import CALLS
from demo.service import Service
from tests.store.differences import Expectations
from tests.store.stage import isolation_of, prepared_account, service_for
from tests.store.under_test import StoreUnderTest


def check(service: Service) -> Any:
    [run] = json.loads(isolation_of(service))
    return run


@pytest.fixture(scope="module")
def run(service: Service) -> Any:
    """A check of a store that is set up for sync products, so that its role may read."""
    return check(service)


@pytest.fixture(scope="module")
def run_without_sync(store: StoreUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A check of one whose role may not."""
    with (
        prepared_account(store, with_sync=False) as account,
        service_for(account, tmp_path_factory.mktemp("without-sync")) as service,
    ):
        return check(service)


def wrong(run: Any) -> dict[str, str]:
    lines = [line for line in run["lines"] if line["outcome"] != line["expected"]]
    return {line["call"]: line["outcome"] for line in lines}


def test_store_passes_the_check(run: Any, expect: Expectations) -> None:
    leaks = expect.of("check_isolation with sync: what a session can", [])
    assert wrong(run) == dict.fromkeys(leaks, "accepted")
    assert run["verdict"] == ("failed" if leaks else "passed")
    assert all(leak in run["summary"] for leak in leaks)


def test_store_without_sync_products_passes_the_check(run_without_sync: Any) -> None:
    assert wrong(run_without_sync) == {}
    assert run_without_sync["verdict"] == "passed"


def test_every_call_of_a_check_was_made(run: Any) -> None:
    made = [line["call"] for line in run["lines"]]
    assert made == [*(call.title for call in CALLS), "clean up afterwards"]
