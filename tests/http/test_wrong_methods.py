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
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "COPY", "X"]
WRONG = [
    (path, method) for path, known in KNOWN.items() for method in METHODS if method not in known
]
HIDDEN = ["HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE"]


@pytest.mark.parametrize(("path", "method"), WRONG, ids=[f"{m} {p}" for p, m in WRONG])
def test_unknown_method_is_refused(path: str, method: str, refused: Refused) -> None:
    body = {"git_refs": ["main"], "uploaded": True}
    response = refused(Endpoint(method=method, path=path, body=body), 405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) == KNOWN[path]


@pytest.mark.parametrize("path", ["/token", "/builds/{build}/credentials"])
def test_head_never_issues(path: str, send: Send, sts: FakeSts) -> None:
    before = every_row()
    response = send(Endpoint(method="HEAD", path=path))
    assert (response.status_code, response.content) == (405, b"")
    assert (sts.requests, every_row()) == ([], before)


@pytest.mark.parametrize("path", [path for path, known in KNOWN.items() if "HEAD" in known])
def test_head_answers_as_get_without_a_body(path: str, send: Send) -> None:
    response = send(Endpoint(method="HEAD", path=path))
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("path", [path for path, known in KNOWN.items() if "OPTIONS" in known])
def test_options_change_nothing(path: str, send: Send, sts: FakeSts) -> None:
    before = every_row()
    response = send(Endpoint(method="OPTIONS", path=path))
    assert response.status_code == 200
    assert set(response["Allow"].split(", ")) == KNOWN[path]
    assert (sts.requests, every_row()) == ([], before)


@pytest.mark.parametrize("header", HIDDEN)
def test_method_cannot_be_hidden_in_a_header(header: str, send: Send) -> None:
    response = send(Endpoint(method="GET", path="/builds/{build}"), **{header: "DELETE"})
    assert (response.status_code, response.json()["state"]) == (200, "open")


def test_method_cannot_be_hidden_in_a_query(send: Send) -> None:
    build = Endpoint(method="GET", path="/builds/{build}")
    assert send(replace(build, path=f"{build.path}?_method=DELETE")).status_code == 400
    assert send(build).json()["state"] == "open"
    assert not IssuedSession.objects.exists()
