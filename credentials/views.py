"""Tokens and credentials over HTTP: parse, call one service, render."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.access.authentication import TokenAuthentication
from credentials.access.ownership import open_build
from credentials.access.permissions import caller_of
from credentials.issuing import issue_session
from credentials.models import Delivery
from credentials.reusing.serving import serve_session
from credentials.serializers import (
    CredentialsRequestSerializer,
    CredentialsSerializer,
    OpenBuildRequestSerializer,
    RefreshRequestSerializer,
    render_credentials,
)
from ltdkeeper.origins import origin_of
from ltdkeeper.wire import NeverStored


class RefreshingView(NeverStored, APIView):
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
    """Credentials for a build by its id. GET makes something too: HEAD is refused."""

    http_method_names = ["get", "post", "options"]

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
