"""`GET /metrics`: figures in Prometheus' text format, for who knows `LTD_METRICS_TOKEN`.

Each process counts for itself. With several, `PROMETHEUS_MULTIPROC_DIR` names a directory, empty
at the start, in which prometheus-client adds them up (its own variable: "Multiprocess Mode" in
its documentation).
"""

import hmac
import os

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView


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
