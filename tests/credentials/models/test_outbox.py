"""Events are written for the webhooks that want them, in the transaction that makes them true."""

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import transaction

from builds.models import Build, Product
from credentials.access.registrations import delete_registered_build
from credentials.models import EventKind, Webhook, WebhookDelivery, record_event
from credentials.models.outbox import BOTH_SECRETS

pytestmark = pytest.mark.django_db

# kinds, products, is_active -> whether build.finished of `guide` is written, and of no product
FILTERS: dict[str, tuple[list[str], list[str], bool, tuple[bool, bool]]] = {
    "everything": ([], [], True, (True, True)),
    "disabled": ([], [], False, (False, False)),
    "its kind": (["build.deleted", "build.finished"], [], True, (True, True)),
    "another kind": (["build.deleted"], [], True, (False, False)),
    "its product": ([], ["guide", "other"], True, (True, False)),
    "another product": ([], ["other"], True, (False, False)),
    "its product, another kind": (["build.deleted"], ["guide"], True, (False, False)),
}


@pytest.mark.parametrize("case", FILTERS)
def test_webhook_is_told_of_its_kinds_and_products(
    case: str, make_product: Callable[..., Product], now: datetime
) -> None:
    kinds, slugs, is_active, expected = FILTERS[case]
    products = {slug: make_product(slug) for slug in ("guide", "other")}
    webhook = Webhook.objects.create(name="w", url="https://x/", kinds=kinds, is_active=is_active)
    webhook.products.set(products[slug] for slug in slugs)
    for slug in ("guide", ""):
        record_event(
            EventKind.BUILD_FINISHED, subject=f"/{slug}", payload={}, now=now, product_slug=slug
        )
    told = set(WebhookDelivery.objects.values_list("subject", flat=True))
    assert ("/guide" in told, "/" in told) == expected


@pytest.fixture
def webhook(db: None) -> Webhook:
    return Webhook.objects.create(name="editions", url="https://editions.example.org/hook")


def test_event_is_the_same_for_every_webhook(webhook: Webhook, now: datetime) -> None:
    Webhook.objects.create(name="cdn", url="https://cdn.example.org/")
    record_event(EventKind.FINDING_OPENED, subject="key", payload={"at": now}, now=now)
    first, second = WebhookDelivery.objects.all()
    assert (first.event_id, first.body) == (second.event_id, second.body)
    stamp = now.isoformat().replace("+00:00", "Z")
    assert json.loads(first.body) == {
        "type": "finding.opened",
        "timestamp": stamp,
        "data": {"at": stamp},
    }


def test_build_tells_in_order_what_becomes_of_it_once(
    webhook: Webhook, register: Callable[..., Build], now: datetime
) -> None:
    build = register()
    for _ in range(2):
        delete_registered_build(build_id=build.pk, now=now)
    rows = list(WebhookDelivery.objects.order_by("pk"))
    assert [row.kind for row in rows] == ["build.registered", "build.deleted"]
    assert {row.subject for row in rows} == {build.root}
    data = json.loads(rows[0].body)["data"]
    assert data["self_url"].endswith(f"/builds/{build.pk}")
    assert (data["root"], data["surrogate_key"]) == (build.root, build.surrogate_key)


def test_event_of_what_is_taken_back_is_not_written(
    webhook: Webhook, build: Build, now: datetime
) -> None:
    before = WebhookDelivery.objects.count()
    with transaction.atomic():
        delete_registered_build(build_id=build.pk, now=now)
        transaction.set_rollback(True)
    assert WebhookDelivery.objects.count() == before


def test_secret_follows_the_seed_and_the_former_one_signs_for_a_day(now: datetime) -> None:
    webhook = Webhook(seed="b", former_seed="a", secret_changed_at=now)
    new, former = (each.reveal() for each in webhook.secrets(now))
    assert [each.reveal() for each in Webhook(seed="a").secrets(now)] == [former]
    assert [each.reveal() for each in webhook.secrets(now + BOTH_SECRETS)] == [new] != [former]
    assert new.startswith("whsec_")
    assert "whsec_" not in repr(webhook.secrets(now))
