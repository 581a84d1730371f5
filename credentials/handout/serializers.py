"""`GET /token?format=...`: the query, and the job token as JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from builds.slugs import PRODUCT_SLUG_LENGTH
from credentials.access.jobs import LONGEST_SECONDS, SHORTEST_SECONDS, MintedToken
from credentials.handout.facts import StepDelivery
from ltdkeeper.wire import StrictCharField, StrictListField, public_url, refuse_unknown

PRODUCTS_AT_ONCE = 20
ENV, GITHUB, JSON = FORMATS = ("env", "github", "json")


@extend_schema_field({"type": "integer", "minimum": SHORTEST_SECONDS, "maximum": LONGEST_SECONDS})
class Seconds(serializers.IntegerField):
    """The life of a job token; the service that makes it judges it."""


class DeliverySerializer(serializers.Serializer[Any]):
    """How the SDKs of a step come for credentials."""

    delivery = serializers.ChoiceField(
        choices=[delivery.value for delivery in StepDelivery], default=StepDelivery.PROCESS.value
    )


class HandoutRequestSerializer(DeliverySerializer):
    """What to hand out: `product` may be repeated; `format` chooses the answer's form."""

    format = serializers.ChoiceField(choices=FORMATS, required=False)
    product = StrictListField(
        child=StrictCharField(max_length=PRODUCT_SLUG_LENGTH),
        limit=PRODUCTS_AT_ONCE,
        required=False,
        default=list,
        help_text="Repeat it for several; the first leads.",
    )
    expires_in = Seconds(required=False, default=None, help_text="Seconds.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A limit that would be ignored must not look as if it held. Without a format, LTD clients
        may add what they like.
        """
        if "format" in attrs:
            refuse_unknown(self.initial_data, self.fields)
        if "format" not in attrs and (attrs["product"] or attrs["expires_in"] is not None):
            raise serializers.ValidationError({"format": [f"One of {', '.join(FORMATS)}."]})
        return attrs


class JobTokenSerializer(serializers.Serializer[Any]):
    """A job token, and what an uploader needs to use it."""

    token = serializers.CharField()
    expires_at = serializers.DateTimeField()
    products = serializers.ListField(child=serializers.CharField())
    host = serializers.CharField()
    username = serializers.CharField(help_text="The client's name, for HTTP Basic.")


def render_job_token(minted: MintedToken) -> dict[str, Any]:
    """The answer, with the token's text."""
    answer = {
        "token": minted.text.reveal(),
        "expires_at": minted.row.expires_at,
        "products": [product.slug for product in minted.products],
        "host": public_url(""),
        "username": minted.row.client.name,
    }
    return dict(JobTokenSerializer(answer).data)
