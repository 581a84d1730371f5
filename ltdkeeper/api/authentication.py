"""Who calls, and from where: the `Authorization` header -> a caller, and nothing else; no cookie.

The operators' addresses below `/sessions/` are the other way round: the admin's login counts
there, and no token does.
"""

import base64
import binascii
import re
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from credentials.access.callers import Caller, Origin, authenticate
from credentials.access.rights import authenticate_at_build
from credentials.access.throttling import Throttle, count_failure
from credentials.errors import InvalidCredentials, TooManyFailures
from credentials.rules.secret import Secret
from credentials.rules.tokens import public_name

REALM = 'Basic realm="ltdkeeper"'
UNREADABLE = "The Authorization header is neither Basic nor Bearer as RFC 7617 and 6750 say."


class TokenAuthentication(BaseAuthentication):
    """Basic `name:key`, Basic `token:` with an empty password, or Bearer.

    Without the header the request stays anonymous; with a wrong one it is 401, and 429 once
    there were too many of those from its address. Not where AWS SDKs come to refresh
    (`tells_to_wait=False`): they repeat a 429 whatever its Retry-After says.
    """

    def __init__(self, *, tells_to_wait: bool = True) -> None:
        self.tells_to_wait = tells_to_wait

    def authenticate(self, request: Request) -> tuple[Caller, Caller] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        try:
            caller = _caller_of(header, request)
        except AuthenticationFailed as err:
            too_many = too_many_failures(request)
            if too_many and self.tells_to_wait:
                raise too_many from err
            raise
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        return REALM


def too_many_failures(request: Request) -> TooManyFailures | None:
    """Count a request that failed to authenticate; what to tell it where there were too many."""
    seconds = count_failure(
        throttle=Throttle.TOKEN, address=caller_address(request), now=timezone.now()
    )
    return TooManyFailures(retry_after=seconds) if seconds else None


def presented_token(request: Request) -> Secret:
    """The token that an authenticated request showed, as it was sent."""
    return Secret(_read(request.META["HTTP_AUTHORIZATION"])[1])


def named_token(header: str) -> str:
    """The token that a header names, such as `ltdk_y8jw59d6g3it`; empty where there is none.

    Nobody has verified that the caller has its secret, nor that it exists.
    """
    try:
        return public_name(_read(header)[1])
    except AuthenticationFailed:
        return ""


def _caller_of(header: str, request: Request) -> Caller:
    """With the first look at the build that the address names, if it names one."""
    name, raw_token = _read(header)
    address, now = caller_address(request), timezone.now()
    shown: dict[str, Any] = {"raw_token": raw_token, "name": name, "address": address, "now": now}
    build_id = request.parser_context.get("kwargs", {}).get("build_id")
    try:
        if build_id is None:
            return authenticate(**shown)
        return authenticate_at_build(build_id=build_id, **shown)
    except InvalidCredentials as err:
        raise AuthenticationFailed(err.message) from err


def _read(header: str) -> tuple[str | None, str]:
    """The name (None where none was sent) and the token in a header."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return None, rest.strip()
    if scheme.lower() == "basic":
        return _read_basic(rest.strip())
    raise AuthenticationFailed(UNREADABLE)


def _read_basic(encoded: str) -> tuple[str | None, str]:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as err:
        raise AuthenticationFailed(UNREADABLE) from err
    return (user, password) if password else (None, user)


# Where a request came from.

# As some proxies write it, Azure's Application Gateway for one: 192.0.2.7:4711, [2001:db8::7]:4711.
ADDRESS_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):[0-9]+\Z", re.ASCII)


def origin_of(request: Request) -> Origin:
    """The origin of an API request."""
    return Origin(
        address=caller_address(request), agent=_printable(request.META.get("HTTP_USER_AGENT", ""))
    )


def caller_address(request: HttpRequest | Request) -> str:
    """The address that asked: the peer, or the hop that the trusted proxies put down.

    With `LTD_TRUSTED_PROXIES` = n, the n-th entry from the right of X-Forwarded-For was written
    by our outermost proxy; everything left of it is the caller's own invention.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not (hops := settings.LTD_TRUSTED_PROXIES):
        return peer
    forwarded = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    named = _printable(forwarded[-hops] if hops <= len(forwarded) else "")
    with_port = ADDRESS_AND_PORT.match(named)
    return (with_port and (with_port[1] or with_port[2])) or named or peer


def _printable(header: str) -> str:
    if header.isprintable():
        return header
    return "".join(character for character in header if character.isprintable())


# Who passes the door of the API. What a caller may do behind it, the services decide.


def caller_of(request: Request) -> Caller:
    """The caller of a request that passed `IsCaller`. Raises TypeError for any other."""
    if not isinstance(request.auth, Caller):
        raise TypeError("the request has no caller")
    return request.auth


def reader_of(request: Request) -> Caller | None:
    """Whose grants limit what a reading request sees; None where everybody may read."""
    return None if settings.LTD_PUBLIC_READS else caller_of(request)


class IsCaller(BasePermission):
    """Only with a token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Caller)


class IsCallerOrPublicRead(IsCaller):
    """The same, but reading is free where the operator chose `LTD_PUBLIC_READS`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        is_free = settings.LTD_PUBLIC_READS and request.method in {"GET", "HEAD", "OPTIONS"}
        return is_free or super().has_permission(request, view)


# Operators.


class OperatorAuthentication(SessionAuthentication):
    """The admin's session cookie; with Django's CSRF token, unless the request only reads."""

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        found = super().authenticate(request)
        if found is None:
            raise NotAuthenticated("For operators: log in at /admin/, no token counts here.")
        return found


class IsOperator(BasePermission):
    """Whoever the admin lets in, with the permission that the view names for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if (method := str(request.method)) not in view.permissions:
            raise MethodNotAllowed(method)
        let_in = admin.site.has_permission(request._request)  # noqa: SLF001 - as REST framework does
        return let_in and request.user.has_perm(view.permissions[method])
