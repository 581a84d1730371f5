"""Every refused call is counted, whatever refused it; no other is."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from builds.models import Build
from credentials.access.callers import Caller
from credentials.access.refusals import RefusedCall, refusals
from tests.conftest import raw_key
from tests.http.conftest import Send
from tests.http.endpoints import ENDPOINTS, ISSUE, LIST_PRODUCTS

pytestmark = pytest.mark.django_db

NAME, SECRET = "ltdk_000000000000", "0" * 64


def counted() -> dict[RefusedCall, int]:
    return {call: count.calls for call, count in refusals.take().items()}


HEADERS = {
    "none": ("", "not_authenticated", ""),
    "unreadable": ("Token 7", "invalid_credentials", ""),
    "malformed": ("Bearer x", "invalid_credentials", ""),
    "unknown": (f"Bearer {NAME}_{SECRET}", "invalid_credentials", NAME),
}


def test_wrong_keys_are_counted_by_the_token_they_name(send: Send) -> None:
    for case, (header, reason, name) in HEADERS.items():
        for _ in range(2):
            send(LIST_PRODUCTS, HTTP_AUTHORIZATION=header, REMOTE_ADDR="203.0.113.9")
        assert counted() == {RefusedCall("203.0.113.9", reason, name): 2}, case


def test_refused_call_is_counted_with_its_build(
    browser: Browser, make_caller: Any, build: Build
) -> None:
    stranger: Caller = make_caller("stranger")
    header = {"HTTP_AUTHORIZATION": f"Bearer {raw_key(stranger)}"}
    assert browser.get(f"/builds/{build.pk}/credentials", **header).status_code == 403
    [call] = counted()
    assert (call.reason, call.build_id) == ("product_not_granted", build.pk)
    assert (call.token_name, call.token_accepted) == (stranger.token_name, True)


def test_token_that_nobody_looked_at_is_not_accepted(browser: Browser, caller: Caller) -> None:
    browser.force_login(User.objects.create_user("somebody", is_staff=True))
    header = {"HTTP_AUTHORIZATION": f"Bearer {raw_key(caller)}"}
    browser.get("/admin/credentials/client/", **header)
    [call] = counted()
    assert (call.token_name, call.token_accepted) == (caller.token_name, False)


@pytest.fixture
def browser() -> Browser:
    return Browser()


QUERIES = {
    "product=guide": "guide",
    "format=env&product=guide": "guide",
    "product=gu%69de": "",
    "product=": "",
    "xproduct=guide": "",
    "&".join(["product=guide"] * 2000): "guide",
}


def test_product_asked_for_is_counted(browser: Browser) -> None:
    for query, slug in QUERIES.items():
        assert browser.get(f"/credentials?{query}").status_code == 401, query[:99]
        [call] = counted()
        assert call.product_slug == slug, query[:99]


@pytest.mark.usefixtures("one_minute")
def test_throttled_call_is_counted_as_such(send: Send, settings: Any) -> None:
    settings.LTD_FAILURES_A_MINUTE = 1
    for _ in range(3):
        send(LIST_PRODUCTS, HTTP_AUTHORIZATION="Bearer x")
    reasons = {call.reason: times for call, times in counted().items()}
    assert reasons == {"invalid_credentials": 1, "too_many_failures": 2}


@pytest.mark.usefixtures("one_minute")
def test_login_that_fails_is_counted_without_the_name(browser: Browser, settings: Any) -> None:
    settings.LTD_FAILURES_A_MINUTE = 1
    User.objects.create_superuser("operator", password="correct horse battery")
    for _ in range(3):
        browser.post("/admin/login/", {"username": "hunter2", "password": "wrong"})
    assert counted() == {
        RefusedCall("127.0.0.1", "failed_login"): 1,
        RefusedCall("127.0.0.1", "too_many_logins"): 2,
    }


def test_page_that_one_may_not_see_is_counted(browser: Browser) -> None:
    browser.force_login(User.objects.create_user("somebody", is_staff=True))
    assert browser.get("/admin/credentials/client/").status_code == 403
    assert counted() == {RefusedCall("127.0.0.1", "forbidden"): 1}


@pytest.mark.parametrize("name", ["list products", "issue credentials"])
def test_call_that_is_answered_is_not_counted(name: str, send: Send) -> None:
    assert send(ENDPOINTS[name]).status_code == 200
    assert counted() == {}


def test_no_secret_is_kept(send: Send) -> None:
    send(ISSUE, HTTP_AUTHORIZATION=f"Bearer {NAME}_{SECRET}")
    assert SECRET not in repr(refusals.take())
