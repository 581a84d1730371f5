"""Job tokens for trusted publishers over HTTP: parse, call one service, render."""

from typing import Any

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.access.authentication import too_many_failures
from credentials.access.publishers import errors
from credentials.access.publishers.minting import mint_job_token
from credentials.access.publishers.serializers import (
    AudienceSerializer,
    IdentityTokenSerializer,
)
from credentials.handout.answers import HANDOUT_RESPONSES, handout_answer
from credentials.handout.facts import StepDelivery
from credentials.handout.serializers import JSON
from ltdkeeper.wire import refuse_unknown

REFUSED = (
    errors.InvalidIdentityToken,
    errors.WrongAudience,
    errors.IdentityTokenExpired,
    errors.UnknownIssuer,
    errors.NoMatchingPublisher,
    errors.ReusedToken,
)


class OpenView(APIView):
    """Needs no token of ours, and looks at none."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class AudienceView(OpenView):
    """Whom identity tokens must be for."""

    @extend_schema(operation_id="oidc_audience", auth=[], responses=AudienceSerializer)
    def get(self, request: Request) -> Response:
        refuse_unknown(request.query_params, ())
        return Response({"audience": settings.LTD_OIDC_AUDIENCE})


class IdentityTokenView(OpenView):
    """A job token for a CI provider's identity token. No answer is ever stored."""

    def handle_exception(self, exc: Exception) -> Response:
        """A token that is refused counts as a wrong key does."""
        told = too_many_failures(self.request) if isinstance(exc, REFUSED) else None
        return super().handle_exception(told or exc)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response

    @extend_schema(
        operation_id="mint_job_token",
        auth=[],
        request=IdentityTokenSerializer,
        responses=HANDOUT_RESPONSES,
    )
    def post(self, request: Request) -> HttpResponseBase:
        serializer = IdentityTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        minted = mint_job_token(
            raw_token=fields["token"],
            product_slugs=fields["products"],
            life_seconds=fields["expires_in"],
            for_a_step=fields["format"] != JSON,
            now=timezone.now(),
        )
        delivery = StepDelivery(fields["delivery"])
        return handout_answer(minted, form=fields["format"], delivery=delivery)
