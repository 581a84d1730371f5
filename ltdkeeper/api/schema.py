"""The OpenAPI document: every operation's refusals beside its responses."""

import hashlib
import threading
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.utils.http import quote_etag
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from builds.names import PRODUCT_SLUG_LENGTH, PRODUCT_SLUG_PATTERN
from credentials.rules.object_names import MAX_KEY_BYTES
from ltdkeeper.api.wire import OpenToAll, in_json

TAGS = ("builds", "credentials", "oidc", "products", "sessions", "token")
MEDIA_TYPE = "application/vnd.oai.openapi+json"
# A ULID in lower case.
LEDGER_ID = "^[0-7][0-9a-hjkmnp-tv-z]{25}$"

PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "slug": {"pattern": in_json(PRODUCT_SLUG_PATTERN), "maxLength": PRODUCT_SLUG_LENGTH},
    "build_id": {"minimum": 1},
    "key": {"minLength": 1, "maxLength": MAX_KEY_BYTES},
    "ledger_id": {"pattern": LEDGER_ID, "maxLength": 26},
}

_making = threading.Lock()


class ProblemSerializer(serializers.Serializer[Any]):
    """An `application/problem+json` response (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable; match on this.")
    detail = serializers.CharField(help_text="One sentence on what to do.")
    message = serializers.CharField(help_text="The same as detail, for older LTD clients.")
    errors = serializers.JSONField(  # type: ignore[assignment]
        required=False, help_text="Messages by field, for 400."
    )


class ProblemAwareSchema(AutoSchema):
    """Adds the problem document as the response to everything that goes wrong."""

    def get_summary(self) -> str:
        return str(self.get_operation_id()).replace("_", " ").capitalize()

    def get_tags(self) -> list[str]:
        """The first part of the path; `service` for what is about the service itself."""
        first = self.path.strip("/").partition("/")[0]
        return [first if first in TAGS else "service"]

    def _resolve_path_parameters(self, variables: Any) -> list[Any]:
        """With the bounds that the addresses have: others get 404."""
        parameters = super()._resolve_path_parameters(variables)  # type: ignore[no-untyped-call]
        for parameter in parameters:
            parameter["schema"] |= PATH_PARAMETERS[parameter["name"]]
        return list(parameters)

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(ProblemSerializer, direction)
        content = {"application/problem+json": {"schema": problem.ref}}
        bodies["default"] = {"description": "A problem.", "content": content}
        return bodies


class TokenAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Basic (`name:key`, or `token:` with an empty password) and Bearer."""

    target_class = "ltdkeeper.api.authentication.TokenAuthentication"
    match_subclasses = True
    name = ["basic", "bearer"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Either of them: each is a requirement of its own."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [{"type": "http", "scheme": "basic"}, {"type": "http", "scheme": "bearer"}]


class OperatorAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The admin's session cookie. What changes something needs the CSRF token beside it."""

    target_class = "ltdkeeper.api.authentication.OperatorAuthentication"
    name = "operator"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class OpenApiView(OpenToAll, APIView):
    """`GET /openapi.json`: made once per process, since making it takes a fifth of a second."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        document, tag = openapi_document()
        headers = {"Cache-Control": "public, max-age=300", "ETag": tag}
        if tag in request.META.get("HTTP_IF_NONE_MATCH", ""):
            return HttpResponse(status=304, headers=headers)
        return HttpResponse(document, content_type=MEDIA_TYPE, headers=headers)


def openapi_document() -> tuple[bytes, str]:
    """The document and its ETag, the same as long as the process lives."""
    with _making:  # the cache alone lets those that come at once make one each
        return _made()


@cache
def _made() -> tuple[bytes, str]:
    document = orjson.dumps(made_document(), option=orjson.OPT_NON_STR_KEYS)
    return document, quote_etag(hashlib.sha256(document).hexdigest())


def made_document() -> Any:
    """The document, made anew."""
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
