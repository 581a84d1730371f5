"""The `Authorization` header -> a caller. Nothing else authenticates the API: no cookie does."""

import base64
import binascii

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from credentials.access.callers import Caller, authenticate
from credentials.errors import InvalidCredentials
from credentials.secret import Secret
from ltdkeeper.origins import caller_address

REALM = 'Basic realm="ltdkeeper"'
UNREADABLE = "The Authorization header is neither Basic nor Bearer as RFC 7617 and 6750 say."


class TokenAuthentication(BaseAuthentication):
    """Basic `name:key`, Basic `token:` with an empty password, or Bearer.

    Without the header the request stays anonymous; with a wrong one it is 401.
    """

    def authenticate(self, request: Request) -> tuple[Caller, Caller] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        name, raw_token = _read(header)
        try:
            caller = authenticate(
                raw_token=raw_token,
                name=name,
                address=caller_address(request),
                now=timezone.now(),
            )
        except InvalidCredentials as err:
            raise AuthenticationFailed(err.message) from err
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        return REALM


def shown_token(request: Request) -> Secret:
    """The token that an authenticated request showed, as it was sent."""
    return Secret(_read(request.META["HTTP_AUTHORIZATION"])[1])


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
