"""`GET /token?format=...`: the query, and the job token as JSON."""

from datetime import UTC
from typing import Any

from rest_framework import serializers

from builds.slugs import PRODUCT_SLUG_LENGTH
from credentials.handout.facts import StepDelivery
from credentials.handout.handing import JobHandout
from ltdkeeper.wire import StrictCharField, StrictListField

PRODUCTS_AT_ONCE = 20
ENV, GITHUB, JSON = FORMATS = ("env", "github", "json")


class HandoutRequestSerializer(serializers.Serializer[Any]):
    """What to hand out: `product` may be repeated; `format` chooses the answer's form."""

    format = serializers.ChoiceField(choices=FORMATS, required=False)
    product = StrictListField(
        child=StrictCharField(max_length=PRODUCT_SLUG_LENGTH),
        limit=PRODUCTS_AT_ONCE,
        required=False,
        default=list,
        help_text="Repeat it for several; the first leads.",
    )
    delivery = serializers.ChoiceField(
        choices=[delivery.value for delivery in StepDelivery], default=StepDelivery.PROCESS.value
    )
    expires_in = serializers.IntegerField(required=False, default=None, help_text="Seconds.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A limit that would be ignored must not look as if it held."""
        if "format" not in attrs and (attrs["product"] or attrs["expires_in"] is not None):
            raise serializers.ValidationError({"format": [f"One of {', '.join(FORMATS)}."]})
        return attrs


class JobTokenSerializer(serializers.Serializer[Any]):
    """A job token."""

    token = serializers.CharField()
    expires_at = serializers.DateTimeField()
    products = serializers.ListField(child=serializers.CharField())


def render_job_token(handout: JobHandout) -> dict[str, Any]:
    """The answer, with the token's text."""
    expires_at = handout.job_token.expires_at.astimezone(UTC)
    return {
        "token": handout.text.reveal(),
        "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "products": [product.slug for product in handout.products],
    }
