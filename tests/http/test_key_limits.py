"""Limited keys over HTTP: from which networks they are taken, what they open, and all they give."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Product
from credentials.access.callers import Caller
from credentials.access.clients import (
    command_line_user,
    make_api_key,
    revoke_api_key,
    start_job_token,
)
from credentials.models import ApiKey, Grant
from tests.http.conftest import Send
from tests.http.endpoints import (
    CREATE_PRODUCT,
    LIST_PRODUCTS,
    OF_A_BUILD,
    OF_A_PRODUCT,
    READ_PRODUCT,
    TOKEN,
    Endpoint,
)
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db

OFFICE = ["192.0.2.0/24", "2001:db8:1::/48"]
INSIDE = {"IPv4": "192.0.2.7", "IPv6": "2001:db8:1::7", "mapped": "::ffff:192.0.2.7"}
OUTSIDE = {
    "IPv4": "203.0.113.9",
    "IPv6": "2001:db8:2::7",
    "mapped": "::ffff:203.0.113.9",
    "none": "",
}


def bearer(raw_token: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {raw_token}"}


@pytest.fixture
def make_key(caller: Caller) -> Callable[..., str]:
    def make(**limits: Any) -> str:
        _, secret = make_api_key(client=caller.client, actor=command_line_user(), **limits)
        return secret.reveal()

    return make


@pytest.fixture
def given(caller: Caller, product: Product, send: Send) -> Callable[[str, str], str]:
    """What a key gives: itself, an access token, or a job token."""

    def give(kind: str, key: str) -> str:
        if kind == "access token":
            token = send(TOKEN, REMOTE_ADDR=INSIDE["IPv4"], **bearer(key)).json()["token"]
            return str(token)
        if kind == "job token":
            row = ApiKey.objects.get(public_id=key[5:17])
            _, secret = start_job_token(
                client=caller.client, api_key=row, products=[product], now=timezone.now()
            )
            return secret.reveal()
        return key

    return give


KINDS = ["key", "access token", "job token"]


@pytest.mark.parametrize("kind", KINDS)
def test_key_and_what_it_gave_are_taken_from_its_networks_only(
    kind: str, send: Send, make_key: Callable[..., str], given: Callable[..., str]
) -> None:
    shown = bearer(given(kind, make_key(networks=OFFICE)))
    unknown = send(READ_PRODUCT, **bearer(f"ltdk_{'0' * 12}_{'0' * 64}"))
    for address in INSIDE.values():
        assert send(READ_PRODUCT, REMOTE_ADDR=address, **shown).status_code == 200
    for address in OUTSIDE.values():
        response = send(READ_PRODUCT, REMOTE_ADDR=address, **shown)
        assert_problem(response, 401, "invalid_credentials")
        assert response.content == unknown.content, "it is not told that the key exists"


# trusted proxies, X-Forwarded-For, peer -> taken
THROUGH = {
    "claimed only": (0, INSIDE["IPv4"], OUTSIDE["IPv4"], False),
    "told by the proxy": (1, INSIDE["IPv4"], "10.0.0.1", True),
    "claimed before the proxy": (1, f"{INSIDE['IPv4']}, {OUTSIDE['IPv4']}", "10.0.0.1", False),
    "the proxy itself inside": (1, OUTSIDE["IPv4"], INSIDE["IPv4"], False),
}


def test_network_is_seen_through_trusted_proxies_only(
    send: Send, make_key: Callable[..., str], settings: Any
) -> None:
    shown = bearer(make_key(networks=OFFICE))
    for case, (proxies, forwarded, peer, taken) in THROUGH.items():
        settings.LTD_TRUSTED_PROXIES = proxies
        response = send(LIST_PRODUCTS, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded, **shown)
        assert response.status_code == (200 if taken else 401), case


@pytest.fixture
def others(make_product: Callable[..., Product], caller: Caller) -> list[Product]:
    """Two more products of the client's."""
    made = [make_product("handbook"), make_product("notes")]
    for each in made:
        Grant.objects.create(client=caller.client, product=each)
    return made


@pytest.fixture
def limited(make_key: Callable[..., str], others: list[Product]) -> str:
    """A key for one of the client's three products: not for the one of the build at hand."""
    return make_key(products=[others[0]])


@pytest.mark.parametrize("kind", ["key", "access token"])
def test_limited_key_lists_its_products_only(
    kind: str, send: Send, limited: str, given: Callable[..., str]
) -> None:
    answer = send(LIST_PRODUCTS, **bearer(given(kind, limited))).json()
    assert answer["products"] == ["https://keeper.example.org/products/handbook"]


@pytest.mark.parametrize("kind", ["key", "access token"])
def test_limited_key_is_refused_at_the_clients_other_products(
    kind: str, send: Send, limited: str, given: Callable[..., str]
) -> None:
    shown = bearer(given(kind, limited))
    for endpoint in (OF_A_PRODUCT | OF_A_BUILD).values():
        assert_problem(send(endpoint, **shown), 403, "product_not_granted")


def test_limited_key_registers_at_its_product(send: Send, limited: str) -> None:
    there = Endpoint(method="POST", path="/products/handbook/builds/", body={"git_refs": ["main"]})
    assert send(there, **bearer(limited)).status_code == 201


@pytest.mark.parametrize("kind", KINDS)
def test_limited_key_creates_no_product(
    kind: str, send: Send, make_key: Callable[..., str], given: Callable[..., str], product: Product
) -> None:
    shown = given(kind, make_key(products=[product]))
    assert_problem(send(CREATE_PRODUCT, **bearer(shown)), 403, "may_not_create_products")


def test_grant_that_ended_ends_for_the_limited_key(
    send: Send, limited: str, caller: Caller
) -> None:
    Grant.objects.filter(client=caller.client, product__slug="handbook").delete()
    assert send(LIST_PRODUCTS, **bearer(limited)).json()["products"] == []


def revoke_in_the_admin(key: ApiKey) -> None:
    revoke_api_key(key=key, actor=command_line_user(), now=timezone.now())


def test_second_key_goes_on_when_the_first_is_revoked(
    send: Send, make_key: Callable[..., str], given: Callable[..., str], caller: Caller
) -> None:
    key = make_key()
    shown = [bearer(given(kind, key)) for kind in KINDS]
    revoke_in_the_admin(caller.api_key)  # type: ignore[arg-type]
    assert [send(READ_PRODUCT, **each).status_code for each in shown] == [200] * 3
