"""Who passes the door of the API. What a caller may do behind it, the services decide."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from credentials.access.callers import Caller


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
