"""Requests for job tokens, and their answer."""

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credentials.handout.serializers import FORMATS, JSON, DeliverySerializer
from credentials.secret import Secret
from ltdkeeper.wire import KnownFieldsOnly, StrictCharField, StrictIntegerField, StrictListField

MAX_PRODUCTS = 100


@extend_schema_field(OpenApiTypes.STR)
class IdentityTokenField(serializers.Field[Any, Any, Any, Any]):
    """Text, which is not looked at here: it may be long, and it is a secret."""

    default_error_messages: ClassVar[dict[str, Any]] = {"not_text": "Must be text."}

    def to_internal_value(self, data: Any) -> Secret:
        if not isinstance(data, str):
            self.fail("not_text")
        return Secret(data.strip())


class IdentityTokenSerializer(KnownFieldsOnly, DeliverySerializer):
    """`POST /oidc/token`."""

    token = IdentityTokenField(help_text="What the CI provider signed for this job.")
    products = StrictListField(
        limit=MAX_PRODUCTS,
        child=StrictCharField(max_length=63),
        required=False,
        allow_null=True,
        default=None,
        allow_empty=False,
        help_text="Slugs. Left out: all that the job may have.",
    )
    expires_in = StrictIntegerField(
        required=False, allow_null=True, default=None, help_text="Seconds, 300 to 43200."
    )
    format = serializers.ChoiceField(choices=FORMATS, default=JSON)


class AudienceSerializer(serializers.Serializer[Any]):
    """`GET /oidc/audience`."""

    audience = serializers.CharField()
