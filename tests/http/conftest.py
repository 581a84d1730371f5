"""What every test over HTTP has: a caller with all rights, its open build, and ways to send."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.vending import store_clients, uploads
from tests.conftest import raw_key
from tests.fake_sts import FakeSts
from tests.http.canned_sts import CannedSts, canned_listing
from tests.http.endpoints import Endpoint
from tests.http.fake_s3 import FakeS3
from tests.http.fake_store import FakeStore
from tests.http.problem import assert_problem
from tests.http.rows import every_row

Send = Callable[..., Any]
Refused = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_static_files(settings: Any) -> None:
    """Each new client would read the folders of static files, which nothing here asks for."""
    settings.STATIC_ROOT = None
    settings.WHITENOISE_USE_FINDERS = False


@pytest.fixture
def caller(make_caller: Callable[..., Caller], product: Product) -> Caller:
    """In place of the common one: it may also create products."""
    return make_caller("ci", product, may_create_products=True)


@pytest.fixture
def send(build: Build, caller: Caller, sts: FakeSts) -> Send:
    """Send an endpoint's request; `raw` replaces its body, other arguments its headers."""
    client = APIClient(raise_request_exception=False)

    def call(endpoint: Endpoint, raw: bytes | str | None = None, **headers: Any) -> Any:
        if raw is None:
            raw = b"" if endpoint.body is None else json.dumps(endpoint.body)
        extra = {
            "content_type": "application/json",
            "HTTP_AUTHORIZATION": f"Bearer {raw_key(caller)}",
        } | headers
        path = endpoint.path.format(build=build.pk)
        return client.generic(endpoint.method, path, raw, **extra)

    return call


@pytest.fixture
def refused(send: Send, sts: FakeSts) -> Refused:
    """Send, and hold that it is a problem, that STS was not asked and that no row changed."""

    def check(
        endpoint: Endpoint, status: int, code: str, raw: bytes | str | None = None, **headers: Any
    ) -> Any:
        before = every_row()
        response = send(endpoint, raw, **headers)
        sent = (endpoint.method, endpoint.path[:80], str(raw)[:80], str(headers)[:200])
        assert response.status_code == status, (*sent, response.content[:300])
        assert_problem(response, status, code)
        assert sts.requests == []
        assert every_row() == before
        return response

    return check


@pytest.fixture
def far_store(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FakeStore:
    """The store at the other end of uploads through the service, one at once."""
    settings.LTD_PROXY_UPLOADS = 1
    far_store = FakeStore()
    monkeypatch.setattr(uploads, "http_session", lambda _address: far_store)
    return far_store


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    """The store as the listing at finish sees it: empty, until a test fills or breaks it."""
    fake = FakeS3()
    monkeypatch.setattr("credentials.vending.finishing.s3_client", fake.client_of)
    return fake


@pytest.fixture
def canned(sts: FakeSts, monkeypatch: pytest.MonkeyPatch) -> Iterator[CannedSts]:
    """In place of the fake: botocore itself, with canned answers to AssumeRole and listings."""
    answers = CannedSts()
    monkeypatch.setattr("credentials.vending.sts.client_for", lambda *_: answers.client)
    with canned_listing(store_clients._shared_session().events):
        yield answers


def basic(name: str, password: str) -> str:
    """An `Authorization` header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def expire(build: Build) -> None:
    """Let the build's upload window end now."""
    now = timezone.now()
    Build.objects.filter(pk=build.pk).update(
        registered_at=now - timedelta(hours=2), open_until=now - timedelta(seconds=1)
    )
