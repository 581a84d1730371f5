"""Clients get rights, never lose them here; a product is open to those who were granted it."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError

from builds.errors import SlugReserved, SlugTaken, UnknownProduct, UnknownStore
from builds.models import Product, Store
from credentials.access.callers import Caller
from credentials.access.clients import create_client, create_granted_product
from credentials.access.rights import granted_product
from credentials.models import Client, Grant


def create(name: str = "ci", *slugs: str, may_create_products: bool = False) -> tuple[Client, bool]:
    return create_client(
        name=name, product_slugs=list(slugs), may_create_products=may_create_products
    )


def granted(client: Client) -> list[str]:
    return sorted(client.products.values_list("slug", flat=True))


def test_client_is_made_with_its_grants(make_product: Callable[..., Product]) -> None:
    for slug in ["guide", "other", "third"]:
        make_product(slug)
    client, made = create("ci", "guide", "other")
    assert made
    assert (str(client), client.is_active, client.may_create_products) == ("ci", True, False)
    assert granted(client) == ["guide", "other"]


def test_client_of_that_name_is_found_and_gains(make_product: Callable[..., Product]) -> None:
    make_product("guide")
    make_product("other")
    first, _ = create("ci", "guide")
    again, made = create("ci", "guide", "other", may_create_products=True)
    assert (again, made, Client.objects.get().may_create_products) == (first, False, True)
    assert granted(again) == ["guide", "other"]


def test_client_loses_nothing_when_asked_for_less(product: Product) -> None:
    create("ci", "guide", may_create_products=True)
    client, _ = create("ci")
    assert client.may_create_products
    assert granted(client) == ["guide"]


def test_disabled_client_stays_disabled(db: None) -> None:
    create()
    Client.objects.update(is_active=False)
    client, _ = create(may_create_products=True)
    assert not client.is_active
    assert not Client.objects.get().is_active


@pytest.mark.django_db(transaction=True)
def test_nothing_is_made_for_an_unknown_product(product: Product) -> None:
    with pytest.raises(UnknownProduct):
        create("ci", "guide", "nowhere", may_create_products=True)
    assert not Client.objects.exists()
    assert not Grant.objects.exists()


NAMES = ["", "a" * 65, "-ci", ".ci", "c:i", "c i", "ci\n", "c/i", "caf\u00e9", "ci\u200b", "*"]


def test_illegal_name_is_refused(db: None) -> None:
    for name in NAMES:
        with pytest.raises(ValidationError):
            create(name)
    assert not Client.objects.exists()


def test_legal_name_is_taken(db: None) -> None:
    for name in ("c", "0", "a" * 64, "CI-1.x_y"):
        assert create(name)[0].name == name


def test_product_is_granted_to_the_client_that_made_it(
    make_caller: Callable[..., Caller], store: Store
) -> None:
    maker = make_caller("ci", may_create_products=True)
    product = create_granted_product(
        caller=maker, slug="guide", store_name="main", doc_repo="https://git.example.org/guide"
    )
    assert granted_product(caller=maker, slug="guide") == product
    assert (product.doc_repo, Grant.objects.count()) == ("https://git.example.org/guide", 1)


def test_names_of_the_checks_products_are_reserved(
    make_caller: Callable[..., Caller], store: Store
) -> None:
    maker = make_caller("ci", may_create_products=True)
    with pytest.raises(SlugReserved):
        create_granted_product(caller=maker, slug=f"isolation-check-{store.pk}", store_name="main")
    assert not Product.objects.exists()


REFUSED = {"slug": ("guide", "main", SlugTaken), "store": ("other", "nowhere", UnknownStore)}


@pytest.mark.parametrize("case", REFUSED)
def test_product_that_cannot_be_made_is_granted_to_nobody(
    case: str, make_caller: Callable[..., Caller], product: Product
) -> None:
    slug, store_name, error = REFUSED[case]
    maker = make_caller("maker", may_create_products=True)
    with pytest.raises(error):
        create_granted_product(caller=maker, slug=slug, store_name=store_name)
    assert not maker.client.products.exists()


@pytest.mark.django_db(transaction=True)
def test_product_without_its_grant_is_not_kept(
    make_caller: Callable[..., Caller], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = make_caller("ci", may_create_products=True)

    def refuse(**_: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(Grant.objects, "create", refuse)
    with pytest.raises(OperationalError):
        create_granted_product(caller=maker, slug="guide", store_name="main")
    assert not Product.objects.exists()
