"""One client per endpoint and process, set up to fail fast and to ask in the store's own region."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectTimeoutError
from botocore.httpsession import URLLib3Session
from pytest_django import Settings

from builds.models import Store
from credentials.vending import sts
from credentials.vending.sts import ONE_LONG_ATTEMPT, client_for, warm_up

ROLE = "arn:aws:iam::123456789012:role/upload"
THREADS = 16


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Any]:
    """No clients at first, and none left behind."""
    empty: dict[Any, Any] = {}
    monkeypatch.setattr(sts, "_clients", empty)
    return empty


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The endpoints that clients were made for; making one takes a while."""
    endpoints: list[Any] = []
    make = sts._make_client

    def slowly(endpoint: Any, patience: Any) -> Any:
        endpoints.append(endpoint)
        time.sleep(0.05)
        return make(endpoint, patience)

    monkeypatch.setattr(sts, "_make_client", slowly)
    return endpoints


def store(region: str = "eu-central-1", endpoint_url: str = "", **fields: Any) -> Store:
    return Store(name="main", region=region, endpoint_url=endpoint_url, role_arn=ROLE, **fields)


def test_client_fails_fast() -> None:
    config = client_for(store()).meta.config
    assert (config.connect_timeout, config.read_timeout) == (1.0, 1.5)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 2


def test_client_whose_answer_may_come_late_tries_once() -> None:
    config = client_for(store(), ONE_LONG_ATTEMPT).meta.config
    assert (config.connect_timeout, config.read_timeout) == (1.0, 5.0)
    assert config.retries["total_max_attempts"] == 1


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[AWSRequest]]:
    """What is sent to a store that nobody reaches; waiting takes no time."""
    sent: list[AWSRequest] = []

    def send(_session: URLLib3Session, request: AWSRequest) -> None:
        sent.append(request)
        raise ConnectTimeoutError(endpoint_url=request.url)

    monkeypatch.setattr(URLLib3Session, "send", send)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    return sent


def test_two_attempts_are_all(attempts: list[AWSRequest]) -> None:
    client = client_for(store())
    with pytest.raises(ConnectTimeoutError):
        client.assume_role(RoleArn=ROLE, RoleSessionName="x1")
    assert len(attempts) == 2


@pytest.mark.parametrize(("threads", "expected"), [(1, 10), (10, 10), (8, 10), (64, 64)])
def test_pool_serves_every_thread(threads: int, expected: int, settings: Settings) -> None:
    settings.LTD_WEB_THREADS = threads
    assert client_for(store()).meta.config.max_pool_connections == expected


ENDPOINTS = {
    "us-east-1": "https://sts.us-east-1.amazonaws.com",
    "eu-central-1": "https://sts.eu-central-1.amazonaws.com",
    "ap-southeast-2": "https://sts.ap-southeast-2.amazonaws.com",
    "cn-north-1": "https://sts.cn-north-1.amazonaws.com.cn",
    "us-gov-west-1": "https://sts.us-gov-west-1.amazonaws.com",
}


@pytest.mark.parametrize("region", ENDPOINTS)
def test_aws_is_asked_in_the_store_s_region(region: str, attempts: list[AWSRequest]) -> None:
    client = client_for(store(region))
    assert client.meta.endpoint_url == ENDPOINTS[region]
    with pytest.raises(ConnectTimeoutError):
        client.assume_role(RoleArn=ROLE, RoleSessionName="x1")
    assert attempts[0].url.rstrip("/") == ENDPOINTS[region]
    assert f"/{region}/sts/" in str(attempts[0].headers["Authorization"])


def test_another_store_is_asked_at_its_own_address() -> None:
    client = client_for(store("default", "http://ceph.internal:7480"))
    assert client.meta.endpoint_url == "http://ceph.internal:7480"
    assert client.meta.region_name == "default"


def test_stores_of_one_endpoint_share_a_client(made: list[Any]) -> None:
    one = client_for(store(bucket="a", external_id="x"))
    other = client_for(store(bucket="b", role_max_seconds=900))
    assert one is other
    assert len(made) == 1


CHANGES: dict[str, dict[str, str]] = {
    "region": {"region": "eu-west-1"},
    "endpoint": {"endpoint_url": "http://ceph.internal:7480"},
}


@pytest.mark.parametrize("case", CHANGES)
def test_changed_store_gets_another_client(case: str, made: list[Any]) -> None:
    row = store()
    before = client_for(row)
    for name, value in CHANGES[case].items():
        setattr(row, name, value)
    assert client_for(row) is not before
    assert client_for(store()) is before
    assert len(made) == 2


def test_threads_that_ask_at_once_share_one_client(made: list[Any]) -> None:
    barrier = Barrier(THREADS)

    def ask(_: int) -> Any:
        barrier.wait(timeout=120)
        return client_for(store())

    with ThreadPoolExecutor(THREADS) as pool:
        answers = set(pool.map(ask, range(THREADS)))
    assert (len(answers), len(made)) == (1, 1)


def test_client_is_made_once_for_the_process(made: list[Any]) -> None:
    first = client_for(store())
    assert all(client_for(store()) is first for _ in range(100))
    assert len(made) == 1


MakeStores = Callable[..., None]


@pytest.fixture
def make_stores(db: None) -> MakeStores:
    def make(*regions: str) -> None:
        for number, region in enumerate(regions):
            Store.objects.create(name=f"s{number}", bucket="docs", role_arn=ROLE, region=region)

    return make


def test_starting_makes_the_clients_of_all_stores(make_stores: MakeStores, made: list[Any]) -> None:
    make_stores("eu-central-1", "eu-west-1", "eu-central-1")
    warm_up()
    regions = ["eu-central-1", "eu-central-1", "eu-west-1", "eu-west-1"]
    assert sorted(endpoint.region for endpoint in made) == regions
    client_for(store("eu-west-1"))
    client_for(store("eu-west-1"), ONE_LONG_ATTEMPT)
    assert len(made) == 4


def test_starting_works_without_stores(db: None, made: list[Any]) -> None:
    warm_up()
    assert made == []
