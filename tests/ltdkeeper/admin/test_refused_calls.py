"""Refused calls in the admin: totals by address, client and reason, and sentences about them."""

from datetime import datetime, timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from credentials.access.refusals import Count, RefusedCall, write_refusals
from credentials.models import ApiKey
from ltdkeeper.admin.links import page_address
from ltdkeeper.admin.refusals import busy_addresses, refused_calls_of

pytestmark = pytest.mark.django_db

LIST = "admin:credentials_refusal_changelist"
PROBE, JOB = "203.0.113.9", "192.0.2.7"


@pytest.fixture
def refused(api_key: ApiKey, now: datetime) -> None:
    """Twelve wrong keys from one address, nine refused writes of a job, and one of last week."""
    wrong = RefusedCall(PROBE, "invalid_credentials")
    write = RefusedCall(JOB, "build_closed", api_key.token_name, "guide", token_accepted=True)
    write_refusals({wrong: Count(12, now), write: Count(9, now)}, now=now)
    write_refusals(
        {wrong._replace(reason="forbidden"): Count(77, now - timedelta(days=7))}, now=now
    )


def shown(browser: Browser, **query: str) -> str:
    return browser.get(reverse(LIST), query).content.decode()


def test_list_has_totals_of_a_day(browser: Browser, refused: None, api_key: ApiKey) -> None:
    page = shown(browser)
    words = (PROBE, JOB, "invalid_credentials", "build_closed", "guide", api_key.token_name)
    assert [word for word in (*words, "<strong>21</strong>") if word not in page] == []
    assert ">77<" not in page


# what is chosen -> what is shown and what is not
CHOSEN = {
    "address": (PROBE, ["invalid_credentials", ">77<"], ["build_closed"]),
    "client": ("ci", ["build_closed", "/admin/credentials/client/"], [PROBE, ">77<"]),
    "reason": ("build_closed", [JOB], [PROBE]),
    "product": ("guide", [JOB, "/admin/builds/product/"], [PROBE]),
    "token": ("nobody", ["<strong>0</strong>"], [PROBE, JOB]),
}


def test_totals_of_a_part(browser: Browser, refused: None) -> None:
    for part, (value, there, away) in CHOSEN.items():
        page = shown(browser, **{part: value})
        assert [word for word in there if word not in page] == [], part
        assert [word for word in away if word in page] == [], part


def test_number_of_queries_does_not_grow(
    browser: Browser, refused: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        shown(browser, address=PROBE)


def test_what_was_sent_in_the_address_is_escaped_and_cut(browser: Browser, refused: None) -> None:
    page = shown(browser, address="<script>" + "x" * 500, nonsense="1")
    assert "<script>x" not in page
    assert "x" * 100 not in page


def test_front_page_names_addresses_that_were_refused_often(
    refused: None, api_key: ApiKey, now: datetime
) -> None:
    first, second = busy_addresses(now)
    hour, at = f"{now - timedelta(hours=1):%H}:00", f"{now:%H:%M:%S}"
    window = f"between {hour} UTC and now: first {at}, last {at}"
    assert first.sentence == f"12 refused calls from {PROBE} {window}"
    assert first.kinds == ("12 invalid_credentials",)
    token = f"{api_key.token_name} of {api_key.client}"
    assert second.kinds == (
        f"9 build_closed with {token}, token accepted: the caller has its secret",
    )
    assert busy_addresses(now + timedelta(hours=2)) == []


def test_few_refusals_need_no_attention(db: None, now: datetime) -> None:
    write_refusals({RefusedCall(PROBE, "forbidden"): Count(7, now)}, now=now)
    assert busy_addresses(now) == []


def test_tokens_and_clients_lead_to_their_pages(
    browser: Browser, refused: None, api_key: ApiKey
) -> None:
    page = shown(browser)
    for row in (api_key, api_key.client):
        assert f'<a href="{page_address(row)}">{getattr(row, "token_name", row)}</a>' in page
    assert "accepted: the caller has its secret" in page
    assert page_address(api_key) in shown(browser, token=api_key.token_name)


def test_client_and_its_token_have_their_reasons(
    refused: None, api_key: ApiKey, browser: Browser, now: datetime
) -> None:
    [line] = refused_calls_of(api_key.client, now).lines
    assert (line.text, line.calls) == ("build_closed", 9)
    assert refused_calls_of(api_key.client, now, "ltdk_000000000000").lines == []
    for row in (api_key, api_key.client):
        said = "build_closed</a> token accepted: the caller has its secret"
        assert said in browser.get(page_address(row)).content.decode()
