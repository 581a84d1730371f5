"""Tokens over HTTP: key sessions and job tokens."""

from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.access.authentication import shown_token
from credentials.access.ending import end_token
from credentials.access.keys import start_key_session
from credentials.access.permissions import caller_of
from credentials.handout.answers import handout_answer
from credentials.handout.facts import StepDelivery
from credentials.handout.handing import hand_out_job_token
from credentials.handout.serializers import JSON, HandoutRequestSerializer
from credentials.serializers import (
    TokenSerializer,
)
from ltdkeeper.wire import NeverStored


class TokenView(NeverStored, APIView):
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
