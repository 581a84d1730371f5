"""The root document and the response to addresses that do not exist."""

from typing import Any

from django.urls import resolve
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ltdkeeper.api.wire import OrjsonRenderer, public_url

# LTD clients compare this with 2.0.0, from where on they expect addresses under /v2.
SERVER_VERSION = "1.23.0"


class RootView(APIView):
    """`GET /`: what this service is and where its parts are."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

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
class NotFoundView(APIView):
    """The catch-all: a problem document, never a page."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

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
