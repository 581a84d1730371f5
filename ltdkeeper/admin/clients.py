"""Clients, API keys and the ledger in the admin. Job tokens and publishers are elsewhere."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.debug import sensitive_variables

from credentials.access.clients import make_api_key
from credentials.models import ApiKey, Client, Grant, JobToken
from credentials.models.validators import validate_networks
from credentials.rules.secret import Secret
from ltdkeeper.admin.caller_pages import ClientPage, JobTokenPage, KeyPage
from ltdkeeper.admin.filters import (
    ActiveState,
    ByKey,
    ByPublisher,
    JobTokenClient,
    JobTokenState,
    KeyClient,
)
from ltdkeeper.admin.links import ACTIVE, in_words
from ltdkeeper.admin.records import BigListAdmin, EditForm, SwitchedAdmin
from ltdkeeper.admin.revoke import RevocableAdmin

# The form that a key is made with in the admin. What it says cannot be changed afterwards.


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
    """The products a client may see and upload to."""

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
class ClientAdmin(RevocableAdmin, ClientPage, SwitchedAdmin):
    """Machines that ask. They are disabled, not deleted: the record refers to them."""

    is_exported = True
    list_display = ("name", ACTIVE, MAY_CREATE, "created_at")
    list_filter = (("is_active", ActiveState), "may_create_products")
    search_fields = ("name",)
    ordering = ("name",)
    inlines = (GrantInline,)
    revoked_as = "client"
    revoke_label = "Disable, and revoke sessions"

    @admin.action(description="Disable selected clients", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Client]) -> HttpResponse | None:
        return self.confirm(request, "end", queryset)

    def has_delete_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(RevocableAdmin, KeyPage):
    """Keys: created (and shown) once, revoked permanently, never changed."""

    is_exported = True
    list_display = ("token_name", "client", "label", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("revoked_at", "expires_at", KeyClient)
    list_select_related = ("client",)
    search_fields = ("public_id", "client__name", "label")
    autocomplete_fields = ("client", "products")
    actions = ("revoke",)
    revoked_as = "api_key"
    revoke_label = "Revoke key and sessions"

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        chosen = {} if obj else {"form": NewKeyForm}
        return super().get_form(request, obj, *args, **kwargs | chosen)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return NewKeyForm.Meta.fields
        return ()

    @admin.display(description="opens")
    def opens(self, key: ApiKey) -> str:
        """Its products, in words."""
        if key.all_products:
            return "all products of the client"
        granted = ", ".join(key.products.filter(clients=key.client).values_list("slug", flat=True))
        return f"only {granted}" if granted else "nothing: the client lost its grants"

    @admin.display(description="taken from")
    def taken_from(self, key: ApiKey) -> str:
        """Its networks, in words."""
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
        return self._show_once(request, obj, obj.shown_once)

    def _show_once(self, request: HttpRequest, key: ApiKey, secret: Secret) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "API key created",
            "opts": self.opts,
            "key": key,
            "opens": self.opens(key),
            "taken_from": self.taken_from(key),
            "secret": secret.reveal(),
        }
        response = TemplateResponse(request, SHOWN_ONCE, context)
        add_never_cache_headers(response)
        return response

    @admin.action(description="Revoke selected API keys", permissions=["change", "revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        return self.confirm(request, "end", queryset)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Whom Django lets change keys may revoke them; a single one is only looked at."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False


SHOWN_ONCE = "admin/credentials/apikey/shown_once.html"


# Job tokens in the admin.


@admin.register(JobToken)
class JobTokenAdmin(RevocableAdmin, JobTokenPage, BigListAdmin):
    """What CI jobs hold, to look at, and to end before its time."""

    list_display = (
        "token_name",
        *("state_now", "opens", "client", "origin", "identity", "created_at"),
    )
    list_filter = (JobTokenState, JobTokenClient, ByPublisher, ByKey)
    actions = ("revoke",)
    revoked_as = "job_token"
    revoke_label = "Revoke token and sessions"

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobToken]:
        tokens = super().get_queryset(request).select_related("client", "publisher", "api_key")
        return tokens.prefetch_related("products")

    @admin.display(description="came from")
    def origin(self, token: JobToken) -> str:
        return str(token.publisher or token.api_key)

    @admin.display(description="products")
    def opens(self, token: JobToken) -> str:
        return ", ".join(sorted(product.slug for product in token.products.all()))

    @admin.action(description="Revoke selected job tokens", permissions=["change", "revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[JobToken]) -> HttpResponse | None:
        return self.confirm(request, "end", queryset)
