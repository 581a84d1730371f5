"""Making a key in the admin: its limits are chosen once, told once, and cannot be changed."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Product
from credentials.access.callers import Caller
from credentials.models import ApiKey

pytestmark = pytest.mark.django_db

ADD = "admin:credentials_apikey_add"
CHANGE = "admin:credentials_apikey_change"


@pytest.fixture
def make_key(browser: Browser, caller: Caller) -> Callable[..., str]:
    """Send the form; the page it answers with."""

    def send(**fields: Any) -> str:
        data = {"client": caller.client.pk, "label": "nightly", **fields}
        response = browser.post(reverse(ADD), data)
        assert response.status_code == 200
        return str(response.content.decode())

    return send


def made() -> ApiKey:
    return ApiKey.objects.get(label="nightly")


def test_form_offers_every_limit(browser: Browser) -> None:
    shown = browser.get(reverse(ADD)).content.decode()
    names = set(re.findall(r'name="(\w+)"', shown))
    assert {"all_products", "products", "networks", "expires_at_0", "expires_at_1"} <= names
    assert re.search(r'<input[^>]*name="all_products"[^>]*checked', shown)
    assert re.search(r'<textarea[^>]*name="networks"[^>]*>\s*</textarea>', shown)


def test_key_limited_to_a_product_says_so(make_key: Callable[..., str], product: Product) -> None:
    shown = make_key(products=[product.pk])
    assert "It opens only guide and is taken from everywhere." in shown
    assert (made().all_products, list(made().products.all())) == (False, [product])


@pytest.mark.parametrize(
    "typed",
    ["192.0.2.0/24, 2001:db8::/32", " 192.0.2.0/24\r\n\r\n2001:db8::/32 "],
    ids=["commas", "lines"],
)
def test_networks_are_typed_as_people_do(typed: str, make_key: Callable[..., str]) -> None:
    shown = make_key(all_products="on", networks=typed)
    assert "taken from 192.0.2.0/24, 2001:db8::/32" in shown
    assert made().networks == ["192.0.2.0/24", "2001:db8::/32"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no product": ({}, "Name a product, or tick all products."),
    "all and some": ({"all_products": "on", "products": "guide"}, "Untick all products"),
    "product of others": ({"products": "foreign"}, "The client is not granted: foreign."),
    "no network": ({"all_products": "on", "networks": "office"}, "is not a network: write"),
    "over already": (
        {"all_products": "on", "expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
        "That time is past.",
    ),
}


def test_key_that_makes_no_sense_is_refused_in_a_sentence(
    make_key: Callable[..., str], make_product: Callable[..., Product], product: Product
) -> None:
    make_product("foreign")
    for case, (fields, sentence) in WRONG.items():
        named = Product.objects.filter(slug=fields.get("products"))
        sent = fields | {"products": [product.pk for product in named]}
        assert sentence in make_key(**sent), case
        assert not ApiKey.objects.filter(label="nightly").exists(), case


def test_what_was_typed_stays_when_it_was_refused(make_key: Callable[..., str]) -> None:
    shown = make_key(all_products="on", networks="office\n192.0.2.0/24")
    assert re.search(r"<textarea[^>]*>\s*office\s192.0.2.0/24</textarea>", shown)


def test_limits_are_shown_and_cannot_be_changed(
    browser: Browser, make_key: Callable[..., str], product: Product
) -> None:
    make_key(products=[product.pk], networks="192.0.2.0/24")
    address = reverse(CHANGE, args=[made().pk])
    shown = browser.get(address).content.decode()
    assert "only guide" in shown
    assert "192.0.2.0/24" in shown
    assert not re.search(
        r'<(input|select|textarea)[^>]*name="(all_products|products|networks)"', shown
    )
    browser.post(address, {"all_products": "on", "networks": "", "label": "changed"})
    assert (made().all_products, made().networks) == (False, ["192.0.2.0/24"])


def test_last_use_is_shown(browser: Browser, caller: Caller) -> None:
    lists = [
        reverse("admin:credentials_apikey_changelist"),
        reverse(CHANGE, args=[caller.api_key.pk]),
    ]
    ApiKey.objects.update(last_used_at="2026-11-23T12:00:00Z")
    for address in lists:
        assert "2026-11-23 12:00:00 UTC" in browser.get(address).content.decode()


def test_key_whose_products_were_taken_from_its_client_opens_nothing(
    browser: Browser, make_key: Callable[..., str], product: Product, caller: Caller
) -> None:
    make_key(products=[product.pk])
    caller.client.grants.all().delete()
    shown = browser.get(reverse(CHANGE, args=[made().pk])).content.decode()
    assert "nothing: the client lost its grants" in shown


# State -> the keys that are in it; one that expires soon is active as well.
KEY_STATES = {
    "active": {"without an end", "for weeks", "for days"},
    "expiring": {"for days"},
    "expired": {"expired"},
    "revoked": {"revoked", "revoked and expired"},
}


def test_keys_are_found_by_state(caller: Caller, now: datetime, browser: Browser) -> None:
    day = timedelta(days=1)
    fields: dict[str, dict[str, Any]] = {
        "without an end": {},
        "for weeks": {"expires_at": now + 15 * day},
        "for days": {"expires_at": now + 13 * day},
        "expired": {"expires_at": now - day},
        "revoked": {"expires_at": now + day, "revoked_at": now},
        "revoked and expired": {"expires_at": now - day, "revoked_at": now},
    }
    ApiKey.objects.all().delete()
    for number, (label, its) in enumerate(fields.items()):
        text = {"label": label, "public_id": f"{number:012}", "secret_sha256": f"{number:064}"}
        ApiKey.objects.create(client=caller.client, **text, **its)
    for state, labels in KEY_STATES.items():
        answer = browser.get(reverse("admin:credentials_apikey_changelist"), {"state": state})
        assert {key.label for key in answer.context["cl"].result_list} == labels, state
