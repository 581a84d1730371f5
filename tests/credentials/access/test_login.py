"""The admin's login: too many failures from an address, and no password of it is looked at."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client as Browser
from pytest_django import Settings

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)
LIMIT = 3
PASSWORD = "correct horse battery"


@pytest.fixture
def browser(db: None, settings: Settings) -> Browser:
    settings.LTD_FAILURES_A_MINUTE = LIMIT
    User.objects.create_superuser("operator", password=PASSWORD)
    return Browser()


def log_in(browser: Browser, password: str, **headers: str) -> Any:
    fields = {"username": "operator", "password": password}
    with time_machine.travel(NOW, tick=False):
        return browser.post("/admin/login/?next=/admin/", fields, **headers)


def fail(browser: Browser, times: int, **headers: str) -> list[int]:
    return [log_in(browser, "wrong", **headers).status_code for _ in range(times)]


def test_failures_up_to_the_limit_see_the_form_again(browser: Browser) -> None:
    assert fail(browser, LIMIT) == [200] * LIMIT
    assert "_auth_user_id" not in browser.session


def test_right_password_after_fewer_failures_logs_in(browser: Browser) -> None:
    fail(browser, LIMIT - 1)
    assert log_in(browser, PASSWORD).status_code == 302


def test_no_password_is_looked_at_after_too_many(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(browser, LIMIT)
    monkeypatch.setattr(User, "check_password", lambda *_: pytest.fail("looked at"))
    assert log_in(browser, "wrong").status_code == 429
    response = log_in(browser, PASSWORD)
    assert (response.status_code, response["Retry-After"]) == (429, "45")
    assert "Try again in 45 seconds" in response.content.decode()
    assert "_auth_user_id" not in browser.session


def test_unknown_names_are_counted_too(browser: Browser) -> None:
    fields = {"username": "nobody", "password": "wrong"}
    with time_machine.travel(NOW, tick=False):
        for _ in range(LIMIT):
            browser.post("/admin/login/", fields)
    assert log_in(browser, PASSWORD).status_code == 429


def test_other_addresses_log_in(browser: Browser) -> None:
    fail(browser, LIMIT + 1, REMOTE_ADDR="203.0.113.9")
    assert log_in(browser, PASSWORD, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_claimed_address_does_not_help(browser: Browser) -> None:
    fail(browser, LIMIT, HTTP_X_FORWARDED_FOR="203.0.113.1")
    assert log_in(browser, "wrong", HTTP_X_FORWARDED_FOR="203.0.113.2").status_code == 429


def test_wrong_keys_keep_nobody_from_logging_in(browser: Browser) -> None:
    with time_machine.travel(NOW, tick=False):
        for _ in range(LIMIT + 1):
            browser.get("/products/", HTTP_AUTHORIZATION="Bearer wrong")
    assert log_in(browser, PASSWORD).status_code == 302


def test_failed_logins_keep_no_key_from_its_401(browser: Browser) -> None:
    fail(browser, LIMIT + 1)
    with time_machine.travel(NOW, tick=False):
        assert browser.get("/products/", HTTP_AUTHORIZATION="Bearer wrong").status_code == 401


def test_looking_at_the_form_is_no_failure(browser: Browser) -> None:
    for _ in range(LIMIT + 5):
        assert browser.get("/admin/login/").status_code == 200
    assert log_in(browser, PASSWORD).status_code == 302


def test_cache_that_is_away_lets_in(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(LocMemCache, "get", fails)
    assert fail(browser, LIMIT + 1) == [200] * (LIMIT + 1)
    assert log_in(browser, PASSWORD).status_code == 302
