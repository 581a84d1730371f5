"""Addresses of the admin whose pages read what grows: lists, filters, misses, records."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin

from credentials.models import (
    AuditFinding,
    Client,
    Delivery,
    IsolationRun,
    IssuedSession,
    JobRun,
    Revocation,
    Webhook,
    WebhookDelivery,
)
from ltdkeeper.admin.filters import BuildState, JobTokenState
from ltdkeeper.admin.links import page_address

SESSIONS, BUILDS, TOKENS = (
    "/admin/credentials/issuedsession/",
    "/admin/builds/build/",
    "/admin/credentials/jobtoken/",
)
FINDINGS, RUNS, DELIVERIES = (
    "/admin/credentials/auditfinding/",
    "/admin/credentials/jobrun/",
    "/admin/credentials/webhookdelivery/",
)
NOTHING = "nothing-is-called-so"


def addresses(*, session: Any, build: Any, job_token: Any, quiet_client: Client) -> Iterator[str]:
    """Every list of the admin, the filters of the big ones, and the pages of some rows."""
    yield "/admin/"
    yield from (
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for model in admin.site._registry
    )
    clients = {"first": build.registration.client_id, "quiet": quiet_client.pk}
    yield from filtered(SESSIONS, session_filters(session, build, clients))
    yield from filtered(BUILDS, build_filters(build, clients))
    yield from filtered(TOKENS, token_filters(clients))
    for key, address in ((session.pk, SESSIONS), (build.pk, BUILDS), (job_token.pk, TOKENS)):
        yield from (
            f"{address}{query}" for query in ("?p=last", f"?p=before-{key}", f"?p=after-{key}")
        )
        yield from (f"{address}{key}/change/", f"{address}{key}/history/")
    yield from (f"/admin/credentials/client/{pk}/change/" for pk in clients.values())
    yield f"/admin/builds/product/{build.product_id}/change/"
    yield f"/admin/builds/store/{build.product.store_id}/change/"
    yield f"/admin/credentials/apikey/{job_token.api_key_id}/change/"
    yield from filtered(FINDINGS, finding_filters(build.product.store_id))
    yield from filtered(RUNS, run_filters(build.product.store_id))
    yield from filtered(DELIVERIES, ({"state": state} for state in WebhookDelivery.State.values))
    for hook in Webhook.objects.all():
        yield from filtered(DELIVERIES, iter([{"webhook": hook.pk}]))
    for model in (AuditFinding, JobRun, Webhook, WebhookDelivery, Revocation, IsolationRun):
        if newest := model._base_manager.order_by("-pk").first():
            yield page_address(newest)
    yield "/admin/credentials/refusal/?address=198.51.100.7"
    yield f"/admin/credentials/refusal/?client={build.registration.client.name}"


def finding_filters(store: int) -> Iterator[dict[str, Any]]:
    yield from ({"state": state} for state in ("all", "acknowledged", "closed"))
    yield {"rule": "session_stuck", "severity": "error"}
    yield {"rule": "upload_unfinished", "state": "all"}
    yield {"store": store, "state": "all"}
    yield {"job": NOTHING, "state": "closed"}


def run_filters(store: int) -> Iterator[dict[str, Any]]:
    yield from ({"state": state} for state in JobRun.State.values)
    yield {"job": "audit_bucket", "store": store}


def filtered(address: str, queries: Iterator[dict[str, Any]]) -> Iterator[str]:
    """The first page of each filter; the last one too."""
    for query in queries:
        yield f"{address}?{urlencode(query)}"
        yield f"{address}?{urlencode(query | {'p': 'last'})}"


def session_filters(session: Any, build: Any, clients: dict[str, int]) -> Iterator[dict[str, Any]]:
    for state in IssuedSession.State:
        yield {"state": state.value}
        yield {"state": state.value, "client": clients["quiet"]}
        yield {"state": state.value, "time": "1h", "delivery": "all"}
    yield from ({"delivery": delivery} for delivery in (*Delivery.values, "all"))
    yield from ({"client": pk} for pk in clients.values())
    yield {"client": clients["first"], "product": build.product_id, "store": build.product.store_id}
    yield {"product": build.product_id}
    yield {"store": build.product.store_id}
    yield {"build": build.pk}
    yield {"token_name": session.token_name}
    yield {"token_name": NOTHING}
    day = f"{session.requested_at:%Y-%m-%d}"
    yield from ({"time": value} for value in ("1h", "7d", day[:4], day[:7], day, "1999"))
    yield {"time": day, "client": clients["quiet"], "delivery": "url"}


def build_filters(build: Any, clients: dict[str, int]) -> Iterator[dict[str, Any]]:
    for state in BuildState.names:
        yield {"state": state}
        yield {"state": state, "client": clients["quiet"], "product": build.product_id}
    yield {"product": build.product_id}
    yield from ({"client": pk} for pk in clients.values())


def token_filters(clients: dict[str, int]) -> Iterator[dict[str, Any]]:
    for state in JobTokenState.names:
        yield {"state": state}
        yield {"state": state, "client": clients["quiet"]}
    yield from ({"client": pk} for pk in clients.values())


def pastes(*, session: Any, build: Any, job_token: Any) -> Iterator[str]:
    """What is pasted into the box that finds: one of each kind, and misses."""
    yield from (session.access_key_id, session.session_name, session.pk, session.sts_request_id)
    yield from (session.assumed_role_id, f"s3://{build.bucket_name}/{build.root}/index.html")
    yield from (build.root, f"{build.root}/a/b.html", build.slug, build.product.slug, str(build.pk))
    yield from (job_token.token_name, job_token.client.name, "main", "192.0.2.7", "192.0.2.0/24")
    yield from ("ASIANOTINTHELEDGER00", "01m8cd1cb8dct6550jbv0edm57-nothing", NOTHING)
    yield from ("nothing/builds/nothing/x.html", "a" * 40, "https://github.com/a/b/actions/runs/1")
    yield from ("refs/heads/nothing", "2001:db8::/64", "ltdj_nothingthere")
