"""What happens to every request before and after its view."""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, parse_cookie
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import cached_property
from django.utils.http import parse_header_parameters
from rest_framework.response import Response
from ulid import ULID

from builds.names import has_controls
from credentials.access.callers import Caller
from credentials.access.refusals import TOO_MANY_LOGINS, RefusedCall, refusals
from ltdkeeper.api.authentication import caller_address, named_token
from ltdkeeper.api.problems import problem_response

GetResponse = Callable[[HttpRequest], HttpResponse]

HEALTH_PATHS = {"/livez", "/readyz"}
# What people open in a browser.
PAGES = re.compile(r"/admin(/.*)?|/docs/", re.DOTALL)
# What knows who is logged in: pages, and the operators' part of the API.
WITH_USERS = re.compile(rf"{PAGES.pattern}|/sessions/.*", re.DOTALL)
REFUSED = {401, 403, 409, 429}
PRODUCT_ASKED_FOR = re.compile(r"(?:^|&)product=([a-z0-9-]{2,63})(?![^&])", re.ASCII)
LONGEST_PATH = 2000
LONGEST_CONTENT_TYPE = 500
NOWHERE = "/-"
# Below these, bodies are read before anybody has shown who they are; all others come later.
READ_AT_ONCE = ("/oidc/", "/admin/")
MAX_BYTES_AT_ONCE = 64 * 1024
# Bodies that go on to the store as they arrive.
UPLOADS = re.compile(r"/builds/[0-9]+/objects/", re.ASCII)
CONTENT_LENGTH = re.compile(r"[0-9]{1,18}\Z", re.ASCII)

log = structlog.get_logger("ltdkeeper.request")


class GuardedRequest(WSGIRequest):
    """A request that costs little and cannot fail before the first middleware sees it.

    Django reads path and `Content-Type` while it makes the request, in a time that grows with the
    square of a broken path's length or of the header's; so does Python with a cookie's escapes
    (CVE-2024-7592), by which a NUL would reach the database too. What is too long to be anything
    here counts as not sent, and so does a path that is not UTF-8: Django writes its broken bytes as
    `%E9`, so that one object would have two addresses.
    """

    def __init__(self, meta: dict[str, Any]) -> None:
        path = meta.get("PATH_INFO", "")
        if len(path) > LONGEST_PATH or not _is_utf8(path):
            meta["PATH_INFO"] = NOWHERE
        super().__init__(meta)

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        """Whatever charset is named, queries and forms are UTF-8: Python knows charsets that
        cannot decode text (`rot13`).
        """
        sent = meta.get("CONTENT_TYPE", "")
        try:
            read = parse_header_parameters(sent if len(sent) <= LONGEST_CONTENT_TYPE else "")
        except (ValueError, LookupError):
            read = "", {}
        if not read[0]:
            meta["CONTENT_TYPE"] = ""  # REST framework reads it again
        self.content_type, self.content_params = read

    @cached_property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]  # noqa: N802
        """None that is written with escapes: none of ours is."""
        cookies = self.META.get("HTTP_COOKIE", "").split(";")
        return parse_cookie(
            ";".join(cookie for cookie in cookies if not ("\\" in cookie or has_controls(cookie)))
        )


def _is_utf8(path: str) -> bool:
    """Of a path as WSGI has it: one character for each byte."""
    try:
        path.encode("latin-1").decode()
    except UnicodeError:
        return False
    return True


def count_refusal(request: HttpRequest, response: HttpResponse, address: str) -> None:
    """Count a refused call in memory: who named which token, and for which product or build."""
    match, sent = request.resolver_match, request.META
    names = match.kwargs if match else {}
    header, query = sent.get("HTTP_AUTHORIZATION"), sent.get("QUERY_STRING")
    call = RefusedCall(
        address,
        _reason(response),
        named_token(header) if header else "",
        names.get("slug") or (_product_asked_for(query) if query else ""),
        names.get("build_id"),
        isinstance(getattr(request, "auth", None), Caller),  # as REST framework sets it
    )
    refusals.add(call, now=timezone.now())


def _reason(response: HttpResponse) -> str:
    """The problem's code; pages of the admin have none."""
    if isinstance(response, Response):
        return str(response.data["code"])
    is_throttled = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    return TOO_MANY_LOGINS if is_throttled else "forbidden"


def _product_asked_for(query: str) -> str:
    """Of a query, without reading the rest of it, which may be anything."""
    found = PRODUCT_ASKED_FOR.search(query)
    return found[1] if found else ""


def request_log(get_response: GetResponse) -> GetResponse:
    """One line a request, and a count of those that are refused.

    The line is bound to an id that every other line of the request carries. The query string is
    left out: presigned addresses carry their signature there.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request_id = str(ULID()).lower()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        response = get_response(request)
        address = caller_address(request)
        if response.status_code in REFUSED:
            count_refusal(request, response, address)
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            milliseconds=round((time.monotonic() - started) * 1000, 1),
            address=address,
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


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """One policy for every response: `CONTENT_SECURITY_POLICY` of the settings."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = settings.CONTENT_SECURITY_POLICY
        return response

    return middleware


def body_limit(get_response: GetResponse) -> GetResponse:
    """Refuse bodies over a limit before reading them, and bodies that do not tell their length."""

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not CONTENT_LENGTH.match(length):
            return problem_response(
                status=400, code="bad_request", message="Content-Length is not a number."
            )
        is_upload = request.method == "PUT" and UPLOADS.match(request.path)
        if is_upload:
            limit = settings.LTD_PROXY_MAX_BYTES
        elif request.path.startswith(READ_AT_ONCE):
            limit = MAX_BYTES_AT_ONCE
        else:
            limit = settings.LTD_MAX_BODY_BYTES
        if int(length) > limit:
            return problem_response(
                status=413, code="body_too_large", message=f"The body is over {limit // 1024} KB."
            )
        is_unknown = is_upload and not request.META.get("CONTENT_LENGTH")
        if is_unknown or request.META.get("HTTP_TRANSFER_ENCODING"):
            return problem_response(
                status=411, code="length_required", message="Send the body with Content-Length."
            )
        return get_response(request)

    return middleware


class ForUsers(MiddlewareMixin):
    """Keeps a middleware away from the callers' API, which knows neither cookies nor users."""

    def __call__(self, request: HttpRequest) -> Any:
        if WITH_USERS.fullmatch(request.path):
            return super().__call__(request)
        return self.get_response(request)


class PageSessions(ForUsers, SessionMiddleware):
    """Django's sessions."""


class PageUsers(ForUsers, AuthenticationMiddleware):
    """The user of a session."""


class PageMessages(ForUsers, MessageMiddleware):
    """What the admin tells its user on the next page."""
