"""Tokens and credentials over HTTP: parse, call one service, render."""

from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.access.authentication import TokenAuthentication, shown_token
from credentials.access.ending import end_token
from credentials.access.keys import start_key_session
from credentials.access.ownership import open_build
from credentials.access.permissions import caller_of
from credentials.handout.answers import handout_answer
from credentials.handout.facts import StepDelivery
from credentials.handout.handing import hand_out_job_token
from credentials.handout.serializers import JSON, HandoutRequestSerializer
from credentials.issuing import issue_session
from credentials.models import Delivery
from credentials.reusing.serving import serve_session
from credentials.serializers import (
    CredentialsRequestSerializer,
    CredentialsSerializer,
    OpenBuildRequestSerializer,
    RefreshRequestSerializer,
    TokenSerializer,
    render_credentials,
)
from ltdkeeper.origins import origin_of
from ltdkeeper.wire import NEVER_STORED


class IssuingView(APIView):
    """A view whose GET makes something: HEAD is refused, and no answer is ever stored."""

    http_method_names = ["get", "post", "options"]

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        for name, value in NEVER_STORED.items():
            response[name] = value
        return response


class TokenView(IssuingView):
    """A key session: as good as the key that was shown, for some hours. Or a job token."""

    http_method_names = ["get", "delete", "options"]

    @extend_schema(
        operation_id="start_token",
        parameters=[HandoutRequestSerializer],
        responses={
            (200, "application/json"): TokenSerializer,
            (200, "text/plain"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """With a format: a job token for some products, and what one CI step needs around it.

        A job token is answered with itself: LTD clients ask before every call.
        """
        query = HandoutRequestSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        if form := query.validated_data.get("format"):
            return self.hand_out(request, form, query.validated_data)
        caller = caller_of(request)
        if caller.job_token:
            return Response({"token": shown_token(request).reveal()})
        token = start_key_session(caller=caller, now=timezone.now())
        return Response({"token": token.reveal()})

    def hand_out(self, request: Request, form: str, asked: dict[str, Any]) -> HttpResponseBase:
        """Answer with a job token in a form."""
        minted = hand_out_job_token(
            caller=caller_of(request),
            shown=shown_token(request),
            product_slugs=asked["product"],
            life_seconds=asked["expires_in"],
            for_a_step=form != JSON,
            now=timezone.now(),
        )
        return handout_answer(minted, form=form, delivery=StepDelivery(asked["delivery"]))

    @extend_schema(operation_id="end_token", request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """End the job token or the key session that was shown."""
        end_token(caller=caller_of(request), now=timezone.now())
        return Response(status=204)


class RefreshingView(IssuingView):
    """Credentials for exactly one build, to SDKs that come back: served again while they last."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [TokenAuthentication(tells_to_wait=False)]

    def serve(self, request: Request, build_id: int, delivery: Delivery) -> Response:
        """Answer with a session from memory, or with a new one."""
        vended = serve_session(
            caller=caller_of(request),
            build_id=build_id,
            delivery=delivery,
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response(render_credentials(vended))


class OpenBuildCredentialsView(RefreshingView):
    """Credentials for the caller's open build, at an address known before the build exists."""

    http_method_names = ["get", "options"]

    @extend_schema(
        operation_id="refresh_open_build_credentials",
        parameters=[OpenBuildRequestSerializer],
        responses=CredentialsSerializer,
    )
    def get(self, request: Request) -> Response:
        """For SDKs that come back to refresh; lives at least 1800 seconds."""
        # As a plain dict: an empty `product=`, from a variable that is not set, is refused.
        query = OpenBuildRequestSerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        build = open_build(
            caller=caller_of(request),
            product_slug=query.validated_data["product"],
            now=timezone.now(),
        )
        return self.serve(request, build.pk, Delivery(query.validated_data["delivery"]))


class BuildCredentialsView(RefreshingView):
    """Credentials for a build by its id."""

    @extend_schema(
        operation_id="issue_credentials",
        request=CredentialsRequestSerializer,
        responses=CredentialsSerializer,
    )
    def post(self, request: Request, build_id: int) -> Response:
        """Issue a session and answer with it once."""
        serializer = CredentialsRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        vended = issue_session(
            caller=caller_of(request),
            build_id=build_id,
            delivery=Delivery.JSON,
            origin=origin_of(request),
            now=timezone.now(),
            asked_seconds=serializer.validated_data["duration_seconds"],
        )
        return Response(render_credentials(vended))

    @extend_schema(
        operation_id="refresh_credentials",
        parameters=[RefreshRequestSerializer],
        responses=CredentialsSerializer,
    )
    def get(self, request: Request, build_id: int) -> Response:
        """The same for SDKs that come back to refresh; lives at least 1800 seconds."""
        serializer = RefreshRequestSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        return self.serve(request, build_id, Delivery(serializer.validated_data["delivery"]))
