"""Requests for credentials and the one object that answers them."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from credentials.issuing import VendedSession
from credentials.models import Delivery
from ltdkeeper.wire import KnownFieldsOnly, StrictIntegerField


class CredentialsRequestSerializer(KnownFieldsOnly):
    """`POST /builds/<id>/credentials`; the range depends on the product and is checked later."""

    duration_seconds = StrictIntegerField(required=False, allow_null=True, default=None)


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


class TokenSerializer(serializers.Serializer[Any]):
    """`GET /token`."""

    token = serializers.CharField()


def render_credentials(vended: VendedSession) -> dict[str, Any]:
    """The answer. The only place where a session's secrets are revealed to a caller."""
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
