"""What the API says about the service itself: what it is, whether it works, what there is not."""

from typing import Any, ClassVar

from django.db import Error
from django.urls import resolve
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.models.runs import IsolationRun, last_verdicts
from credentials.operations.schedule import heartbeat
from ltdkeeper.api.wire import NeverStored, OpenToAll, OrjsonRenderer, public_url

# LTD clients compare this with 2.0.0, from where on they expect addresses under /v2.
SERVER_VERSION = "1.23.0"


class RootView(OpenToAll, APIView):
    """`GET /`: what this service is and where its parts are."""

    @extend_schema(operation_id="root", responses={200: dict[str, Any]})
    def get(self, _request: Request) -> Response:
        data = {
            "server_version": SERVER_VERSION,
            "documentation": public_url("/docs/"),
            "message": "ltdkeeper issues S3 credentials, each for one documentation build.",
        }
        links = {
            "self": public_url("/"),
            "token": public_url("/token"),
            "products": public_url("/products/"),
        }
        return Response({"data": data, "links": links})


@extend_schema(exclude=True)
class NotFoundView(OpenToAll, APIView):
    """The catch-all: a problem document, never a page."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(f"There is nothing at this address. {_hint(request.path)}")


def _hint(path: str) -> str:
    """What the caller may have meant: slashes at the end matter here, as in LTD Keeper."""
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    view = getattr(resolve(other or "/").func, "view_class", None)
    if view in {None, NotFoundView, RootView}:
        return "GET /openapi.json lists what there is."
    return f"Ask for {other}, {'without' if path.endswith('/') else 'with'} the slash at the end."


class ApiPage(SpectacularSwaggerSplitView):
    """`GET /docs/`: the API to browse and try; every file comes from this service."""

    template_name = "ltdkeeper/docs.html"
    http_method_names = ["get", "head"]

    def handle_exception(self, exc: Exception) -> Response:
        """Refusals are problem documents here too, not pages."""
        self.request.accepted_renderer = OrjsonRenderer()
        return super().handle_exception(exc)


class HealthView(OpenToAll, NeverStored, APIView):
    """For platforms: is the process alive, and can it do its work."""

    cache_headers: ClassVar = {"Cache-Control": "no-store"}


class LiveView(HealthView):
    """`GET /livez`: 200 as long as the process responds; it calls nothing else."""

    @extend_schema(operation_id="alive", responses={200: dict[str, str]})
    def get(self, _request: Request) -> Response:
        return Response({"status": "alive"})


class ReadyView(HealthView):
    """`GET /readyz`: 200 when the database responds, else 503.

    Tells the last isolation verdict of each store and its age in seconds, and how long ago a clock
    was alive (`null`: never). Neither a store nor a clock that is away makes this process unfit.
    """

    @extend_schema(operation_id="ready", responses={200: dict[str, Any]})
    def get(self, _request: Request) -> Response:
        try:
            stores = {store.name: _verdict(run) for store, run in last_verdicts()}
            alive = heartbeat()
        except Error:
            return Response({"status": "database_unavailable"}, status=503)
        age = alive.age_seconds(timezone.now()) if alive else None
        return Response({"status": "ready", "stores": stores, "clock": {"age_seconds": age}})


def _verdict(run: IsolationRun | None) -> dict[str, str | int | None]:
    if run is None:
        return {"isolation": "unchecked", "age_seconds": None}
    return {"isolation": run.verdict, "age_seconds": run.age_seconds(timezone.now())}
