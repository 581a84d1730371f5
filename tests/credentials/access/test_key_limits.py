"""A key is limited once, when it is made: to some products of its client, and to networks."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from builds.models import Product
from credentials.access.callers import Caller
from credentials.access.clients import command_line_user, make_api_key
from credentials.access.rights import usable_products
from credentials.errors import ProductNotGranted
from credentials.models import ApiKey, Grant

MakeKey = Callable[..., ApiKey]


@pytest.fixture
def other(make_product: Callable[..., Product], caller: Caller) -> Product:
    """A second product of the client's."""
    product = make_product("other")
    Grant.objects.create(client=caller.client, product=product)
    return product


@pytest.fixture
def make_key(caller: Caller) -> MakeKey:
    def make(**fields: Any) -> ApiKey:
        key, _ = make_api_key(client=caller.client, actor=command_line_user(), **fields)
        return key

    return make


def opened_by(key: ApiKey) -> set[str]:
    shown = Caller(client=key.client, api_key=key)
    return set(usable_products(shown).values_list("slug", flat=True))


def test_key_for_no_product_at_all_opens_none(make_key: MakeKey, other: Product) -> None:
    assert opened_by(make_key(products=[])) == set()


def test_key_without_limits_opens_what_is_granted_later(
    make_key: MakeKey, other: Product, make_product: Callable[..., Product]
) -> None:
    whole, limited = make_key(), make_key(products=[other])
    Grant.objects.create(client=whole.client, product=make_product("later"))
    assert opened_by(whole) == {"guide", "other", "later"}
    assert opened_by(limited) == {"other"}


def test_key_for_a_product_of_others_is_not_made(
    make_key: MakeKey, product: Product, make_product: Callable[..., Product]
) -> None:
    before = ApiKey.objects.count()
    with pytest.raises(ProductNotGranted):
        make_key(products=[product, make_product("foreign")])
    assert ApiKey.objects.count() == before


def test_product_named_twice_is_named_once(make_key: MakeKey, product: Product) -> None:
    assert make_key(products=[product, product]).products.count() == 1


def test_networks_are_kept(make_key: MakeKey) -> None:
    assert make_key(networks=("192.0.2.0/24", "::/0")).networks == ["192.0.2.0/24", "::/0"]


def test_what_is_no_network_is_refused(make_key: MakeKey) -> None:
    before = ApiKey.objects.count()
    for networks in (["192.0.2.7/24"], ["x"], ["192.0.2.0/24"] * 101):
        with pytest.raises(ValidationError, match="network"):
            make_key(networks=networks)
    assert ApiKey.objects.count() == before
