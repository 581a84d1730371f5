"""Job tokens in the admin: to look at, and to revoke."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Product
from credentials.access.clients import start_job_token
from credentials.models import ApiKey, JobToken, TrustedPublisher
from tests.ltdkeeper.admin.confirmation import confirm
from tests.ltdkeeper.admin.publisher_pages import TOKENS, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(rule: TrustedPublisher, product: Product, now: datetime) -> JobToken:
    row, _ = start_job_token(
        client=rule.client, products=[product], now=now, publisher=rule, identity="octo run 1"
    )
    return row


def test_job_tokens_are_listed_without_their_hash_and_not_changed(
    browser: Browser, token: JobToken, api_key: ApiKey, product: Product, now: datetime
) -> None:
    start_job_token(client=api_key.client, products=[product], now=now, api_key=api_key)
    shown = page(browser, f"{TOKENS}_changelist")
    told = (token.token_name, "octo run 1", "guide", "docs", api_key.token_name)
    assert [word for word in told if word not in shown] == []
    detail = page(browser, f"{TOKENS}_change", token.pk)
    assert token.secret_sha256 not in shown + detail
    assert 'name="_save"' not in detail
    edit = browser.post(reverse(f"{TOKENS}_change", args=[token.pk]), {"identity": "x"})
    assert edit.status_code == 403
    token.refresh_from_db()
    assert token.identity == "octo run 1"
    for name, args in ((f"{TOKENS}_add", []), (f"{TOKENS}_delete", [token.pk])):
        assert browser.post(reverse(name, args=args), {"post": "yes"}).status_code == 403


def test_job_token_is_revoked_once_and_on_record(
    browser: Browser, token: JobToken, now: datetime
) -> None:
    for _ in range(2):
        confirm(browser, "revoke", token)
    token.refresh_from_db()
    assert token.ended_at is not None
    assert token.ended_at - now < timedelta(minutes=5)
    assert (
        LogEntry.objects.filter(
            object_id=str(token.pk), change_message="Revoked. Reason: leaked"
        ).count()
        == 1
    )


def test_list_of_job_tokens_costs_the_same_for_one_and_for_twenty(
    browser: Browser,
    token: JobToken,
    product: Product,
    now: datetime,
    django_assert_num_queries: Callable[..., Any],
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    page(browser, f"{TOKENS}_changelist")
    with django_assert_max_num_queries(9) as first:
        page(browser, f"{TOKENS}_changelist")
    for _ in range(20):
        start_job_token(client=token.client, products=[product], now=now, publisher=token.publisher)
    with django_assert_num_queries(len(first)):
        page(browser, f"{TOKENS}_changelist")
