"""The admin: the ledger can be searched and not changed, keys are shown once, figures are right."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from builds.models import Build, Product, Store
from credentials.access.callers import Caller, Origin
from credentials.models import ApiKey, Delivery, IssuedSession
from credentials.models.runs import IsolationRun
from credentials.vending.issuing import issue_session
from tests.fake_sts import FakeSts
from tests.ltdkeeper.admin.confirmation import ask, confirm

pytestmark = pytest.mark.django_db

LEDGER = "admin:credentials_issuedsession"
KEYS = "admin:credentials_apikey"


@pytest.fixture
def row(caller: Caller, build: Build, sts: FakeSts) -> IssuedSession:
    return issue_session(
        caller=caller,
        build_id=build.pk,
        delivery=Delivery.JSON,
        origin=Origin(),
        now=timezone.now(),
    ).row


def page(browser: Browser, name: str, *args: Any, **query: str) -> str:
    response = browser.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def make_key(browser: Browser, client_id: int) -> Any:
    fields = {"client": client_id, "label": "nightly", "all_products": "on"}
    return browser.post(reverse(f"{KEYS}_add"), fields)


def test_new_key_is_shown_on_one_page_and_works(browser: Browser, caller: Caller) -> None:
    answer = make_key(browser, caller.client.pk)
    [text] = re.findall(r"ltdk_[a-z0-9]{12}_[0-9a-f]{64}", answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    api = Browser(headers={"Authorization": f"Bearer {text}"})
    assert api.get("/products/").status_code == 200
    key = ApiKey.objects.get(label="nightly")
    secret = text.rpartition("_")[2]
    pages = [page(browser, f"{KEYS}_change", key.pk), page(browser, f"{KEYS}_changelist")]
    assert not any(secret in shown for shown in pages)


def test_making_and_revoking_a_key_is_in_the_admin_log_once_each(
    browser: Browser, caller: Caller
) -> None:
    make_key(browser, caller.client.pk)
    key = ApiKey.objects.get(label="nightly")
    confirm(browser, "revoke", key)
    entries = LogEntry.objects.filter(object_id=str(key.pk), user__username="operator")
    assert sorted(entries.values_list("change_message", flat=True)) == [
        "Made a key for ci.",
        "Revoked. Reason: leaked",
    ]


def test_revoking_asks_first(browser: Browser, api_key: ApiKey) -> None:
    asked = browser.get(ask(browser, "revoke", api_key))
    assert "cannot be undone" in asked.content.decode()
    api_key.refresh_from_db()
    assert api_key.revoked_at is None


def test_revoked_key_cannot_be_brought_back(browser: Browser, api_key: ApiKey) -> None:
    confirm(browser, "revoke", api_key)
    data = {"revoked_at_0": "", "revoked_at_1": "", "label": "again"}
    browser.post(reverse(f"{KEYS}_change", args=[api_key.pk]), data)
    api_key.refresh_from_db()
    assert (api_key.revoked_at is not None, api_key.label) == (True, "")


def test_ledger_cannot_be_added_to_changed_or_emptied(browser: Browser, row: IssuedSession) -> None:
    change = reverse(f"{LEDGER}_change", args=[row.pk])
    assert browser.post(change, {"status": "failed"}).status_code == 403
    for name, args in ((f"{LEDGER}_add", []), (f"{LEDGER}_delete", [row.pk])):
        assert browser.post(reverse(name, args=args), {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    browser.post(reverse(f"{LEDGER}_changelist"), data)
    assert IssuedSession.objects.get().status == "issued"


def test_pages_of_records_have_nothing_to_save(browser: Browser, row: IssuedSession) -> None:
    for name, key in ((LEDGER, row.pk), ("admin:builds_build", row.build_id)):
        assert 'name="_save"' not in page(browser, f"{name}_change", key)
        assert browser.post(reverse(f"{name}_change", args=[key]), {}).status_code == 403


def test_check_of_isolation_is_requested_for_the_clock(browser: Browser, store: Store) -> None:
    data = {"action": "check_isolation", "_selected_action": store.pk, "reason": "new"}
    browser.post(reverse("admin:builds_store_changelist"), data)
    run = IsolationRun.objects.get()
    assert (run.verdict, run.requested_by.username) == ("requested", "operator")  # type: ignore[union-attr]
    assert "requested" in page(browser, "admin:credentials_isolationrun_changelist")


def test_product_with_a_build_keeps_slug_and_store(
    browser: Browser, product: Product, build: Build
) -> None:
    data = {"slug": "renamed", "title": "New title", "access": "upload", "reason": "new name"}
    browser.post(reverse("admin:builds_product_change", args=[product.pk]), data)
    product.refresh_from_db()
    assert (product.slug, product.title) == ("guide", "New title")


def test_sync_product_is_refused_in_a_store_without(
    browser: Browser, product: Product, store: Store
) -> None:
    changelist = reverse("admin:builds_product_changelist")
    data = {"action": "allow_sync", "_selected_action": product.pk, "reason": "new"}
    assert "bootstrap_store --store main --with-sync --apply" in unescape(
        browser.post(changelist, data, follow=True).content.decode()
    )
    Store.objects.update(with_sync=True)
    browser.post(changelist, data)
    product.refresh_from_db()
    assert product.access == "sync"


def test_build_is_marked_as_deleted_and_stays(browser: Browser, build: Build) -> None:
    confirm(browser, "mark_deleted", build)
    assert Build.objects.get().deleted_at is not None
    assert browser.post(reverse("admin:builds_build_delete", args=[build.pk])).status_code == 403


def test_product_made_in_the_admin_has_a_surrogate_key(browser: Browser, store: Store) -> None:
    data = {"slug": "handbook", "store": store.pk, "access": "upload", "session_seconds": "900"}
    browser.post(reverse("admin:builds_product_add"), data)
    assert len(Product.objects.get(slug="handbook").surrogate_key) == 32


def test_duration_that_the_role_does_not_allow_is_refused(browser: Browser, store: Store) -> None:
    for seconds in ("899", "3601"):
        data = {"slug": "x", "store": store.pk, "access": "upload", "session_seconds": seconds}
        answer = browser.post(reverse("admin:builds_product_add"), data)
        assert "3600 seconds" in answer.content.decode()
    assert not Product.objects.exists()


def test_stranger_sees_nothing(db: None) -> None:
    answer = Browser().get(reverse("admin:index"))
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")


def test_moments_are_shown_in_utc_and_sortable(browser: Browser, row: IssuedSession) -> None:
    shown = page(browser, f"{LEDGER}_change", row.pk)
    assert f"{row.requested_at:%Y-%m-%d %H:%M:%S} UTC" in shown
