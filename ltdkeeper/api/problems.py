"""Every error response: `application/problem+json` (RFC 9457).

Besides the standard fields each problem has a stable `code`, and `message`, which older LTD
clients read. The one place where exceptions become responses is `exception_handler`.
"""

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from builds.errors import DomainError
from ltdkeeper.databases import is_not_migrated

MEDIA_TYPE = "application/problem+json"
DATABASE_RETRY_SECONDS = 2
FAILED = "The service failed. Its operators can find the reason in the log."

log = structlog.get_logger(__name__)

CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ParseError: "malformed_json",
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.AuthenticationFailed: "invalid_credentials",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
}


def problem(*, status: int, code: str, message: str, **extra: Any) -> dict[str, Any]:
    return {
        "type": f"urn:ltdkeeper:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": message,
        "message": message,
        **extra,
    }


def problem_response(*, status: int, code: str, message: str) -> HttpResponse:
    """A problem as a plain Django response, for what fails outside a view."""
    body = orjson.dumps(problem(status=status, code=code, message=message))
    return HttpResponse(body, status=status, content_type=MEDIA_TYPE)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Render any exception of an API view; a bug is logged whole and told as a bare 500."""
    set_rollback()
    response = _render(exc)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _report(exc, response.status_code, context)
        # Or Django says it again in a line of its own.
        response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def _render(exc: Exception) -> Response:
    if isinstance(exc, DomainError):
        return _response(exc.status, exc.code, exc.message, retry_after=exc.retry_after)
    if isinstance(exc, OperationalError | InterfaceError) or is_not_migrated(exc):
        message = "The database is busy or unavailable. Nothing was issued; try again shortly."
        return _response(503, "database_unavailable", message, retry_after=DATABASE_RETRY_SECONDS)
    if isinstance(exc, BadRequest | SuspiciousOperation | UnreadablePostError):
        return _response(400, "bad_request", _malformed(exc))
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.ValidationError):
        message = "The request is not valid: " + _first_error(exc.detail)
        return _response(400, "invalid_request", message, errors=exc.detail)
    if isinstance(exc, exceptions.APIException):
        return _api_exception(exc)
    return _response(500, "internal_error", FAILED)


def _api_exception(exc: exceptions.APIException) -> Response:
    code = CODES.get(type(exc), "request_refused")
    detail = str(exc.detail)
    if isinstance(exc, exceptions.UnsupportedMediaType):
        detail = "Bodies are JSON: send this one with Content-Type: application/json."
    response = _response(exc.status_code, code, detail)
    if header := getattr(exc, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def _response(
    status: int, code: str, message: str, *, retry_after: int | None = None, **extra: Any
) -> Response:
    body = problem(status=status, code=code, message=message, **extra)
    response = Response(body, status=status, content_type=MEDIA_TYPE)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def _first_error(detail: Any, path: str = "") -> str:
    """The first message of DRF's nested error detail, led by the field's name."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        field = "" if name == "non_field_errors" else str(name)
        return _first_error(inner, f"{path}.{field}" if path and field else path or field)
    if isinstance(detail, list):
        return _first_error(next((item for item in detail if item), ""), path)
    return f"{path}: {detail}" if path else str(detail)


def _report(exc: Exception, status: int, context: dict[str, Any]) -> None:
    is_bug = status == HTTPStatus.INTERNAL_SERVER_ERROR
    code = getattr(exc, "code", None)
    log.error(
        "request_failed",
        status=status,
        code=code,
        exc_info=exc if is_bug else None,
        error=repr(exc),
    )
    if is_bug:
        got_request_exception.send(sender=None, request=context.get("request"))
        if settings.DEBUG_PROPAGATE_EXCEPTIONS:
            raise exc


def bad_request(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: wrong Host header and other suspicious requests."""
    return problem_response(status=400, code="bad_request", message=_malformed(exception))


def _malformed(exc: Exception) -> str:
    """What is wrong with a request that Django itself refuses."""
    if isinstance(exc, DisallowedHost):
        return (
            "This service is not known by the name in the Host header. Use "
            f"{settings.LTD_PUBLIC_URL}; its operators can add names to LTD_ALLOWED_HOSTS."
        )
    if isinstance(exc, TooManyFieldsSent):
        return f"The query or form has over {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} fields."
    if isinstance(exc, UnreadablePostError):
        return "The body ended before its Content-Length was reached."
    return "The request is malformed."


def not_found(_request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Django's handler404: what no pattern matches, such as `OPTIONS *`."""
    return problem_response(
        status=404, code="not_found", message="There is nothing at this address."
    )


def server_error(_request: HttpRequest) -> HttpResponse:
    """Django's handler500: what failed outside every view."""
    return problem_response(status=500, code="internal_error", message=FAILED)
