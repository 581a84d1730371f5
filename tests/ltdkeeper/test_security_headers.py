"""Every header and cookie flag that protects the admin, and on which settings they depend."""

import runpy
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
CSP = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NOT_CACHED = "max-age=0, no-cache, no-store, must-revalidate, private"
# attribute -> session cookie, CSRF cookie
FLAGS: dict[str, tuple[Any, Any]] = {
    "secure": (True, True),
    "httponly": (True, True),
    "samesite": ("Lax", "Lax"),
    "domain": ("", ""),
    "path": ("/", "/"),
}


@pytest.fixture
def browser(db: None) -> Browser:
    User.objects.create_superuser("root", password=PASSWORD)
    return Browser()


def test_every_answer_has_these_headers_and_this_policy(browser: Browser) -> None:
    for path in ("/admin/login/", "/admin/", "/products/", "/docs/", "/nowhere"):
        answer = browser.get(path, secure=True)
        assert {name: answer.get(name) for name in HEADERS} == HEADERS, path
        directives = [each.strip() for each in answer["Content-Security-Policy"].split(";")]
        assert (set(filter(None, directives)), len(directives)) == (CSP, len(CSP)), path
        assert "Content-Security-Policy-Report-Only" not in answer, path
        assert "Access-Control-Allow-Origin" not in answer, path


def test_cookies_of_a_login_have_these_flags(browser: Browser) -> None:
    fields = {"username": "root", "password": PASSWORD}
    answer = browser.post("/admin/login/", fields, secure=True)
    assert set(answer.cookies) == {"sessionid", "csrftoken"}
    cookies = (answer.cookies["sessionid"], answer.cookies["csrftoken"])
    assert {flag: tuple(cookie[flag] for cookie in cookies) for flag in FLAGS} == FLAGS


def test_pages_of_the_admin_are_not_kept(browser: Browser) -> None:
    browser.login(username="root", password=PASSWORD)
    for path in ("/admin/login/", "/admin/", "/admin/auth/user/"):
        answer = browser.get(path, secure=True)
        assert answer["Cache-Control"] == NOT_CACHED
        assert "Cookie" in answer["Vary"]


def test_form_without_its_token_or_from_elsewhere_is_refused(browser: Browser) -> None:
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    token = strict.get("/admin/password_change/", secure=True).context["csrf_token"]
    sent = {"csrfmiddlewaretoken": str(token)}
    elsewhere = {"HTTP_ORIGIN": "https://evil.example.org"}
    answers = [
        strict.post("/admin/password_change/", {}, secure=True),
        strict.post("/admin/password_change/", sent, secure=True, **elsewhere),
        strict.post(
            "/admin/password_change/", sent, secure=True, HTTP_REFERER="https://x.example/"
        ),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]


ABSENT = "absent"
PROXY_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
NAMES = (
    "SECURE_PROXY_SSL_HEADER",
    "SECURE_SSL_REDIRECT",
    "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
)
# address, trusted proxies -> NAMES
TRANSPORT: dict[str, tuple[str, str, tuple[Any, ...]]] = {
    "https": ("https://keeper.example.org", "0", (ABSENT, False, 31_536_000, True, True)),
    "https, proxies": (
        "https://keeper.example.org",
        "2",
        (PROXY_HEADER, True, 31_536_000, True, True),
    ),
    "http": ("http://127.0.0.1:8000", "0", (ABSENT, False, 0, False, False)),
    "http, proxies": ("http://127.0.0.1:8000", "1", (PROXY_HEADER, False, 0, False, False)),
}
ALWAYS = {
    "SESSION_COOKIE_HTTPONLY": True,
    "CSRF_COOKIE_HTTPONLY": True,
    "X_FRAME_OPTIONS": "DENY",
    "SECURE_REFERRER_POLICY": "same-origin",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": False,
    "SECURE_HSTS_PRELOAD": False,
    "SECURE_CONTENT_TYPE_NOSNIFF": ABSENT,  # Django's own: on
    "SECURE_CROSS_ORIGIN_OPENER_POLICY": ABSENT,  # Django's own: same-origin
    "SESSION_COOKIE_SAMESITE": ABSENT,  # Django's own: Lax
    "SESSION_COOKIE_DOMAIN": ABSENT,
    "CSRF_COOKIE_DOMAIN": ABSENT,
}


@pytest.mark.parametrize("case", TRANSPORT)
def test_settings_follow_the_address_and_the_proxies(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, proxies, expected = TRANSPORT[case]
    monkeypatch.setenv("LTD_PUBLIC_URL", address)
    monkeypatch.setenv("LTD_TRUSTED_PROXIES", proxies)
    monkeypatch.setenv("LTD_ALLOW_HTTP", "true")
    made = runpy.run_path("ltdkeeper/settings.py")
    assert tuple(made.get(name, ABSENT) for name in NAMES) == expected
    assert {name: made.get(name, ABSENT) for name in ALWAYS} == ALWAYS
    assert made["CSRF_TRUSTED_ORIGINS"] == [address]


def test_claim_of_https_is_believed_of_trusted_proxies_only(
    browser: Browser, settings: Any
) -> None:
    claimed = {"HTTP_X_FORWARDED_PROTO": "https"}
    assert "Strict-Transport-Security" not in browser.get("/admin/login/", **claimed)
    settings.SECURE_PROXY_SSL_HEADER = PROXY_HEADER
    assert "Strict-Transport-Security" in browser.get("/admin/login/", **claimed)
