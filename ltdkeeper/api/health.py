"""What a platform asks: is the process alive, and can it do its work."""

import hmac
import os
from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.models.runs import IsolationRun, last_verdicts


class HealthView(APIView):
    """Open to everybody, never cached."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class LiveView(HealthView):
    """`GET /livez`: 200 as long as the process answers; asks nothing of anybody else."""

    @extend_schema(operation_id="alive", responses={200: dict[str, str]})
    def get(self, _request: Request) -> Response:
        return Response({"status": "alive"})


class ReadyView(HealthView):
    """`GET /readyz`: 200 when the database answers, else 503.

    Tells the last isolation verdict of each store and its age in seconds. The store itself is not
    asked: it being away does not make this process unfit.
    """

    @extend_schema(operation_id="ready", responses={200: dict[str, Any]})
    def get(self, _request: Request) -> Response:
        try:
            stores = {store.name: _verdict(run) for store, run in last_verdicts()}
        except Error:
            return Response({"status": "database_unavailable"}, status=503)
        return Response({"status": "ready", "stores": stores})


def _verdict(run: IsolationRun | None) -> dict[str, str | int | None]:
    if run is None:
        return {"isolation": "unchecked", "age_seconds": None}
    return {"isolation": run.verdict, "age_seconds": run.age_seconds(timezone.now())}


# `GET /metrics`: figures in Prometheus' text format, for who knows `LTD_METRICS_TOKEN`.
#
# Each process counts for itself. With several, `PROMETHEUS_MULTIPROC_DIR` names a directory,
# empty at the start, in which prometheus-client adds them up (its own variable: "Multiprocess
# Mode" in its documentation).


class MetricsToken(BaseAuthentication):
    """`Authorization: Bearer` with the token of the settings; without one there is no such page."""

    def authenticate(self, request: Request) -> None:
        if not settings.LTD_METRICS_TOKEN:
            raise NotFound("There is nothing at this address. LTD_METRICS_TOKEN is not set.")
        shown = request.META.get("HTTP_AUTHORIZATION", "").encode()
        if not hmac.compare_digest(shown, f"Bearer {settings.LTD_METRICS_TOKEN}".encode()):
            raise AuthenticationFailed("Show LTD_METRICS_TOKEN as a Bearer token.")

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="ltdkeeper metrics"'


@extend_schema(exclude=True)
class MetricsView(APIView):
    """The counters of this process, or of all where they share a directory."""

    authentication_classes = (MetricsToken,)
    permission_classes = (AllowAny,)
    http_method_names = ["get"]

    def get(self, _request: Request) -> HttpResponse:
        text = generate_latest(_registry())
        return HttpResponse(
            text, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"}
        )


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together
