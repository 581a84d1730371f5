"""The operators' part of the API: a session's record, and revoking. The admin's login counts."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.models import IssuedSession, Revocation
from credentials.models.revocations import REASON_LENGTH
from credentials.operations.revocation_targets import find_target
from credentials.operations.revoking import preview, revoke
from credentials.rules.durations import YEARS
from ltdkeeper.api.authentication import IsOperator, OperatorAuthentication
from ltdkeeper.api.wire import (
    KnownFieldsOnly,
    NeverStored,
    StrictBooleanField,
    StrictCharField,
    refuse_unknown,
    valid_body,
)


class RevokeSessionSerializer(KnownFieldsOnly):
    """`POST /sessions/<ledger id>/revoke`."""

    reason = StrictCharField(max_length=REASON_LENGTH, help_text="Kept with the decision.")
    may_go_on = StrictBooleanField(
        default=False, help_text=("Whether the credential that requested the sessions stays valid.")
    )
    dry_run = StrictBooleanField(default=False, help_text="Only say what would end.")


class RevokeSerializer(RevokeSessionSerializer):
    """`POST /sessions/revoke`."""

    kind = serializers.ChoiceField(choices=Revocation.Kind.choices)
    name = StrictCharField(
        max_length=255,
        help_text="A ledger id or access key id, a build's id or root, `ltdj_...`, `ltdk_...`, a "
        "client's or store's name, a product's slug.",
    )
    before = serializers.DateTimeField(
        default=None,
        allow_null=True,
        help_text="Only sessions that were issued up to then. A store needs it.",
    )

    def validate_before(self, before: datetime | None) -> datetime | None:
        if before and before.year not in YEARS:
            raise serializers.ValidationError(f"Use the years {YEARS[0]} to {YEARS[-1]}.")
        return before


class RevocationSerializer(serializers.ModelSerializer[Revocation]):
    """A decision, and what became of it at one store."""

    store = serializers.CharField(source="store.name")
    state = serializers.CharField(help_text="requested, written, verified or failed.")

    class Meta:
        model = Revocation
        fields = read_only_fields = (
            *("id", "kind", "target_name", "store", "before", "reason", "requested_by"),
            *("requested_at", "may_go_on", "session_count", "ends_at", "state", "written_at"),
            *("verified_at", "failed_at", "problem"),
        )


class SessionSerializer(serializers.ModelSerializer[IssuedSession]):
    """A row of the ledger, which holds no secret."""

    status = serializers.CharField(help_text="requested, issued, withheld or failed.")
    delivery = serializers.CharField(help_text="Why or how it left, such as container.")
    policy = serializers.CharField(
        source="policy_text",
        help_text="As it was sent. Empty if it was compacted and cannot be restored exactly.",
    )
    revocation = RevocationSerializer(allow_null=True)

    class Meta:
        model = IssuedSession
        fields = read_only_fields = (
            *("id", "status", "failure_code", "delivery", "session_name", "access_key_id"),
            *("store_name", "product_slug", "build_slug", "client_name", "token_name"),
            *("bucket_name", "root", "role_arn", "policy", "duration_seconds"),
            *("signed_by_identity", "sts_request_id", "caller_address", "caller_agent"),
            *("requested_at", "completed_at", "expires_at", "last_served_at", "revoked_at"),
            "revocation",
        )


class EndingSessionSerializer(serializers.ModelSerializer[IssuedSession]):
    """A session that ends."""

    class Meta:
        model = IssuedSession
        fields = read_only_fields = ("id", "access_key_id", "root", "client_name", "expires_at")


class RevokedSerializer(serializers.Serializer[Any]):
    """What ends, or would; the lists hold the first 20."""

    dry_run = serializers.BooleanField()
    session_count = serializers.IntegerField()
    sessions = EndingSessionSerializer(many=True)
    last_end = serializers.DateTimeField(
        allow_null=True, help_text="When the last would end by itself."
    )
    builds = serializers.ListField(
        child=serializers.CharField(), help_text="Roots of the uploads that end."
    )
    tokens = serializers.ListField(child=serializers.CharField(), help_text="What ends as well.")
    unrevocable = serializers.ListField(
        child=serializers.CharField(),
        help_text="Access key ids of identities that signed: only changing their keys stops it.",
    )
    problems = serializers.ListField(child=serializers.CharField())
    revocations = RevocationSerializer(many=True)


class OperatorView(NeverStored, APIView):
    """For whoever may log in to the admin and has the permission of the method."""

    authentication_classes = (OperatorAuthentication,)
    permission_classes = (IsOperator,)
    permissions: dict[str, str] = {
        "GET": "credentials.view_issuedsession",
        "HEAD": "credentials.view_issuedsession",
        "OPTIONS": "credentials.view_issuedsession",
        "POST": "credentials.revoke_issuedsession",
    }


class SessionView(OperatorView):
    """One session of the ledger."""

    @extend_schema(operation_id="read_session", responses=SessionSerializer)
    def get(self, request: Request, ledger_id: str) -> Response:
        refuse_unknown(request.query_params, ())
        rows = IssuedSession.objects.select_related("revocation__store", "policy_template")
        if (session := rows.filter(pk=ledger_id).first()) is None:
            raise NotFound
        return Response(SessionSerializer(session).data)


class RevokeSessionView(OperatorView):
    """Revoke one session."""

    @extend_schema(
        operation_id="revoke_session",
        request=RevokeSessionSerializer,
        responses={200: RevokedSerializer},
    )
    def post(self, request: Request, ledger_id: str) -> Response:
        sent = valid_body(RevokeSessionSerializer, request)
        return _revoke(request, kind="session", name=ledger_id, before=None, **sent)


class RevokeView(OperatorView):
    """Revoke the live sessions of a client, key, job token, build, product or store."""

    @extend_schema(
        operation_id="revoke_sessions", request=RevokeSerializer, responses={200: RevokedSerializer}
    )
    def post(self, request: Request) -> Response:
        return _revoke(request, **valid_body(RevokeSerializer, request))


def _revoke(
    request: Request,
    *,
    kind: str,
    name: str,
    before: datetime | None,
    reason: str,
    may_go_on: bool,
    dry_run: bool,
) -> Response:
    """Say what ends; and record it, unless it is a dry run."""
    now = timezone.now()
    target = find_target(kind=kind, text=name, before=before)
    found = preview(targets=[target], may_go_on=may_go_on, now=now)
    made: list[Revocation] = []
    if not dry_run:
        made = revoke(target=target, reason=reason, by=request.user, may_go_on=may_go_on, now=now)
    answer = {
        **vars(found),
        "dry_run": dry_run,
        "builds": [build.root for build in found.builds],
        "revocations": made,
    }
    return Response(RevokedSerializer(answer).data)
