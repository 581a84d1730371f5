"""OIDC issuers and trusted publishers in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from credentials.access.models import OidcIssuer, TrustedPublisher
from credentials.access.publishers.fields import fields_of
from credentials.access.publishers.forms import publisher_form
from credentials.access.publishers.issuers import IssuerKind
from credentials.access.publishers.jwks import KeysUnavailable, keys_at
from ltdkeeper.admin import SwitchedAdmin

CHOOSE_ISSUER = "admin/credentials/trustedpublisher/choose_issuer.html"


@admin.register(OidcIssuer)
class OidcIssuerAdmin(SwitchedAdmin):
    """CI providers. What rules rest on is frozen while there are rules."""

    list_display = ("issuer", "is_active", "kind", "jwks_url", "created_at")
    list_filter = ("is_active", "kind")
    search_fields = ("issuer",)
    fields = ("kind", "issuer", "jwks_url", "identifying_claims", "is_active")
    actions = (*SwitchedAdmin.actions, "fetch_keys")

    def get_readonly_fields(self, request: HttpRequest, obj: OidcIssuer | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        has_rules = obj is not None and obj.publishers.exists()
        return (*fields, "kind", "issuer", "identifying_claims") if has_rules else fields

    def switch_one(self, request: HttpRequest, row: Any, word: str, to: dict[str, Any]) -> bool:
        """Disabling disables the rules too: every token is refused whose rule is disabled."""
        rules: Any = self.admin_site.get_model_admin(TrustedPublisher)
        with transaction.atomic():
            if to == {"is_active": False}:
                for rule in row.publishers.all():
                    rules.switch_one(request, rule, word, to)
            return super().switch_one(request, row, word, to)

    @admin.action(
        description="Fetch the keys now, to see whether they can be had", permissions=["change"]
    )
    def fetch_keys(self, request: HttpRequest, queryset: QuerySet[OidcIssuer]) -> None:
        for issuer in queryset:
            try:
                count = len(keys_at(issuer.jwks_url).fetch_data().keys)
            except KeysUnavailable:
                words = f"{issuer}: the keys cannot be had. The log says why."
                self.message_user(request, words, messages.ERROR)
            else:
                self.message_user(request, f"{issuer}: {count} keys.")


@admin.register(TrustedPublisher)
class TrustedPublisherAdmin(SwitchedAdmin):
    """Rules. They are disabled, not deleted: tokens on record refer to them."""

    list_display = (
        "name",
        "is_active",
        "has_no_warning",
        "client",
        "identified_by",
        "issuer",
    )
    list_filter = ("is_active", "issuer", "client")
    list_select_related = ("client", "issuer")
    search_fields = ("name", "client__name")
    autocomplete_fields = ("client", "products")

    @admin.display(description="no warnings", boolean=True)
    def has_no_warning(self, rule: TrustedPublisher) -> bool:
        return not rule.warnings

    @admin.display(description="warnings")
    def warned(self, rule: TrustedPublisher) -> str:
        return "\n".join(rule.warnings) or "none"

    def get_form(
        self,
        request: HttpRequest,
        obj: TrustedPublisher | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 - as Django calls it
        **kwargs: Any,
    ) -> Any:
        kwargs["form"] = publisher_form(self._issuer(request, obj), obj)
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: TrustedPublisher | None = None) -> Any:
        issuer = self._issuer(request, obj)
        claims = tuple(fields_of(IssuerKind(issuer.kind), issuer.identifying_claims, {}))
        shown = ("warned", "created_at") if obj else ()
        return (
            (None, {"fields": ("name", "issuer", "client", "products", "is_active", *shown)}),
            ("Whom it lets in: all of these must hold", {"fields": claims}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: TrustedPublisher | None = None) -> Any:
        """Whom a rule stands for, and who signs for it, is settled when it is made."""
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "issuer", *(("client", "warned", "created_at") if obj else ()))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask first for the issuer: the form depends on its kind."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        issuers = list(OidcIssuer.objects.order_by("issuer"))
        if any(str(issuer.pk) == request.GET.get("issuer") for issuer in issuers):
            return super().add_view(request, form_url, extra_context)
        if len(issuers) == 1:
            return HttpResponseRedirect(f"?issuer={issuers[0].pk}")
        if not issuers:
            words = "Say first whose identity tokens are taken; then come back for the rule."
            self.message_user(request, words, messages.WARNING)
            return HttpResponseRedirect(reverse("admin:credentials_oidcissuer_add"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Add trusted publisher",
            "opts": self.opts,
            "issuers": issuers,
        }
        return TemplateResponse(request, CHOOSE_ISSUER, context)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        """Say at once what an operator may not have meant."""
        super().save_related(request, form, formsets, change)
        rule: TrustedPublisher = form.instance
        not_granted = rule.products.exclude(grants__client=rule.client).values_list(
            "slug", flat=True
        )
        for sentence in rule.warnings:
            self.message_user(request, sentence, messages.WARNING)
        for slug in not_granted:
            words = f"{rule.client} is not granted {slug}: the rule does not open it until it is."
            self.message_user(request, words, messages.WARNING)

    def has_delete_permission(
        self, request: HttpRequest, obj: TrustedPublisher | None = None
    ) -> bool:
        return False

    def _issuer(self, request: HttpRequest, rule: TrustedPublisher | None) -> OidcIssuer:
        if rule and rule.issuer_id:
            return rule.issuer
        return OidcIssuer.objects.get(pk=request.GET["issuer"])
