"""What a platform asks: is the process alive, and can it do its work."""

from typing import Any

from django.db import Error
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.models.runs import IsolationRun, last_verdicts
from credentials.operations.schedule import heartbeat


class HealthView(APIView):
    """Open to everybody, never cached."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


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
