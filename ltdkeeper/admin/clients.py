"""Clients in the admin, with their grants, and what each has at the moment."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from builds.models import Build
from credentials.models import (
    ApiKey,
    Client,
    Grant,
    IssuedSession,
    JobToken,
    Refusal,
    Revocation,
    TrustedPublisher,
)
from ltdkeeper.admin.attention import LONGEST_SESSION
from ltdkeeper.admin.filters import ActiveState
from ltdkeeper.admin.forms import EditForm
from ltdkeeper.admin.keys import (
    BUILD_HEAD,
    build_cells,
    job_token_table,
    refusal_table,
    session_table,
    validity,
)
from ltdkeeper.admin.links import (
    ACTIVE,
    NEWEST,
    NOTHING,
    in_words,
    link,
    links,
    list_address,
    moment,
    newest,
    table,
)
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.records import SwitchedAdmin
from ltdkeeper.admin.revoke import RevocableAdmin

# How many of the newest sessions are looked through for where they were asked from.
LOOKED_THROUGH = 200


class GrantFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """Changing grants needs a reason, as editing the client does.

    Each box that removes a grant says so to whoever does not see the column's title.
    """

    def clean(self) -> None:
        super().clean()
        removed = any(getattr(form, "cleaned_data", {}).get("DELETE") for form in self.forms)
        is_edit = not self.instance._state.adding  # noqa: SLF001 - as Django's own forms do
        has_reason = bool(self.data.get("reason", "").strip())
        if is_edit and (removed or self.has_changed()) and not has_reason:
            raise ValidationError("Give the reason for changing the grants below.")

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = "Delete this grant"


class GrantInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Grant
    form = EditForm
    formset = GrantFormSet
    extra = 0
    autocomplete_fields = ("product",)

    def has_change_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        """A grant is made or removed: one that is there is shown, without a query of its own."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        return super().get_queryset(request).select_related("client", "product")


MAY_CREATE = in_words("may_create_products", yes="yes", no="no", name="may create products")


@admin.register(Client)
class ClientAdmin(Page, RevocableAdmin, SwitchedAdmin):
    """Machines that ask. They are disabled, not deleted: the record refers to them."""

    is_exported = True
    is_deletable = False
    list_display = ("name", ACTIVE, MAY_CREATE, "created_at")
    list_filter = (("is_active", ActiveState), "may_create_products")
    search_fields = ("name",)
    ordering = ("name",)
    inlines = (GrantInline,)
    revoked_as = "client"
    revoke_label = "Disable, and revoke sessions"
    editable = ("name", "may_create_products")
    seen_with = {
        "live_sessions": IssuedSession,
        "addresses": IssuedSession,
        "open_builds": Build,
        "keys": ApiKey,
        "publishers": TrustedPublisher,
        "job_tokens": JobToken,
        "refused_calls": Refusal,
    }
    questions = (
        (None, ("name", ACTIVE, "may_create_products", "created_at")),
        ("What it has", ("live_sessions", "open_builds")),
        ("Last addresses", ("addresses", "refused_calls")),
        ("Who acts as it", ("keys", "publishers", "job_tokens")),
    )

    @admin.action(description="Disable selected clients", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Client]) -> HttpResponse | None:
        return self.confirm(request, "end", queryset)

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
