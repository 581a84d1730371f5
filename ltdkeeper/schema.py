"""The OpenAPI document: every operation's refusals beside its answers."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class ProblemSerializer(serializers.Serializer[Any]):
    """An `application/problem+json` answer (RFC 9457)."""

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
    """Adds the problem document as the answer to everything that goes wrong."""

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(ProblemSerializer, direction)
        content = {"application/problem+json": {"schema": problem.ref}}
        bodies["default"] = {"description": "A problem.", "content": content}
        return bodies


class TokenAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Basic (`name:key`, or `token:` with an empty password) and Bearer."""

    target_class = "credentials.access.authentication.TokenAuthentication"
    match_subclasses = True
    name = ["basic", "bearer"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [{"type": "http", "scheme": "basic"}, {"type": "http", "scheme": "bearer"}]
