"""How requests are read and responses written: strict JSON in, JSON out, absolute addresses.

The strict fields exist because DRF's own accept numbers where text belongs and the other way
round, and such a value may become part of an object key.
"""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

import orjson
from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from builds.names import has_controls

# The headers of answers that hold credentials, or what was signed with them.
NEVER_STORED = {"Cache-Control": "no-store", "Vary": "Authorization"}
# A member that may be left out, or be null.
OPTIONAL: dict[str, Any] = {"required": False, "allow_null": True, "default": None}


def in_json(pattern: str) -> str:
    """A pattern as JSON Schema writes it, in which `$` is the end and nothing else."""
    return pattern.replace(r"\Z", "$")


def public_url(path: str) -> str:
    """The absolute address of a path of this service, from `LTD_PUBLIC_URL` alone."""
    return f"{settings.LTD_PUBLIC_URL}{path}"


def moment(time: datetime | None) -> str | None:
    """ISO 8601 in UTC, ending in Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else None


def valid(serializer_class: type[serializers.Serializer[Any]], sent: Any) -> dict[str, Any]:
    """What was sent, as a serializer reads it. Raises ValidationError."""
    serializer = serializer_class(data=sent)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def valid_body(
    serializer_class: type[serializers.Serializer[Any]], request: Request
) -> dict[str, Any]:
    """The body, as a serializer reads it. What has a body has no query. Raises ValidationError."""
    refuse_unknown(request.query_params, ())
    return valid(serializer_class, request.data)


def accepts(request: Request, media_type: str) -> bool:
    """Whether the request's `Accept` header names a media type itself; `*/*` does not."""
    named = str(request.META.get("HTTP_ACCEPT", "")).lower().split(",")
    return media_type in {one.partition(";")[0].strip() for one in named}


# A whole number in a query, which every database can hold.
ID = re.compile(r"[0-9]{1,18}\Z", re.ASCII)


class StrictJSONParser(BaseParser):
    """RFC 8259 JSON: no NaN, no lone surrogates, no recursion to exhaust."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return orjson.loads(stream.read())
        except orjson.JSONDecodeError as err:
            raise ParseError(f"The body is not JSON: {err}") from err


class OrjsonRenderer(BaseRenderer):
    """The only renderer of the API; the response's media type is set by the view or the problem."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> bytes:
        return (
            b"" if data is None else orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS)
        )


class AlwaysJSON(BaseContentNegotiation):
    """No `Accept` header meets a 406 here: LTD clients send a media type of their own."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        sent = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class PublicCursorPagination(CursorPagination):
    """Newest first, in constant time whatever the table's size; links use the public address."""

    page_size = 100
    max_page_size = 1000
    page_size_query_param = "page_size"
    ordering = "-id"

    def __init__(self, *, other_params: Collection[str] = ()) -> None:
        self.other_params = other_params

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        known = {self.cursor_query_param, self.page_size_query_param, *self.other_params}
        refuse_unknown(request.query_params, known)
        page: Any = super().paginate_queryset(queryset, request, view)
        self.base_url = public_url(request.get_full_path())
        return page

    def get_page_size(self, request: Request) -> int:
        """Raises ValidationError for a size that would not be heeded."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not ID.match(asked) or not 1 <= int(asked) <= self.max_page_size:
            sentence = f"1 to {self.max_page_size}, or leave it out for {self.page_size}."
            raise serializers.ValidationError({self.page_size_query_param: [sentence]})
        return int(asked)

    def decode_cursor(self, request: Request) -> Any:
        cursor: Any = super().decode_cursor(request)
        if cursor and cursor.position is not None and not ID.match(cursor.position):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def links(self) -> dict[str, str | None]:
        """Addresses of the neighbouring pages, None at an end."""
        return {"next": self.get_next_link(), "previous": self.get_previous_link()}


class SearchPagination(PublicCursorPagination):
    """Pages of what matches among many rows, in constant time too: each looks at so many rows and
    no more. So it may hold less than a page, or nothing, where more follows. It leads forward only.
    """

    LOOKED_AT = 10_000

    def __init__(self, *, among: QuerySet[Any], other_params: Collection[str]) -> None:
        super().__init__(other_params=other_params)
        self.among = among
        self.last: int | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        cursor, rows = self.decode_cursor(request), self.among.order_by(self.ordering)
        if cursor and cursor.position is not None:
            rows = rows.filter(pk__lt=cursor.position)
        keys = rows.values_list("pk", flat=True)
        self.last = keys[self.LOOKED_AT - 1 : self.LOOKED_AT].first()
        if self.last is not None:
            queryset = queryset.filter(pk__gte=self.last)
        return super().paginate_queryset(queryset, request, view)

    def links(self) -> dict[str, str | None]:
        """The address of the next page, None where all rows were looked at."""
        following = self.get_next_link()
        if following is None and self.last is not None:
            following = self.encode_cursor(Cursor(offset=0, reverse=False, position=self.last))
        return {"next": following, "previous": None}

    def decode_cursor(self, request: Request) -> Any:
        cursor = super().decode_cursor(request)
        if cursor and cursor.reverse:
            raise NotFound(self.invalid_cursor_message)
        return cursor


class StrictCharField(serializers.CharField):
    """Text only: no number, no list, no control character."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_text": "Must be text.",
        "unprintable": "Must not contain control characters.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        if has_controls(data):
            self.fail("unprintable")
        return str(super().to_internal_value(data))


@extend_schema_field(str)
class TextField(serializers.Field[Any, Any, Any, Any]):
    """JSON text as it is. What is wrong with it is said where its meaning is known."""

    default_error_messages: ClassVar[dict[str, Any]] = {"not_text": "Must be text."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("not_text")
        return data

    def to_representation(self, value: str) -> str:
        return value


class StrictListField(serializers.ListField):
    """A list that is refused for its length before its members are looked at."""

    default_error_messages: ClassVar[dict[str, Any]] = {"too_long": "At most {limit} members."}

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        self.limit = limit
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > self.limit:
            self.fail("too_long", limit=self.limit)
        return list(super().to_internal_value(data))


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: not text, not true, not 1.0."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class StrictBooleanField(serializers.BooleanField):
    """JSON true or false, nothing else."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class KnownFieldsOnly(serializers.Serializer[Any]):
    """Refuses members it does not know, so that a misspelt option is not silently ignored."""

    @property
    def fields(self) -> Any:
        """Those of one instance for all: REST framework copies them for each, which costs more
        than what they do.
        """
        return _fields_of(type(self))

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        refuse_unknown(data, self.fields)
        return value


@cache
def _fields_of(serializer_class: type[KnownFieldsOnly]) -> Any:
    return super(KnownFieldsOnly, serializer_class()).fields


def refuse_unknown(sent: Iterable[str], known: Collection[str]) -> None:
    """Raises ValidationError for the first name that is not known."""
    if unknown := sorted(name for name in sent if name not in known):
        raise serializers.ValidationError({unknown[0]: ["Unknown field."]})


class OpenToAll:
    """For views that need no token, and look at none."""

    authentication_classes: Any = ()
    permission_classes: Any = (AllowAny,)


class NeverStored:
    """For views whose responses hold secrets: no cache may store one."""

    cache_headers: ClassVar[dict[str, str]] = NEVER_STORED

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)  # type: ignore[misc]
        for name, value in self.cache_headers.items():
            response[name] = value
        return response
