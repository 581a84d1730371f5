"""Methods an address does not know: 405 with `Allow`, nothing happens. HEAD never issues."""

from dataclasses import replace

import pytest

from credentials.models import IssuedSession
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import Endpoint
from tests.http.rows import every_row

pytestmark = pytest.mark.django_db

KNOWN = {
    "/": {"GET", "HEAD", "OPTIONS"},
    "/token": {"GET", "DELETE", "OPTIONS"},
    "/credentials": {"GET", "OPTIONS"},
    "/products/": {"GET", "HEAD", "POST", "OPTIONS"},
    "/products/guide": {"GET", "HEAD", "OPTIONS"},
    "/products/guide/builds/": {"GET", "HEAD", "POST", "OPTIONS"},
    "/builds/{build}": {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"},
    "/builds/{build}/credentials": {"GET", "POST", "OPTIONS"},
    "/openapi.json": {"GET", "HEAD", "OPTIONS"},
    "/docs/": {"GET", "HEAD"},
    "/livez": {"GET", "HEAD", "OPTIONS"},
    "/readyz": {"GET", "HEAD", "OPTIONS"},
}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "COPY", "X"}
HIDDEN = ["HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE"]


def test_unknown_method_is_refused(refused: Refused) -> None:
    for path, known in KNOWN.items():
        body = {"git_refs": ["main"], "uploaded": True}
        for method in METHODS - known:
            unknown = Endpoint(method=method, path=path, body=body)
            response = refused(unknown, 405, "method_not_allowed")
            assert set(response["Allow"].split(", ")) == known, path


@pytest.mark.parametrize("path", ["/token", "/builds/{build}/credentials"])
def test_head_never_issues(path: str, send: Send, sts: FakeSts) -> None:
    before = every_row()
    response = send(Endpoint(method="HEAD", path=path))
    assert (response.status_code, response.content) == (405, b"")
    assert (sts.requests, every_row()) == ([], before)


def test_head_answers_as_get_without_a_body(send: Send) -> None:
    for path in (path for path, known in KNOWN.items() if "HEAD" in known):
        response = send(Endpoint(method="HEAD", path=path))
        assert (response.status_code, response.content) == (200, b""), path


def test_options_change_nothing(send: Send, sts: FakeSts) -> None:
    before = every_row()
    for path in (path for path, known in KNOWN.items() if "OPTIONS" in known):
        response = send(Endpoint(method="OPTIONS", path=path))
        assert response.status_code == 200, path
        assert set(response["Allow"].split(", ")) == KNOWN[path]
    assert (sts.requests, every_row()) == ([], before)


def test_method_cannot_be_hidden_in_a_header(send: Send) -> None:
    hidden = dict.fromkeys(HIDDEN, "DELETE")
    response = send(Endpoint(method="GET", path="/builds/{build}"), **hidden)
    assert (response.status_code, response.json()["state"]) == (200, "open")


def test_method_cannot_be_hidden_in_a_query(send: Send) -> None:
    build = Endpoint(method="GET", path="/builds/{build}")
    assert send(replace(build, path=f"{build.path}?_method=DELETE")).status_code == 400
    assert send(build).json()["state"] == "open"
    assert not IssuedSession.objects.exists()
