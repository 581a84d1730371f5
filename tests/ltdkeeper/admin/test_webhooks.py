"""Webhooks in the admin: a secret is shown once, an address to few, dead letters are sent again."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client as Browser

from builds.models import Product
from credentials.models import EventKind, Webhook, WebhookDelivery, record_event
from credentials.operations.webhook_calls import Problem
from ltdkeeper.admin.webhooks import PROBLEMS, describe

pytestmark = pytest.mark.django_db
LIST, DELIVERIES = "/admin/credentials/webhook/", "/admin/credentials/webhookdelivery/"
NEW = {"name": "editions", "url": "https://hooks.example.org/s3cret", "is_active": "on"}


@pytest.fixture
def webhook(db: None) -> Webhook:
    return Webhook.objects.create(name="editions", url=NEW["url"])


@pytest.fixture
def act(admin_client: Browser, webhook: Webhook) -> Callable[..., str]:
    """Do an action of a list with its first row selected; what the page then shows."""

    def send(action: str, address: str = LIST, **data: Any) -> str:
        row = {LIST: Webhook, DELIVERIES: WebhookDelivery}[address].objects.latest("pk")
        sent = {"action": action, "_selected_action": row.pk, "reason": "as agreed", **data}
        return admin_client.post(address, sent, follow=True).content.decode()

    return send


def secret_in(page: str) -> str:
    return "".join(re.findall(r"whsec_[A-Za-z0-9+/=]+", page))


def test_secret_is_shown_once(admin_client: Browser, product: Product, now: datetime) -> None:
    sent = NEW | {"kinds": ["build.finished"], "products": [product.pk]}
    answer = admin_client.post(f"{LIST}add/", sent)
    webhook = Webhook.objects.get()
    assert (webhook.kinds, list(webhook.products.all())) == (["build.finished"], [product])
    assert secret_in(answer.content.decode()) == webhook.secrets(now)[0].reveal()
    assert "no-store" in answer["Cache-Control"]
    page = f"{LIST}{webhook.pk}/change/"
    pages = [admin_client.get(each).content.decode() for each in (LIST, page, "/admin/")]
    assert secret_in("".join(pages)) == ""
    assert webhook.seed not in "".join(pages)


REFUSED = {
    "no scheme": "hooks.example.org",
    "http": "http://hooks.example.org/",
    "user": "https://me:pw@hooks.example.org/",
    "fragment": "https://hooks.example.org/#x",
    "space": "https://hooks.example.org/a b",
    "not ASCII": "https://hooks.example.org/é",
    "broken": "https://[::1/",
}


def test_address_that_nothing_is_delivered_to_is_refused(admin_client: Browser) -> None:
    for case, url in REFUSED.items():
        answer = admin_client.post(f"{LIST}add/", NEW | {"url": url})
        assert (answer.status_code, Webhook.objects.count()) == (200, 0), case


def test_http_is_for_allowed_networks(admin_client: Browser, settings: Any) -> None:
    settings.LTD_WEBHOOK_ALLOWED_NETWORKS = ["10.0.0.0/8"]
    admin_client.post(f"{LIST}add/", NEW | {"url": "http://hooks.internal/"})
    assert Webhook.objects.get().url == "http://hooks.internal/"


def test_new_secret_signs_beside_the_former(
    act: Callable[..., str], webhook: Webhook, now: datetime
) -> None:
    [former] = webhook.secrets(now)
    shown = secret_in(act("make_secret"))
    assert secret_in(act("make_secret")) == shown  # a double click
    webhook.refresh_from_db()
    assert [each.reveal() for each in webhook.secrets(now)] == [shown, former.reveal()]
    assert LogEntry.objects.get().change_message == "Made a new secret. Reason: as agreed."


def test_new_secret_is_of_one_webhook(act: Callable[..., str], webhook: Webhook) -> None:
    other = Webhook.objects.create(name="other", url="https://other.example.org/")
    assert secret_in(act("make_secret", _selected_action=[webhook.pk, other.pk])) == ""
    assert Webhook.objects.filter(former_seed="").count() == 2


def test_test_event_is_due_at_once_for_active_webhooks(
    act: Callable[..., str], webhook: Webhook
) -> None:
    act("send_test")
    assert WebhookDelivery.objects.get().kind == "webhook.test"
    Webhook.objects.update(is_active=False)
    act("send_test")
    assert WebhookDelivery.objects.count() == 1


def test_enabling_forgets_that_it_was_gone(
    act: Callable[..., str], webhook: Webhook, now: datetime
) -> None:
    Webhook.objects.update(is_active=False, gone_at=now)
    act("enable")
    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.gone_at) == (True, None)


def test_dead_letter_is_sent_again_and_others_stay(
    act: Callable[..., str], webhook: Webhook, now: datetime
) -> None:
    for subject in ("a", "b"):
        record_event(EventKind.FINDING_OPENED, subject=subject, payload={}, now=now)
    WebhookDelivery.objects.update(state="dead", attempts=13)
    WebhookDelivery.objects.filter(subject="a").update(state="delivered")
    assert "are due again: 1." in act("send_again", DELIVERIES)
    rows = WebhookDelivery.objects.order_by("subject").values_list("state", "attempts")
    assert list(rows) == [("delivered", 13), ("waiting", 0)]
    assert LogEntry.objects.get().change_message == "Send again. Reason: as agreed."


@pytest.mark.usefixtures("groups")
def test_path_of_an_address_is_shown_to_those_who_may_change_it(
    webhook: Webhook, admin_client: Browser
) -> None:
    viewer = Browser()
    user = User.objects.create_user("vera", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    viewer.force_login(user)
    pages = [LIST, f"{LIST}{webhook.pk}/change/", f"{LIST}{webhook.pk}/history/"]
    seen = "".join(viewer.get(page).content.decode() for page in pages)
    assert ("hooks.example.org" in seen, "s3cret" in seen) == (True, False)
    assert "s3cret" in admin_client.get(pages[1]).content.decode()


TOLD = {
    "new": ({}, "waits for manage.py deliver_webhooks, or for an earlier event"),
    "failed": ({"attempts": 2, "last_status": 503}, "failed: answered 503 at attempt 2, "),
    "delivered": (
        {"state": "delivered", "attempts": 1, "last_status": 204},
        "delivered: answered 204 at attempt 1, ",
    ),
    "dead": (
        {"state": "dead", "attempts": 9, "last_problem": "timed_out"},
        "dead letter: it did not respond in time at attempt 9, ",
    ),
    "dead, never tried": ({"state": "dead"}, "dead letter: was never sent"),
}


def test_state_is_a_sentence(now: datetime) -> None:
    for case, (fields, expected) in TOLD.items():
        at = now if "attempts" in fields else None
        delivery = WebhookDelivery(last_attempt_at=at, next_attempt_at=now, **fields)
        assert describe(delivery).startswith(expected), case


def test_every_problem_has_words() -> None:
    assert set(PROBLEMS) == set(Problem) - {Problem.STATUS}
