"""What anybody may ask for costs little, whatever is sent: made once, refused unread, cut short."""

import json
import re
from typing import Any

import pytest
from django.test import Client as Browser

from ltdkeeper.middleware import GuardedRequest
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    """As the server makes requests of it."""
    monkeypatch.setattr("django.test.client.WSGIRequest", GuardedRequest)
    return Browser(headers={"x-forwarded-proto": "https"})


def test_openapi_document_is_made_once(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    first = browser.get("/openapi.json")
    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", None)
    second = browser.get("/openapi.json?lang=de")
    assert json.loads(first.content)["openapi"].startswith("3.")
    assert (second.status_code, second.content) == (200, first.content)
    assert second["Content-Type"] == "application/vnd.oai.openapi+json"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_openapi_document_that_is_known_is_not_sent_again(form: str, browser: Browser) -> None:
    first = browser.get("/openapi.json")
    again = browser.get("/openapi.json", headers={"if-none-match": form.format(first["ETag"])})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert re.fullmatch(r'"[0-9a-f]{64}"', first["ETag"])
    assert first["Cache-Control"] == again["Cache-Control"] == "public, max-age=300"
    assert browser.get("/openapi.json", headers={"if-none-match": '"x"'}).status_code == 200


@pytest.mark.parametrize("path", ["/oidc/token", "/admin/login/", "/admin/"])
def test_body_that_would_be_read_from_anybody_is_small(path: str, browser: Browser) -> None:
    answer = browser.post(path, b" " * (64 * 1024 + 1), content_type="application/json")
    assert_problem(answer, 413, "body_too_large")
    assert "64 KB" in answer.json()["message"]


COOKIES = {
    "escapes": ('a="' + '\\"' * 9 + '"; csrftoken=good', {"csrftoken": "good"}),
    "NUL": ('sessionid="\\000\\000\\000\\000\\000\\000\\000\\000"; b=c', {"b": "c"}),
    "control character": ("sessionid=\0\0\0\0\0\0\0\0; b=c", {"b": "c"}),
    "quoted": ('a="b"; c=d', {"a": "b", "c": "d"}),
}


def test_cookie_with_escapes_is_none(browser: Browser) -> None:
    """Python 3.11.7 takes seconds for 60 KB of them."""
    for case, (header, read) in COOKIES.items():
        request = browser.get("/livez", headers={"cookie": header}).wsgi_request
        assert read == request.COOKIES, case
        assert browser.get("/admin/", headers={"cookie": header}).status_code == 302, case


TOO_LONG: dict[str, dict[str, Any]] = {
    "path": {"path": f"/{'%ff' * 2001}"},
    "content type": {"path": "/-", "content_type": "text/html" + ";" * 600},
}


@pytest.mark.parametrize("case", TOO_LONG)
def test_what_takes_long_to_read_is_not_read(case: str, browser: Browser) -> None:
    request = browser.generic("GET", **TOO_LONG[case]).wsgi_request
    assert (request.path, request.content_type) == ("/-", "")


def test_path_that_is_not_utf8_is_no_other_path(browser: Browser) -> None:
    for sent, read in {"/%e9": "/-", "/%25E9": "/%E9", "/%c3%a9": "/é"}.items():
        assert browser.get(sent).wsgi_request.path == read, sent


def test_wrong_host_leaves_no_traceback(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    assert browser.get("/", headers={"host": "other.example"}).status_code == 400
    assert [record.name for record in caplog.records] == ["ltdkeeper.request"]
