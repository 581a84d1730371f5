"""`manage.py create_client`: makes what is missing and shows a new key, once."""

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command

from builds.models import Product
from credentials.access.callers import authenticate
from credentials.models import ApiKey, Client

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = re.compile(r"ltdk_[a-z0-9]{12}_[0-9a-f]{64}")

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    written = StringIO()
    call_command("create_client", *arguments, stdout=written)
    return written.getvalue()


def test_client_is_made_and_its_key_is_shown(product: Product) -> None:
    written = create("ci", "--product", "guide", "--label", "CI")
    first, second, key, _ = written.splitlines()
    assert (first, second) == ("Made the client ci.", "Its new API key, shown only now:")
    caller = authenticate(raw_token=key, name="ci", now=NOW)
    assert [grant.slug for grant in caller.client.products.all()] == ["guide"]
    assert ApiKey.objects.get().label == "CI"


def test_second_run_finds_the_client_and_gives_another_key() -> None:
    first, second = create("ci"), create("ci")
    assert second.startswith("Found the client ci.")
    assert KEY.findall(first) != KEY.findall(second)
    assert (Client.objects.count(), ApiKey.objects.count()) == (1, 2)


def test_json_is_one_document_with_name_and_key() -> None:
    document = json.loads(create("ci", "--format", "json"))
    assert set(document) == {"client", "api_key"}
    assert authenticate(raw_token=document["api_key"], name="ci", now=NOW).client.name == "ci"


def test_key_is_in_the_admin_log_and_its_secret_is_not() -> None:
    [key] = KEY.findall(create("ci"))
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.change_message) == ("command-line", "Made a key for ci.")
    assert key not in str(vars(entry))


def test_right_to_make_products_is_given_when_asked() -> None:
    create("one")
    create("two", "--may-create-products")
    rights = dict(Client.objects.values_list("name", "may_create_products"))
    assert rights == {"one": False, "two": True}


def test_several_products_are_granted(two_products: None) -> None:
    create("ci", "--product", "guide", "--product", "other")
    assert Client.objects.get().products.count() == 2


@pytest.fixture
def two_products(product: Product) -> None:
    Product.objects.create(slug="other", store=product.store, surrogate_key="b" * 32)


# options -> slugs of the products named, networks
LIMITS = {
    "none": ([], None, []),
    "one product": (["--only", "guide"], ["guide"], []),
    "both products": (["--only", "guide", "--only", "other"], ["guide", "other"], []),
    "networks": (
        ["--network", "192.0.2.0/24", "--network", "2001:db8::/32"],
        None,
        ["192.0.2.0/24", "2001:db8::/32"],
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_key_is_limited_when_asked_to(case: str, two_products: None) -> None:
    options, slugs, networks = LIMITS[case]
    create("ci", "--product", "guide", "--product", "other", *options)
    key = ApiKey.objects.get()
    named = sorted(key.products.values_list("slug", flat=True))
    assert (key.all_products, named) == (slugs is None, slugs or [])
    assert key.networks == networks


@time_machine.travel(NOW, tick=False)
def test_key_expires_when_asked_to_and_is_pointed_out_when_not() -> None:
    for options, days in (([], None), (["--expires-days", "30"], 30)):
        assert ("never expires" in create("ci", *options)) is (days is None)
        expires_at = ApiKey.objects.latest("pk").expires_at
        assert expires_at == (NOW + timedelta(days=days) if days else None)


WRONG = {
    "unknown product": (["ci", "--product", "nowhere"], "no such product"),
    "hostile product": (["ci", "--product", "../x"], "no such product"),
    "illegal name": (["c:i"], "name: Letters, digits"),
    "only an unknown product": (["ci", "--only", "nowhere"], "no such product"),
    "not a network": (
        ["ci", "--network", "example.org"],
        "--network: .* is not a network: write 192.0.2.0/24",
    ),
    "no days": (["ci", "--expires-days", "0"], "not a whole number from 1 to 3650"),
    "over-long label": (["ci", "--label", "x" * 65], "at most 64 characters"),
    "label that drives a terminal": (["ci", "--label", "a\x1b[2J"], "control"),
    "no name": ([], "required"),
}


def test_wrong_argument_is_a_sentence_and_makes_nothing() -> None:
    for case, (arguments, sentence) in WRONG.items():
        with pytest.raises(CommandError, match=sentence) as caught:
            create(*arguments)
        assert caught.value.returncode == 2, case
        assert not Client.objects.exists(), case
        assert not ApiKey.objects.exists(), case


def test_key_for_a_product_that_is_not_granted_is_refused(product: Product) -> None:
    with pytest.raises(CommandError, match="has no grant"):
        create("ci", "--only", "guide")
    assert not Client.objects.exists()
