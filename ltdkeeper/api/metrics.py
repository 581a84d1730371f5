"""`GET /metrics`: metrics in Prometheus' text format, for callers with `LTD_METRICS_TOKEN`.

What happens during a request, each process counts for itself. With several,
`PROMETHEUS_MULTIPROC_DIR` names a directory, empty at the start, in which prometheus-client adds
them up (its own variable: "Multiprocess Mode" in its documentation). What is in rows is read from
the database at each call, within bounds, so that every process of every host gives the same.
"""

import hmac
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import Error
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Metric,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from credentials.models import (
    AuditFinding,
    IssuedSession,
    JobRun,
    Revocation,
    WebhookDelivery,
)
from credentials.models.runs import last_verdicts
from credentials.operations.figures import count_up_to
from credentials.operations.findings import Severity
from credentials.operations.schedule import heartbeat, scheduled_jobs

TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
Labels = tuple[str, ...]


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
    """The counters of this process, or of all that share a directory, and what is in rows."""

    authentication_classes = (MetricsToken,)
    permission_classes = (AllowAny,)

    def get(self, _request: Request) -> HttpResponse:
        figures = CollectorRegistry()
        figures.register(DatabaseFigures())
        return HttpResponse(
            process_counters() + generate_latest(figures),
            content_type=CONTENT_TYPE_LATEST,
            headers={"Cache-Control": "no-store"},
        )


def process_counters() -> bytes:
    if TOGETHER not in os.environ:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)


def remove_old_counters() -> None:
    """What an earlier start of the service counted, at the beginning of a new one.

    While another process of this start is alive, the counts of those that died are still added up:
    a counter that falls would look like a restart to Prometheus.
    """
    files = list(Path(os.environ[TOGETHER]).glob("*_*.db")) if TOGETHER in os.environ else []
    pids = {path: path.stem.rpartition("_")[2] for path in files}
    if not any(pid != str(os.getpid()) and Path(f"/proc/{pid}").exists() for pid in pids.values()):
        for path in files:
            if pids[path] != str(os.getpid()):
                path.unlink(missing_ok=True)


class DatabaseFigures:
    """Gauges that are made of rows. While the database is away, only `ltdkeeper_database_up`."""

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(figures(timezone.now()))
        except Error:
            found = []
        up = [((), bool(found))]
        yield _gauge("ltdkeeper_database_up", "Whether the database answers.", up)
        yield from found

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering asks the database nothing."""
        yield from ()


def figures(now: datetime) -> Iterator[Metric]:
    """A few indexed statements, however long the tables are."""
    in_force = Revocation.objects.in_force(now)
    rows = {state.value: in_force.filter(state=state) for state in Revocation.State}
    counted = count_up_to(rows | {"stuck": IssuedSession.objects.stuck(now)})
    stuck = counted.pop("stuck")
    yield _gauge("ltdkeeper_stuck_sessions", "Sessions whose process died.", [((), stuck)])
    states = [((state,), count) for state, count in counted.items()]
    yield _gauge("ltdkeeper_revocations", "Revocations in force.", states, "state")
    checks = [((store.name,), bool(run and run.passed)) for store, run in last_verdicts()]
    yield _gauge("ltdkeeper_isolation_passed", "Whether the last check passed.", checks, "store")
    yield from _findings_and_webhooks(now)
    yield from _jobs(now)


def _findings_and_webhooks(now: datetime) -> Iterator[Metric]:
    found, sent = AuditFinding.objects, WebhookDelivery.objects
    by_state = {"open": found.open(now), "acknowledged": found.acknowledged(now)}
    findings = {
        (state, severity.value): rows.filter(severity=severity)
        for state, rows in by_state.items()
        for severity in Severity
    }
    deliveries = {("waiting",): sent.waiting(), ("dead",): sent.dead()}
    counted = count_up_to({" ".join(key): rows for key, rows in (findings | deliveries).items()})
    for name, what, keys, labels in (
        ("ltdkeeper_findings", "What audits found.", findings, ("state", "severity")),
        ("ltdkeeper_webhook_deliveries", "Events not delivered.", deliveries, ("state",)),
    ):
        yield _gauge(name, what, [(key, counted[" ".join(key)]) for key in keys], *labels)


def _jobs(now: datetime) -> Iterator[Metric]:
    alive = heartbeat()
    beats = [((), alive.at.timestamp())] if alive else []
    yield _gauge("ltdkeeper_clock_heartbeat_timestamp_seconds", "When a clock was alive.", beats)
    jobs = scheduled_jobs()
    keys = [(each.job.command, each.store.name if each.store else "") for each in jobs]
    for name, what, values in (
        ("interval_seconds", "How often it runs.", [x.job.interval.total_seconds() for x in jobs]),
        ("last_start_timestamp_seconds", "Of the newest run.", [_start(x.last) for x in jobs]),
        (
            "last_success_timestamp_seconds",
            "Of one that ended.",
            [_start(x.finished) for x in jobs],
        ),
        ("failing", "Whether the newest run failed.", [_has_failed(x.last) for x in jobs]),
        ("overdue", "Whether it is late.", [x.is_overdue(now) for x in jobs]),
    ):
        pairs = zip(keys, values, strict=True)
        yield _gauge(f"ltdkeeper_job_{name}", what, pairs, "command", "store")


def _start(run: JobRun | None) -> float:
    """0: never."""
    return run.started_at.timestamp() if run else 0


def _has_failed(run: JobRun | None) -> bool:
    return run is not None and run.state == JobRun.State.FAILED


def _gauge(name: str, what: str, values: Iterable[tuple[Labels, float]], *labels: str) -> Metric:
    family = GaugeMetricFamily(name, what, labels=labels)
    for its_labels, value in values:
        family.add_metric(its_labels, value)
    return family
