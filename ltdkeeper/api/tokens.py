"""Tokens over HTTP: access tokens and job tokens."""

import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.names import PRODUCT_SLUG_LENGTH
from credentials import errors
from credentials.access.clients import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    MintedToken,
    get_or_create_job_token,
    revoke_token,
    start_access_token,
    step_of,
)
from credentials.access.publishers import mint_job_token
from credentials.job_environment.scripts import github_lines, shell_lines
from credentials.job_environment.variables import StepDelivery
from credentials.rules.secret import Secret
from ltdkeeper.api.authentication import caller_of, presented_token, too_many_failures
from ltdkeeper.api.wire import (
    OPTIONAL,
    KnownFieldsOnly,
    NeverStored,
    OpenToAll,
    StrictCharField,
    StrictIntegerField,
    StrictListField,
    TextField,
    public_url,
    refuse_unknown,
    valid,
    valid_body,
)

# `GET /token?format=...`: the query, and the job token as JSON.

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


class JobTokenRequestSerializer(DeliverySerializer):
    """What is requested: `product` may be repeated; `format` chooses the response's form."""

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
    answer = {
        "token": minted.text.reveal(),
        "expires_at": minted.row.expires_at,
        "products": [product.slug for product in minted.products],
        "host": public_url(""),
        "username": minted.row.client.name,
    }
    return dict(JobTokenSerializer(answer).data)


# A job token as an answer: lines for a shell, or JSON.

PLAIN_TEXT = "text/plain; charset=utf-8"
BOUNDARY_BYTES = 16
# For the OpenAPI document.
JOB_TOKEN_RESPONSES: dict[Any, Any] = {
    (200, "application/json"): JobTokenSerializer,
    (200, "text/plain"): OpenApiTypes.STR,
}


def job_token_response(
    minted: MintedToken, *, form: str, delivery: StepDelivery
) -> HttpResponseBase:
    """The response in a form: `env`, `github` or `json`. Raises as `step_of` does."""
    if form == JSON:
        return Response(render_job_token(minted))
    step = step_of(minted, host=public_url(""), delivery=delivery)
    if form == ENV:
        return HttpResponse(shell_lines(step), content_type=PLAIN_TEXT)
    boundary = f"ltd_{secrets.token_hex(BOUNDARY_BYTES)}"
    return HttpResponse(github_lines(step, boundary=boundary), content_type=PLAIN_TEXT)


class TokenSerializer(serializers.Serializer[Any]):
    """`GET /token`."""

    token = serializers.CharField()


class TokenView(NeverStored, APIView):
    """An access token: as good as the key that was shown, for some hours. Or a job token."""

    http_method_names = ["get", "delete", "options"]

    @extend_schema(
        operation_id="start_token",
        parameters=[JobTokenRequestSerializer],
        responses={
            (200, "application/json"): TokenSerializer,
            (200, "text/plain"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """With a format: a job token for some products, and what one CI step needs around it.

        The response to a token is itself: LTD clients ask before every call.
        """
        # As a plain dict: what a variable that is not set left empty is refused.
        sent = request.query_params
        query = valid(
            JobTokenRequestSerializer, {**sent.dict(), "product": sent.getlist("product")}
        )
        if form := query.get("format"):
            return self.job_token(request, form, query)
        caller = caller_of(request)
        if caller.job_token or caller.access_token:
            return Response({"token": presented_token(request).reveal()})
        token = start_access_token(caller=caller, now=timezone.now())
        return Response({"token": token.reveal()})

    def job_token(self, request: Request, form: str, asked: dict[str, Any]) -> HttpResponseBase:
        minted = get_or_create_job_token(
            caller=caller_of(request),
            presented_token=presented_token(request),
            product_slugs=asked["product"],
            life_seconds=asked["expires_in"],
            for_a_step=form != JSON,
            now=timezone.now(),
        )
        return job_token_response(minted, form=form, delivery=StepDelivery(asked["delivery"]))

    @extend_schema(operation_id="end_token", request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """End the job token or the access token that was shown."""
        refuse_unknown(request.query_params, ())
        revoke_token(caller=caller_of(request), now=timezone.now())
        return Response(status=204)


# Requests for job tokens, and their answer.

MAX_PRODUCTS = 100


class IdentityTokenField(TextField):
    """Text, which is not looked at here: it may be long, and it is a secret."""

    def to_internal_value(self, data: Any) -> Secret:
        return Secret(super().to_internal_value(data).strip())


class IdentityTokenSerializer(KnownFieldsOnly, DeliverySerializer):
    """`POST /oidc/token`."""

    token = IdentityTokenField(help_text="What the CI provider signed for this job.")
    products = StrictListField(
        limit=MAX_PRODUCTS,
        child=StrictCharField(max_length=63),
        allow_empty=False,
        help_text="Slugs. Left out: all that the job may have.",
        **OPTIONAL,
    )
    expires_in = StrictIntegerField(help_text="Seconds, 300 to 43200.", **OPTIONAL)
    format = serializers.ChoiceField(choices=FORMATS, default=JSON)


class AudienceSerializer(serializers.Serializer[Any]):
    """`GET /oidc/audience`."""

    audience = serializers.CharField()


# Job tokens for trusted publishers over HTTP: parse, call one service, render.

REFUSED = (
    errors.InvalidIdentityToken,
    errors.WrongAudience,
    errors.IdentityTokenExpired,
    errors.UnknownIssuer,
    errors.NoMatchingPublisher,
    errors.ReusedToken,
)


class AudienceView(OpenToAll, APIView):
    """Required `aud` claim of identity tokens."""

    @extend_schema(operation_id="oidc_audience", auth=[], responses=AudienceSerializer)
    def get(self, request: Request) -> Response:
        refuse_unknown(request.query_params, ())
        return Response({"audience": settings.LTD_OIDC_AUDIENCE})


class IdentityTokenView(OpenToAll, NeverStored, APIView):
    """A job token for a CI provider's identity token. No response is ever stored."""

    cache_headers: ClassVar = {"Cache-Control": "no-store"}

    def handle_exception(self, exc: Exception) -> Response:
        """A token that is refused counts as a wrong key does."""
        too_many = too_many_failures(self.request) if isinstance(exc, REFUSED) else None
        return super().handle_exception(too_many or exc)

    @extend_schema(
        operation_id="mint_job_token",
        auth=[],
        request=IdentityTokenSerializer,
        responses=JOB_TOKEN_RESPONSES,
    )
    def post(self, request: Request) -> HttpResponseBase:
        fields = valid_body(IdentityTokenSerializer, request)
        minted = mint_job_token(
            raw_token=fields["token"],
            product_slugs=fields["products"],
            life_seconds=fields["expires_in"],
            for_a_step=fields["format"] != JSON,
            now=timezone.now(),
        )
        delivery = StepDelivery(fields["delivery"])
        return job_token_response(minted, form=fields["format"], delivery=delivery)
