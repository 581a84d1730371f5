"""The second factor: a code after the password, its setting up, recovery codes, and its reset."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from credentials.access.refusals import refusals

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)
PASSWORD = "correct horse battery"
LOGIN, CODE, SETUP = "/admin/login/", "/admin/second-factor/", "/admin/second-factor/setup/"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def user(db: None, clock: Any) -> User:
    return User.objects.create_superuser("operator", password=PASSWORD)


@pytest.fixture
def device(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="app", confirmed=True)


@pytest.fixture
def required(settings: Any) -> None:
    settings.LTD_REQUIRE_SECOND_FACTOR = True


def code_of(device: TOTPDevice) -> str:
    totp = TOTP(device.bin_key)
    totp.time = time.time()
    return f"{totp.token():06d}"


def show_password(browser: Browser, address: str = "/admin/builds/") -> Any:
    fields = {"username": "operator", "password": PASSWORD, "next": address}
    return browser.post(LOGIN, fields)


def show_code(browser: Browser, code: str, page: str = CODE) -> Any:
    return browser.post(page, {"code": code})


def is_logged_in(browser: Browser) -> bool:
    return browser.get("/admin/").status_code == 200


def test_password_alone_logs_in_where_no_second_factor_is_set_up(user: User) -> None:
    browser = Browser()
    assert show_password(browser)["Location"] == "/admin/builds/"
    assert is_logged_in(browser)


def test_password_alone_does_not_log_in_with_a_device(device: TOTPDevice) -> None:
    browser = Browser()
    assert show_password(browser)["Location"] == CODE
    assert not is_logged_in(browser)
    assert "_auth_user_id" not in browser.session


def test_code_logs_in_and_goes_where_one_was_going(device: TOTPDevice) -> None:
    browser = Browser()
    show_password(browser)
    assert show_code(browser, code_of(device))["Location"] == "/admin/builds/"
    assert is_logged_in(browser)


@pytest.mark.parametrize("wrong", ["000000", "", "x" * 31, "\u0661" * 6, "abcd-efgh-ijkl-mnop"])
def test_wrong_code_does_not_log_in(wrong: str, device: TOTPDevice) -> None:
    browser = Browser()
    show_password(browser)
    assert show_code(browser, wrong).status_code == 200
    assert not is_logged_in(browser)


def test_code_is_right_once(device: TOTPDevice) -> None:
    code, browsers = code_of(device), (Browser(), Browser())
    for browser in browsers:
        show_password(browser)
        show_code(browser, code)
    assert [is_logged_in(browser) for browser in browsers] == [True, False]


def test_code_without_a_password_does_nothing(device: TOTPDevice) -> None:
    browser = Browser()
    assert show_code(browser, code_of(device))["Location"] == LOGIN
    assert not is_logged_in(browser)


# what ends the time between password and code
ENDS = {
    "ten minutes": lambda user, clock: clock.shift(timedelta(minutes=10, seconds=1)),
    "another password": lambda user, clock: (user.set_password("another"), user.save()),
    "disabled": lambda user, clock: User.objects.update(is_active=False),
    "no staff": lambda user, clock: User.objects.update(is_staff=False),
}


@pytest.mark.parametrize("case", ENDS)
def test_code_after_that_is_too_late(case: str, device: TOTPDevice, user: User, clock: Any) -> None:
    browser = Browser()
    show_password(browser)
    ENDS[case](user, clock)
    assert show_code(browser, code_of(device))["Location"] == LOGIN
    assert "Your login was not finished in time." in browser.get(LOGIN).content.decode()


def test_guessing_is_throttled_by_account(device: TOTPDevice) -> None:
    browser = Browser()
    show_password(browser)
    assert "Wait" not in show_code(browser, "000000").content.decode()
    assert "Wait 1 seconds" not in show_code(browser, code_of(device)).content.decode()
    assert not is_logged_in(browser)


def test_guessing_is_throttled_by_address_and_counted(device: TOTPDevice, settings: Any) -> None:
    settings.LTD_FAILURES_A_MINUTE = 2
    browser = Browser()
    show_password(browser)
    assert [show_code(browser, "000000").status_code for _ in range(3)] == [200, 200, 429]
    reasons = {call.reason: count.calls for call, count in refusals.take().items()}
    assert reasons == {"failed_second_factor": 2, "too_many_logins": 1}


# Where it is required.


def test_old_login_does_not_meet_the_requirement(user: User, required: None) -> None:
    browser = Browser()
    browser.force_login(user)
    assert browser.get("/admin/").status_code == 302


def set_up(browser: Browser) -> tuple[TOTPDevice, list[str]]:
    """The device and the recovery codes of who is at the page."""
    browser.get(SETUP)
    device = TOTPDevice.objects.get()
    page = show_code(browser, code_of(device), SETUP).content.decode()
    return device, re.findall(r"<code>([a-z2-7-]{19})</code>", page)


def test_first_login_sets_a_device_up(user: User, required: None) -> None:
    browser = Browser()
    assert show_password(browser)["Location"] == CODE
    assert browser.get(CODE)["Location"] == SETUP
    assert not is_logged_in(browser)
    _, codes = set_up(browser)
    assert len(set(codes)) == 10
    assert is_logged_in(browser)


def test_page_to_set_up_has_picture_and_secret_and_is_not_stored(
    user: User, required: None
) -> None:
    browser = Browser()
    show_password(browser)
    answer = browser.get(SETUP)
    page = answer.content.decode()
    assert "<svg" in page
    assert "style=" not in page[page.index("<svg") : page.index("</svg>")]
    assert re.search(r"[A-Z2-7]{4}( [A-Z2-7]{4}){7}", page)
    assert "no-store" in answer["Cache-Control"]


def test_wrong_first_code_sets_nothing_up(user: User, required: None) -> None:
    browser = Browser()
    show_password(browser)
    browser.get(SETUP)
    show_code(browser, "000000", SETUP)
    assert not TOTPDevice.objects.get().confirmed
    assert not is_logged_in(browser)


def test_password_alone_replaces_no_device(device: TOTPDevice) -> None:
    browser = Browser()
    show_password(browser)
    assert browser.get(SETUP)["Location"] == CODE
    assert TOTPDevice.objects.count() == 1


def test_stranger_sets_nothing_up(db: None) -> None:
    assert Browser().get(SETUP)["Location"] == LOGIN


def test_whoever_is_logged_in_may_set_one_up(user: User) -> None:
    browser = Browser()
    browser.force_login(user)
    set_up(browser)
    assert is_logged_in(browser)
    assert show_password(Browser())["Location"] == CODE
    assert "reset_second_factor operator" in browser.get(SETUP).content.decode()


# Recovery codes.


def test_recovery_code_logs_in_once(user: User, required: None) -> None:
    browser = Browser()
    show_password(browser)
    _, codes = set_up(browser)
    browsers = (Browser(), Browser())
    for other in browsers:
        show_password(other)
        show_code(other, codes[3].upper())
    assert "9 recovery codes are left" in browsers[0].get("/admin/").content.decode()
    assert [is_logged_in(other) for other in browsers] == [True, False]


def test_recovery_codes_are_not_stored(user: User, required: None) -> None:
    browser = Browser()
    show_password(browser)
    _, codes = set_up(browser)
    stored = set(StaticToken.objects.values_list("token", flat=True))
    plain = {code.replace("-", "") for code in codes}
    assert len(stored) == 10
    assert not stored & (plain | set(codes) | {code[:16] for code in plain})


def test_wrong_recovery_code_says_how_long_to_wait(user: User, clock: Any) -> None:
    browser = Browser()
    browser.force_login(user)
    _, codes = set_up(browser)
    other = Browser()
    show_password(other)
    for _ in range(2):
        clock.shift(timedelta(seconds=2))
        page = show_code(other, "abcd-efgh-ijkl-mnop").content.decode()
    assert "Wait 2 seconds before the next." in page
    assert "Wait 2 seconds" in show_code(other, codes[0]).content.decode()
    clock.shift(timedelta(seconds=3))
    show_code(other, codes[0])
    assert is_logged_in(other)


# A lost device.


def reset(name: str) -> str:
    written = StringIO()
    call_command("reset_second_factor", name, "--reason", "lost phone", stdout=written)
    return written.getvalue().strip()


def test_lost_device_is_reset_by_a_command_and_on_record(device: TOTPDevice, user: User) -> None:
    assert reset("operator") == "operator has no second factor any more."
    assert show_password(Browser())["Location"] == "/admin/builds/"
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("command-line", str(user.pk))
    assert entry.change_message == "Reset the second factor. Reason: lost phone"
    assert reset("operator") == "operator had no second factor."


def test_unknown_account_is_a_sentence(db: None) -> None:
    with pytest.raises(CommandError, match="no account with that name"):
        reset("nobody")
