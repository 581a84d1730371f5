"""Credentials over HTTP: parse, call one service, render."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.models import Build
from credentials.access.rights import open_build, owned_build
from credentials.models import Delivery
from credentials.vending.issuing import VendedSession, issue_session
from credentials.vending.serving import serve_session
from ltdkeeper.api.authentication import TokenAuthentication, caller_of, origin_of
from ltdkeeper.api.wire import (
    OPTIONAL,
    KnownFieldsOnly,
    NeverStored,
    StrictIntegerField,
    valid,
    valid_body,
)

# Requests for credentials and the one object that answers them.


class CredentialsRequestSerializer(KnownFieldsOnly):
    """`POST /builds/<id>/credentials`; the range depends on the product and is checked later."""

    duration_seconds = StrictIntegerField(**OPTIONAL)


class RefreshRequestSerializer(KnownFieldsOnly):
    """`GET /builds/<id>/credentials`: the query."""

    delivery = serializers.ChoiceField(
        choices=[Delivery.CONTAINER, Delivery.PROCESS], default=Delivery.CONTAINER
    )


class OpenBuildRequestSerializer(RefreshRequestSerializer):
    """`GET /credentials`: the query."""

    product = serializers.CharField(required=False, default=None)


class CredentialsSerializer(serializers.Serializer[Any]):
    """Container credentials, `credential_process` output and what an uploader needs besides.

    SDKs read `Token` from a container endpoint and `SessionToken` from a process; `Expiration`
    must end in Z.
    """

    Version = serializers.IntegerField()
    AccessKeyId = serializers.CharField()
    SecretAccessKey = serializers.CharField()
    SessionToken = serializers.CharField()
    Token = serializers.CharField()
    Expiration = serializers.DateTimeField()
    session_id = serializers.CharField()
    bucket = serializers.CharField()
    root = serializers.CharField()  # type: ignore[assignment]
    region = serializers.CharField()
    endpoint_url = serializers.CharField(allow_null=True)
    addressing = serializers.CharField()


def render_credentials(vended: VendedSession) -> dict[str, Any]:
    """The response. The only place where a session's secrets are revealed to a caller."""
    store = vended.build.product.store
    session_token = vended.assumed.session_token.reveal()
    return {
        "Version": 1,
        "AccessKeyId": vended.assumed.access_key_id,
        "SecretAccessKey": vended.assumed.secret_access_key.reveal(),
        "SessionToken": session_token,
        "Token": session_token,
        "Expiration": _with_z(vended.assumed.expires_at),
        "session_id": vended.row.pk,
        "bucket": vended.build.bucket_name,
        "root": vended.build.root,
        "region": store.region,
        "endpoint_url": store.client_endpoint_url or None,
        "addressing": store.addressing,
    }


def _with_z(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class RefreshingView(NeverStored, APIView):
    """Credentials for exactly one build, to SDKs that refresh: served again while they last."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [TokenAuthentication(tells_to_wait=False)]

    def serve(self, request: Request, build: Build, delivery: Delivery) -> Response:
        """Respond with a session from memory, or with a new one."""
        vended = serve_session(
            caller=caller_of(request),
            build=build,
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
        """For SDKs that refresh credentials; lives at least 1800 seconds."""
        # As a plain dict: an empty `product=`, from a variable that is not set, is refused.
        query = valid(OpenBuildRequestSerializer, request.query_params.dict())
        build = open_build(
            caller=caller_of(request), product_slug=query["product"], now=timezone.now()
        )
        return self.serve(request, build, Delivery(query["delivery"]))


class BuildCredentialsView(RefreshingView):
    """Credentials for a build by its id. GET makes something too: HEAD is refused."""

    http_method_names = ["get", "post", "options"]

    @extend_schema(
        operation_id="issue_credentials",
        request=CredentialsRequestSerializer,
        responses=CredentialsSerializer,
    )
    def post(self, request: Request, build_id: int) -> Response:
        """Issue a session and respond with it once."""
        sent = valid_body(CredentialsRequestSerializer, request)
        vended = issue_session(
            caller=caller_of(request),
            build_id=build_id,
            delivery=Delivery.JSON,
            origin=origin_of(request),
            now=timezone.now(),
            asked_seconds=sent["duration_seconds"],
        )
        return Response(render_credentials(vended))

    @extend_schema(
        operation_id="refresh_credentials",
        parameters=[RefreshRequestSerializer],
        responses=CredentialsSerializer,
    )
    def get(self, request: Request, build_id: int) -> Response:
        """The same for SDKs that refresh credentials; lives at least 1800 seconds."""
        query = valid(RefreshRequestSerializer, request.query_params.dict())
        build = owned_build(caller=caller_of(request), build_id=build_id)
        return self.serve(request, build, Delivery(query["delivery"]))
