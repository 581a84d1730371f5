"""What happens to every request before and after its view."""

import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ulid import ULID

from ltdkeeper.origins import caller_address
from ltdkeeper.problems import problem_response

GetResponse = Callable[[HttpRequest], HttpResponse]

HEALTH_PATHS = {"/livez", "/readyz"}
# What people open in a browser.
PAGES = re.compile(r"/admin(/.*)?|/docs/", re.DOTALL)

log = structlog.get_logger("ltdkeeper.request")


def request_log(get_response: GetResponse) -> GetResponse:
    """One line a request, bound to an id that every other line of the request carries.

    The query string is left out: presigned addresses carry their signature there.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request_id = str(ULID()).lower()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        response = get_response(request)
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            milliseconds=round((time.monotonic() - started) * 1000, 1),
            address=caller_address(request),
        )
        response["X-Request-ID"] = request_id
        structlog.contextvars.clear_contextvars()
        return response

    return middleware


def health_by_any_name(get_response: GetResponse) -> GetResponse:
    """Platforms ask for health by address: the Host header does not matter there."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path in HEALTH_PATHS:
            request.META["HTTP_HOST"] = urlsplit(settings.LTD_PUBLIC_URL).netloc
        return get_response(request)

    return middleware


def https_only(get_response: GetResponse) -> GetResponse:
    """Refuse plain http to all but pages, which Django's SecurityMiddleware redirects.

    To `curl -f` a redirect is a success with an empty body. Nothing of the request is read, its
    credentials neither.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if not settings.SECURE_SSL_REDIRECT or request.is_secure() or _may_be_http(request):
            return get_response(request)
        return problem_response(
            status=400,
            code="https_required",
            message=(
                f"This request came over plain http: use {settings.LTD_PUBLIC_URL}. "
                "Replace any key or token that it carried, since it could be read on the way."
            ),
        )

    return middleware


def _may_be_http(request: HttpRequest) -> bool:
    """Health, for platforms, and what a browser asks for and is then redirected."""
    is_page = request.method in {"GET", "HEAD"} and PAGES.fullmatch(request.path)
    return bool(is_page) or request.path in HEALTH_PATHS


def body_limit(get_response: GetResponse) -> GetResponse:
    """Refuse bodies over 1 MB before reading them, and bodies that do not tell their length."""

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            return problem_response(
                status=400, code="bad_request", message="Content-Length is not a number."
            )
        if int(length) > settings.LTD_MAX_BODY_BYTES:
            return problem_response(
                status=413, code="body_too_large", message="The body is over 1 MB."
            )
        if request.META.get("HTTP_TRANSFER_ENCODING"):
            return problem_response(
                status=411, code="length_required", message="Send the body with Content-Length."
            )
        return get_response(request)

    return middleware
