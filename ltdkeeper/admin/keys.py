"""API keys and job tokens in the admin: what each opens, where it was used, what it gave."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_variables

from builds.models import Build
from credentials.access.clients import make_api_key
from credentials.models import ApiKey, BuildOwner, Client, IssuedSession, JobToken, Refusal
from credentials.models.validators import validate_networks
from credentials.operations.lookup import name_in_ledger
from ltdkeeper.admin.filters import (
    ByKey,
    ByPublisher,
    JobTokenClient,
    JobTokenState,
    KeyClient,
    KeyState,
)
from ltdkeeper.admin.forms import EditForm
from ltdkeeper.admin.links import (
    NEWEST,
    NOTHING,
    anchor,
    link,
    linked,
    links,
    list_address,
    moment,
    newest,
    table,
)
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.records import BigListAdmin
from ltdkeeper.admin.refusals import refused_calls_of
from ltdkeeper.admin.revoke import RevocableAdmin
from ltdkeeper.admin.tokens import ci_job

SHOWN_ONCE = "admin/credentials/apikey/shown_once.html"
BUILD_HEAD = ("Build", "State", "Registered")


def validity(row: ApiKey | JobToken, now: datetime) -> str:
    """Whether a token still opens anything; what it came from may be disabled besides."""
    ended_at = row.revoked_at if isinstance(row, ApiKey) else row.ended_at
    if ended_at:
        return f"revoked {moment(ended_at)}"
    if row.expires_at and row.expires_at <= now:
        return f"expired {moment(row.expires_at)}"
    return "active" if row.client.is_active else "active again if its client is enabled"


def session_table(rows: Iterable[IssuedSession], address: str, what: str) -> str:
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
            format_html("{} {}", anchor(line.address, line.text), line.note),
            line.calls,
            moment(line.first_at),
            moment(line.last_at),
        )
        for line in refused_calls_of(client, timezone.now(), token_name).lines
    )
    return table(("Reason", "Calls", "First", "Last"), cells)


def build_cells(rows: Iterable[Build]) -> list[tuple[str, str, str]]:
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


class TokenPage(Page, RevocableAdmin):
    """What the pages of keys and job tokens have in common."""

    page_select_related: ClassVar[Sequence[str]] = ("client",)
    client_link = linked("client")
    actions = ("revoke",)

    @admin.action(
        description="Revoke selected %(verbose_name_plural)s", permissions=["change", "revoke"]
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self.confirm(request, "end", queryset)

    @admin.display(description="state")
    def state_now(self, row: ApiKey | JobToken) -> str:
        return validity(row, timezone.now())

    @admin.display(description="refused in the last 24 hours")
    def refused_calls(self, row: ApiKey | JobToken) -> str:
        return refusal_table(row.client, row.token_name)


class NetworksField(forms.CharField):
    """Networks as people write them: one per line, or separated by commas."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 40, "spellcheck": "false"})
    default_validators = [validate_networks]

    def to_python(self, value: Any) -> Any:
        return str(value or "").replace(",", " ").split()


class NewKeyForm(EditForm):
    """Refuses keys that could never open anything, and limits that contradict each other."""

    networks = NetworksField(
        required=False,
        help_text=(
            "One per line, such as 192.0.2.0/24 or 2001:db8::/32: the key, and every token "
            "requested with it, is accepted from there only. Empty: from everywhere."
        ),
    )

    class Meta:
        model = ApiKey
        fields = ("client", "label", "expires_at", "all_products", "products", "networks")

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise ValidationError(
                "That time is past. Choose a later one, or leave the field empty."
            )
        return expires_at

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if "products" in cleaned and "client" in cleaned:
            self._check_products(cleaned)
        return cleaned

    def _check_products(self, cleaned: dict[str, Any]) -> None:
        products = cleaned["products"]
        if cleaned["all_products"] and products:
            self.add_error("products", "Untick all products, or name none here.")
        if not cleaned["all_products"] and not products:
            self.add_error("products", "Name a product, or tick all products.")
        foreign = products.exclude(grants__client=cleaned["client"])
        if foreign:
            names = ", ".join(product.slug for product in foreign)
            self.add_error("products", f"The client is not granted: {names}. Grant it first.")


@admin.register(ApiKey)
class ApiKeyAdmin(TokenPage):
    """Keys: created (and shown) once, revoked permanently, never changed."""

    is_exported = True
    is_deletable = False
    list_display = ("token_name", "client", "label", "last_used_at", "expires_at", "revoked_at")
    list_filter = (KeyState, KeyClient)
    list_select_related = ("client",)
    search_fields = ("public_id", "client__name", "label")
    autocomplete_fields = ("client", "products")
    revoked_as = "api_key"
    revoke_label = "Revoke key and sessions"
    seen_with = {
        "its_sessions": IssuedSession,
        "its_job_tokens": JobToken,
        "refused_calls": Refusal,
    }
    questions = (
        ("Whose it is", ("token_name", "client_link", "label", "opens", "taken_from")),
        ("Its life", ("state_now", "created_at", "expires_at", "last_used_at", "revoked_at")),
        ("What it issued", ("its_sessions", "its_job_tokens")),
        ("What was refused", ("refused_calls",)),
    )

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        chosen = {} if obj else {"form": NewKeyForm}
        return super().get_form(request, obj, *args, **kwargs | chosen)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return NewKeyForm.Meta.fields
        return ()

    @admin.display(description="opens")
    def opens(self, key: ApiKey) -> str:
        if key.all_products:
            return "all products of the client"
        granted = ", ".join(key.products.filter(clients=key.client).values_list("slug", flat=True))
        return f"only {granted}" if granted else "nothing: the client lost its grants"

    @admin.display(description="taken from")
    def taken_from(self, key: ApiKey) -> str:
        return ", ".join(key.networks) or "everywhere"

    @sensitive_variables("secret")
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Adding goes through the service; nothing else is ever saved."""
        key, secret = make_api_key(
            client=obj.client,
            actor=request.user,
            label=obj.label,
            expires_at=obj.expires_at,
            products=None if obj.all_products else form.cleaned_data["products"],
            networks=obj.networks,
        )
        obj.pk, obj.public_id, obj.shown_once = key.pk, key.public_id, secret

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        """`make_api_key` has written the products."""

    def log_addition(self, request: HttpRequest, obj: ApiKey, message: Any) -> LogEntry:
        """`make_api_key` has written the entry."""
        return LogEntry.objects.filter(object_id=str(obj.pk)).latest("pk")

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the key on this one page: not in a message, which would be stored."""
        return self.page(
            request,
            SHOWN_ONCE,
            "API key created",
            key=obj,
            opens=self.opens(obj),
            taken_from=self.taken_from(obj),
            secret=obj.shown_once.reveal(),
        )

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Whom Django lets change keys may revoke them; a single one is only looked at."""
        return obj is None and super().has_change_permission(request)

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


@admin.register(JobToken)
class JobTokenAdmin(TokenPage, BigListAdmin):
    """What CI jobs hold, to look at, and to end before its time."""

    list_display = (
        "token_name",
        *("state_now", "opens", "client", "origin", "identity", "created_at"),
    )
    list_filter = (JobTokenState, JobTokenClient, ByPublisher, ByKey)
    revoked_as = "job_token"
    revoke_label = "Revoke token and sessions"
    page_select_related = ("client", "api_key", "publisher__issuer", "ci_job")
    seen_with = {
        "its_builds": Build,
        "its_sessions": IssuedSession,
        "refused_calls": Refusal,
    }
    questions = (
        ("Which job", ("token_name", "job", "client_link", "origin_link", "opens_links")),
        ("Its life", ("state_now", "created_at", "expires_at", "ended_at")),
        ("What the job did", ("its_builds", "its_sessions", "refused_calls")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobToken]:
        tokens = super().get_queryset(request).select_related("client", "publisher", "api_key")
        return tokens.prefetch_related("products")

    @admin.display(description="came from")
    def origin(self, token: JobToken) -> str:
        return str(token.publisher or token.api_key)

    @admin.display(description="products")
    def opens(self, token: JobToken) -> str:
        return ", ".join(sorted(product.slug for product in token.products.all()))

    @admin.display(description="CI job")
    def job(self, token: JobToken) -> str:
        return ci_job(token)

    @admin.display(description="came from")
    def origin_link(self, token: JobToken) -> str:
        return link(token.publisher or token.api_key)

    @admin.display(description="products")
    def opens_links(self, token: JobToken) -> str:
        return links(token.products.order_by("slug")[:NEWEST])

    @admin.display(description="builds")
    def its_builds(self, token: JobToken) -> str:
        owners = BuildOwner.objects.filter(job_token=token).select_related("build")
        builds = [owner.build for owner in owners.order_by("-build")[:NEWEST]]
        return table(BUILD_HEAD, build_cells(builds))

    @admin.display(description="newest sessions")
    def its_sessions(self, token: JobToken) -> str:
        name = name_in_ledger(token)
        address = list_address(IssuedSession, token_name=name)
        return session_table(sessions_of_token(name), address, "All its sessions")
