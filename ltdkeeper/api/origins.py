"""Where a request came from."""

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from credentials.access.callers import Origin


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
    return _printable(forwarded[-hops] if hops <= len(forwarded) else "") or peer


def _printable(header: str) -> str:
    if header.isprintable():
        return header
    return "".join(character for character in header if character.isprintable())
