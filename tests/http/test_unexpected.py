"""A bug, or a database that is away: a bare 500 or a 503, nothing of the inside."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.http import Http404

from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import ENDPOINTS, ISSUE, READ_BUILD, Endpoint
from tests.http.problem import assert_problem
from tests.ltdkeeper.log_lines import log_at

pytestmark = pytest.mark.django_db

INSIDE = "inner words: arn:aws:iam::123456789012:user/vendor in /srv/ltdkeeper/db.sqlite3"
SERVICES = {
    "token": "ltdkeeper.api.tokens.start_access_token",
    "list products": "ltdkeeper.api.builds.PublicCursorPagination.paginate_queryset",
    "create product": "ltdkeeper.api.builds.create_granted_product",
    "read product": "ltdkeeper.api.builds.granted_product",
    "list builds": "ltdkeeper.api.builds.granted_product",
    "register build": "ltdkeeper.api.builds.register_owned_build",
    "read build": "ltdkeeper.api.builds.granted_build",
    "finish build": "ltdkeeper.api.builds.finish_owned_build",
    "delete build": "ltdkeeper.api.builds.delete_owned_build",
    "issue credentials": "ltdkeeper.api.credentials.issue_session",
    "refresh credentials": "ltdkeeper.api.credentials.serve_session",
    "refresh open build": "ltdkeeper.api.credentials.open_build",
}
BUGS = [ValueError, KeyError, MemoryError, IntegrityError]


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise error

    return fail


def test_bug_is_a_bare_500_and_a_database_that_is_away_comes_back(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, service in SERVICES.items():
        with monkeypatch.context() as patched:
            patched.setattr(service, failing(RuntimeError(INSIDE)))
            bug = refused(ENDPOINTS[name], 500, "internal_error")
            patched.setattr(service, failing(OperationalError(INSIDE)))
            away = refused(ENDPOINTS[name], 503, "database_unavailable")
            assert 1 <= int(away["Retry-After"]) <= 60, name
            assert b"inner words" not in bug.content + away.content, name


def test_bug_of_any_kind_is_a_bare_500(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in BUGS:
        monkeypatch.setattr(SERVICES["issue credentials"], failing(error(INSIDE)))
        response = refused(ISSUE, 500, "internal_error")
        assert "inner words" not in response.content.decode(), error


PLACES = [
    "ltdkeeper.middleware.caller_address",
    "ltdkeeper.api.wire.AlwaysJSON.select_renderer",
    "ltdkeeper.api.wire.OrjsonRenderer.render",
    "ltdkeeper.api.authentication.authenticate_at_build",
    "ltdkeeper.api.builds.render_build",
    "django.middleware.common.CommonMiddleware.process_request",
]


def test_bug_outside_a_service_is_a_bare_500(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in PLACES:
        with monkeypatch.context() as patched:
            patched.setattr(place, failing(RuntimeError(INSIDE)))
            response = send(READ_BUILD)
            assert_problem(response, 500, "internal_error")
            assert "inner words" not in response.content.decode(), place


def test_web_server_newer_than_its_database_says_to_come_back(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatabaseError) as missing, transaction.atomic():
        connection.cursor().execute("SELECT not_there_yet FROM builds_build")
    monkeypatch.setattr(SERVICES["issue credentials"], failing(missing.value))
    refused(ISSUE, 503, "database_unavailable")


def test_connection_that_broke_comes_back_too(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SERVICES["issue credentials"], failing(InterfaceError(INSIDE)))
    refused(ISSUE, 503, "database_unavailable")


OTHERS = {
    "Http404": (Http404(INSIDE), 404, "not_found"),
    "PermissionDenied": (PermissionDenied(INSIDE), 403, "forbidden"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_errors_of_the_framework_lose_their_text(
    case: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, status, code = OTHERS[case]
    monkeypatch.setattr(SERVICES["read build"], failing(error))
    assert "inner words" not in refused(READ_BUILD, status, code).content.decode()


def test_suspicious_request_is_malformed(
    send: Send, monkeypatch: pytest.MonkeyPatch, sts: FakeSts
) -> None:
    place = "django.middleware.common.CommonMiddleware.process_request"
    monkeypatch.setattr(place, failing(SuspiciousOperation(INSIDE)))
    assert_problem(send(ISSUE), 400, "bad_request")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_needs_no_key_and_no_name(path: str, send: Send) -> None:
    health = Endpoint(method="GET", path=path)
    for host in ("10.0.0.7:8000", "evil.example"):
        response = send(health, HTTP_AUTHORIZATION="", HTTP_HOST=host)
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_service_without_a_database_is_alive_but_not_ready(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "django.db.backends.utils.CursorWrapper.execute"
    monkeypatch.setattr(place, failing(OperationalError(INSIDE)))
    assert send(Endpoint(method="GET", path="/livez")).status_code == 200
    response = send(Endpoint(method="GET", path="/readyz"))
    assert response.status_code == 503
    assert "inner words" not in response.content.decode()


@pytest.mark.parametrize("how", ["store", "bug"])
def test_failure_is_one_line_of_an_error_that_names_it(
    how: str, send: Send, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "bug":
        monkeypatch.setattr(SERVICES["issue credentials"], failing(RuntimeError(INSIDE)))
    sts.fail_with("NoSuchEntity", status=404)
    status, code = (500, "internal_error") if how == "bug" else (502, "role_missing")
    with log_at("INFO") as lines:
        assert_problem(send(ISSUE), status, code)
        [error] = [line for line in lines() if line["level"] in {"error", "critical"}]
    assert (error["event"], error["status"]) == ("request_failed", status)
    assert how == "bug" or error["code"] == code
