"""The admin shows whether a store takes presigned POSTs, and forgets it of a store that moved."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.forms import model_to_dict
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser(store: Store) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("operator"))
    return browser


def save(browser: Browser, store: Store, **changes: Any) -> str:
    fields = model_to_dict(store) | {"reason": "as agreed"} | changes
    answer = browser.post(reverse("admin:builds_store_change", args=[store.pk]), fields)
    assert answer.status_code == 302, answer.content
    return str(Store.objects.get().post_support)


def test_list_shows_it(browser: Browser) -> None:
    Store.objects.update(post_support="broken")
    page = browser.get(reverse("admin:builds_store_changelist")).content.decode()
    assert "not taken" in page


MOVES = {
    "bucket": "another-bucket",
    "endpoint_url": "https://s3.example.org",
    "role_arn": "arn:aws:iam::123456789012:role/other",
}


@pytest.mark.parametrize("field", MOVES)
def test_store_that_moved_has_to_show_it_again(field: str, browser: Browser, store: Store) -> None:
    store.post_support = "works"
    store.save()
    assert save(browser, store, **{field: MOVES[field]}) == "unknown"


def test_other_changes_leave_it(browser: Browser, store: Store) -> None:
    store.post_support = "works"
    store.save()
    assert save(browser, store, external_id="tenant-7") == "works"


def test_operator_may_say_it(browser: Browser, store: Store) -> None:
    assert save(browser, store, bucket="another-bucket", post_support="works") == "works"
