"""The pages of callers: clients, their API keys, and the job tokens of CI jobs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from builds.models import Build
from credentials.models import (
    ApiKey,
    BuildOwner,
    Client,
    IssuedSession,
    JobToken,
    Refusal,
    Revocation,
    TrustedPublisher,
)
from ltdkeeper.admin.attention import LONGEST_SESSION
from ltdkeeper.admin.links import (
    ACTIVE,
    NEWEST,
    NOTHING,
    link,
    links,
    list_address,
    moment,
    newest,
    table,
)
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.refusals import refused_calls_of
from ltdkeeper.admin.tokens import ci_job

# How many of the newest sessions are looked through for where they were asked from.
LOOKED_THROUGH = 200


def validity(row: ApiKey | JobToken, now: datetime) -> str:
    """Whether a token still opens anything; what it came from may be disabled besides."""
    ended_at = row.revoked_at if isinstance(row, ApiKey) else row.ended_at
    if ended_at:
        return f"revoked {moment(ended_at)}"
    if row.expires_at and row.expires_at <= now:
        return f"expired {moment(row.expires_at)}"
    return "active" if row.client.is_active else "active again if its client is enabled"


def session_table(rows: Iterable[IssuedSession], address: str, what: str) -> str:
    """Sessions as a client, key or job token has them."""
    now = timezone.now()
    cells = (
        (
            moment(row.requested_at),
            row.described_state(now),
            link(row.build, row.root),
            link(row, row.access_key_id or row.session_name),
            moment(row.expires_at),
        )
        for row in rows
    )
    return newest(("When", "State", "Build", "Access key id", "Ends"), cells, address, what)


def refusal_table(client: Client, token_name: str = "") -> str:
    """Why calls were refused in the last 24 hours."""
    cells = (
        (
            format_html('<a href="{}">{}</a> {}', line.address, line.text, line.note),
            line.calls,
            moment(line.first_at),
            moment(line.last_at),
        )
        for line in refused_calls_of(client, timezone.now(), token_name).lines
    )
    return table(("Reason", "Calls", "First", "Last"), cells)


BUILD_HEAD = ("Build", "State", "Registered")


def build_cells(rows: Iterable[Build]) -> list[tuple[str, str, str]]:
    """Builds with their state."""
    now = timezone.now()
    return [(link(row), row.state(now).label.lower(), moment(row.registered_at)) for row in rows]


def job_token_table(rows: Iterable[JobToken], address: str, what: str) -> str:
    """Job tokens with the job that they were made for."""
    now = timezone.now()
    cells = (
        (moment(row.created_at), link(row), validity(row, now), row.identity or NOTHING)
        for row in rows
    )
    return newest(("Made", "Job token", "State", "CI job"), cells, address, what)


def sessions_of_token(name: str) -> "QuerySet[IssuedSession]":
    """The newest that were asked for with a token: an equality, in the index's own order."""
    rows = IssuedSession.objects.filter(token_name=name)
    return rows.select_related("build", "revocation")[:NEWEST]


class ClientPage(Page):
    """What may be changed first, then what the client has at the moment."""

    seen_with: ClassVar[Mapping[str, type[Model]]] = {
        "live_sessions": IssuedSession,
        "addresses": IssuedSession,
        "open_builds": Build,
        "keys": ApiKey,
        "publishers": TrustedPublisher,
        "job_tokens": JobToken,
        "refused_calls": Refusal,
    }
    questions: ClassVar[Sequence[tuple[str | None, Sequence[Any]]]] = (
        (None, ("name", ACTIVE, "may_create_products", "created_at")),
        ("What it has", ("live_sessions", "open_builds")),
        ("Last addresses", ("addresses", "refused_calls")),
        ("Who acts as it", ("keys", "publishers", "job_tokens")),
    )

    def editable_fields(self, request: HttpRequest) -> Sequence[str]:
        return ("name", "may_create_products")

    @admin.display(description="live sessions")
    def live_sessions(self, client: Client) -> str:
        """Also those that were revoked, until the store was seen to refuse them."""
        now = timezone.now()
        rows = client.issued_sessions.unexpired(now).for_builds()
        rows = rows.exclude(revocation__state=Revocation.State.VERIFIED)
        address = list_address(IssuedSession, state="active", client=client.pk)
        recent = rows.since(now - LONGEST_SESSION).order_by("-requested_at")
        found = recent.select_related("build", "revocation")[:NEWEST]
        return session_table(found, address, "All its live sessions")

    @admin.display(description="open builds")
    def open_builds(self, client: Client) -> str:
        rows = Build.objects.open(timezone.now()).filter(registration__client=client)
        address = list_address(Build, state="open", client=client.pk)
        cells = build_cells(rows.order_by("open_until")[:NEWEST])
        return newest(BUILD_HEAD, cells, address, "All its open builds")

    @admin.display(description="addresses")
    def addresses(self, client: Client) -> str:
        """Of its newest sessions, each address and agent once, with the last time."""
        rows = client.issued_sessions.order_by("-requested_at").values_list(
            "caller_address", "caller_agent", "requested_at"
        )
        last: dict[tuple[str, str], datetime] = {}
        for address, agent, when in rows[:LOOKED_THROUGH]:
            last.setdefault((address, agent), when)
        cells = [(moment(when), *where) for where, when in last.items()][:NEWEST]
        return table(("Last", "Address", "Agent"), cells)

    @admin.display(description="refused in the last 24 hours")
    def refused_calls(self, client: Client) -> str:
        return refusal_table(client)

    @admin.display(description="API keys")
    def keys(self, client: Client) -> str:
        now = timezone.now()
        cells = (
            (link(key), key.label or NOTHING, validity(key, now), moment(key.last_used_at))
            for key in client.api_keys.order_by("-pk")[:NEWEST]
        )
        address = list_address(ApiKey, client=client.pk)
        return newest(
            ("API key", "Label", "State", "Last used"), cells, address, "All its API keys"
        )

    @admin.display(description="trusted publishers")
    def publishers(self, client: Client) -> str:
        return links(client.publishers.order_by("name")[:NEWEST])

    @admin.display(description="newest job tokens")
    def job_tokens(self, client: Client) -> str:
        address = list_address(JobToken, client=client.pk)
        return job_token_table(client.job_tokens.all()[:NEWEST], address, "All its job tokens")


class KeyPage(Page):
    """A key is looked at: what it opens, where it was used, what it gave."""

    page_select_related = ("client",)
    seen_with: ClassVar[Mapping[str, type[Model]]] = {
        "its_sessions": IssuedSession,
        "its_job_tokens": JobToken,
        "refused_calls": Refusal,
    }
    questions = (
        ("Whose it is", ("token_name", "client_link", "label", "opens", "taken_from")),
        (
            "Its life",
            ("state_now", "created_at", "expires_at", "last_used_at", "revoked_at"),
        ),
        ("What it issued", ("its_sessions", "its_job_tokens")),
        ("What was refused", ("refused_calls",)),
    )

    @admin.display(description="refused in the last 24 hours")
    def refused_calls(self, key: ApiKey) -> str:
        return refusal_table(key.client, key.token_name)

    @admin.display(description="client")
    def client_link(self, key: ApiKey) -> str:
        return link(key.client)

    @admin.display(description="state")
    def state_now(self, key: ApiKey) -> str:
        return validity(key, timezone.now())

    @admin.display(description="newest sessions")
    def its_sessions(self, key: ApiKey) -> str:
        address = list_address(IssuedSession, token_name=key.token_name)
        rows = sessions_of_token(key.token_name)
        return session_table(rows, address, "All sessions of the key itself")

    @admin.display(description="newest job tokens")
    def its_job_tokens(self, key: ApiKey) -> str:
        address = list_address(JobToken, api_key=key.pk)
        rows = key.job_tokens.all()[:NEWEST]
        return job_token_table(rows, address, "All its job tokens")


class JobTokenPage(Page):
    """Which job holds it, what it opens and what the job did with it."""

    page_select_related = ("client", "api_key", "publisher__issuer", "ci_job")
    seen_with: ClassVar[Mapping[str, type[Model]]] = {
        "its_builds": Build,
        "its_sessions": IssuedSession,
        "refused_calls": Refusal,
    }
    questions = (
        ("Which job", ("token_name", "job", "client_link", "origin_link", "opens_links")),
        ("Its life", ("state_now", "created_at", "expires_at", "ended_at")),
        ("What the job did", ("its_builds", "its_sessions", "refused_calls")),
    )

    @admin.display(description="refused in the last 24 hours")
    def refused_calls(self, token: JobToken) -> str:
        return refusal_table(token.client, token.token_name)

    @admin.display(description="CI job")
    def job(self, token: JobToken) -> str:
        return ci_job(token)

    @admin.display(description="client")
    def client_link(self, token: JobToken) -> str:
        return link(token.client)

    @admin.display(description="came from")
    def origin_link(self, token: JobToken) -> str:
        return link(token.publisher or token.api_key)

    @admin.display(description="products")
    def opens_links(self, token: JobToken) -> str:
        return links(token.products.order_by("slug")[:NEWEST])

    @admin.display(description="state")
    def state_now(self, token: JobToken) -> str:
        return validity(token, timezone.now())

    @admin.display(description="builds")
    def its_builds(self, token: JobToken) -> str:
        owners = BuildOwner.objects.filter(job_token=token).select_related("build")
        builds = [owner.build for owner in owners.order_by("-build")[:NEWEST]]
        return table(BUILD_HEAD, build_cells(builds))

    @admin.display(description="newest sessions")
    def its_sessions(self, token: JobToken) -> str:
        key = token.api_key
        name = f"{key.token_name}/{token.token_name}" if key else token.token_name
        address = list_address(IssuedSession, token_name=name)
        return session_table(sessions_of_token(name), address, "All its sessions")
