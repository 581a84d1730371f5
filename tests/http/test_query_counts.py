"""How many statements each call costs, transactions included: none grows with the data."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.access.clients import start_access_token
from credentials.models import Grant, IssuedSession, Webhook, WebhookDelivery
from tests.http.conftest import Send
from tests.http.endpoints import ENDPOINTS
from tests.http.fake_s3 import FakeS3

pytestmark = pytest.mark.django_db(transaction=True)

# Authentication is one statement of each, with the build in it where the address names one; noting
# the use of the key, once a minute, is another.
# Telling webhooks of a build is one, whether there are any or not.
STATEMENTS = {
    "token": 6,
    "list products": 3,
    "create product": 9,
    "read product": 4,
    "list builds": 5,
    "register build": 12,
    "read build": 2,
    "finish build": 16,
    "delete build": 7,
    "issue credentials": 10,
    "refresh credentials": 9,
    "refresh open build": 11,
    "presign posts": 11,
    "presign urls": 11,
}


@pytest.fixture
def much(register: Callable[..., Build], make_product: Callable[..., Product]) -> None:
    """Thirty builds, products and grants more."""
    client = register().registration.client
    for number in range(30):
        register()
        Grant.objects.create(client=client, product=make_product(f"p{number}"))


@pytest.mark.parametrize("name", [name for name in ENDPOINTS if name != "refresh open build"])
def test_call_costs_its_statements_whatever_the_rows(
    name: str, send: Send, s3: FakeS3, much: None, django_assert_max_num_queries: Any
) -> None:
    s3.sizes = [1] * 1000
    with django_assert_max_num_queries(STATEMENTS[name]):
        assert send(ENDPOINTS[name]).status_code in {200, 201}


@pytest.mark.parametrize("name", ["refresh open build", "issue credentials"])
def test_access_token_costs_no_more_than_its_key(
    name: str, send: Send, caller: Caller, now: datetime, django_assert_max_num_queries: Any
) -> None:
    token = start_access_token(caller=caller, now=now).reveal()
    with django_assert_max_num_queries(STATEMENTS[name]):
        answer = send(ENDPOINTS[name], HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answer.status_code == 200


@pytest.mark.parametrize("shown", ["", "Bearer wrong"], ids=["no key", "wrong key"])
def test_malformed_key_costs_no_statement(
    shown: str, send: Send, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert send(ENDPOINTS["issue credentials"], HTTP_AUTHORIZATION=shown).status_code == 401


def test_unknown_key_costs_one_statement(send: Send, django_assert_num_queries: Any) -> None:
    unknown = f"Bearer ltdk_000000000000_{'0' * 64}"
    with django_assert_num_queries(1):
        assert send(ENDPOINTS["issue credentials"], HTTP_AUTHORIZATION=unknown).status_code == 401


def test_finishing_again_costs_no_writing(
    send: Send, s3: FakeS3, django_assert_num_queries: Any
) -> None:
    s3.sizes = [1]
    send(ENDPOINTS["finish build"])
    with django_assert_num_queries(1):
        assert send(ENDPOINTS["finish build"]).status_code == 200
    assert IssuedSession.objects.count() == 1


def test_call_tells_webhooks_what_it_changed(send: Send, s3: FakeS3) -> None:
    Webhook.objects.create(name="editions", url="https://editions.example.org/")
    s3.sizes = [1]
    for name in ("register build", "finish build", "finish build", "delete build", "delete build"):
        send(ENDPOINTS[name])
    told = WebhookDelivery.objects.order_by("pk").values_list("kind", flat=True)
    assert list(told) == ["build.registered", "build.finished", "build.deleted"]
