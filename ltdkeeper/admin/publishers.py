"""OIDC issuers and trusted publishers in the admin."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from credentials.access.identity_tokens import keys_at
from credentials.errors import JwksUnavailable
from credentials.models import JobToken, OidcIssuer, TrustedPublisher
from credentials.rules.publishers import GITHUB, GITLAB, IssuerKind, KindClaims, claims_of
from ltdkeeper.admin.filters import ActiveState
from ltdkeeper.admin.forms import EditForm
from ltdkeeper.admin.links import ACTIVE, NEWEST, linked, list_address, newest_and_all
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.records import SwitchedAdmin

# The fields that a rule has in the admin, by kind of issuer, and how they are conditions.

REF_TYPES = (("branch", "branch"), ("tag", "tag"))
CLAIMS = "other_claims"
_ROWS = {"rows": 3, "cols": 60}


class LinesField(forms.CharField):
    """Values, one per line; empty: every value of the claim is accepted."""

    def __init__(self, help_text: str) -> None:
        widget = forms.Textarea(attrs=_ROWS)
        super().__init__(required=False, help_text=help_text, widget=widget)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]


class NumberField(forms.CharField):
    """The number of a repository, owner or project: the one value of an identifying claim."""

    def __init__(self, help_text: str) -> None:
        super().__init__(max_length=19, help_text=help_text)

    def prepare_value(self, value: Any) -> Any:
        return "".join(value[:1]) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return [super().clean(value)]


class PairsField(LinesField):
    """Conditions as lines of `claim = value`; a claim with several values has several lines."""

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{claim} = {each}" for claim, values in value.items() for each in values)

    def clean(self, value: Any) -> Any:
        conditions: dict[str, list[str]] = {}
        for line in self.to_python(value):
            claim, equals, expected = line.partition("=")
            if not equals:
                raise forms.ValidationError("Write lines of claim = value.")
            conditions.setdefault(claim.strip(), []).append(expected.strip())
        return conditions


def _several(choices: Sequence[tuple[str, str]], help_text: str) -> forms.Field:
    return forms.MultipleChoiceField(
        choices=choices,
        required=False,
        help_text=help_text,
        widget=forms.CheckboxSelectMultiple,
    )


def _events(known: KindClaims, stored: Sequence[str], what: str) -> forms.Field:
    """Every event that is known, the risky ones marked, and what a rule names besides."""
    plain = (*known.usual_events, *known.other_events)
    further = [event for event in stored if event not in (*plain, *known.risky_events)]
    choices = [(event, event) for event in (*plain, *further)]
    choices += [(event, f"{event} (risky)") for event in known.risky_events]
    usual = ", ".join(known.usual_events)
    words = f"What may have started the {what}. None ticked: {usual}. Risky: it may be running "
    return _several(choices, words + "code that nobody has reviewed yet.")


_ENVIRONMENT = (
    "Names, one per line, written exactly as in the job. Empty: jobs without one "
    "are accepted too. With required approvals, a person decides about each upload."
)


def github_fields(conditions: Mapping[str, Any]) -> dict[str, forms.Field]:
    find = "gh api repos/OWNER/REPO --jq '.id, .owner.id' prints both."
    return {
        "repository_id": NumberField(f"A number. {find}"),
        "repository_owner_id": NumberField(f"The second number. {find}"),
        "event_name": _events(GITHUB, conditions.get("event_name", ()), "workflow"),
        "ref_type": _several(REF_TYPES, "None ticked: both. Needed beside ref."),
        "ref": LinesField("One per line: refs/heads/main, refs/tags/v1. Empty: all."),
        "environment": LinesField(_ENVIRONMENT),
        "job_workflow_ref": LinesField(
            "One per line: OWNER/REPO/.github/workflows/docs.yml@refs/heads/main. Empty: any "
            "workflow. It contains names: after a rename, the rule no longer matches."
        ),
    }


def gitlab_fields(conditions: Mapping[str, Any]) -> dict[str, forms.Field]:
    return {
        "project_id": NumberField(
            "A number. On the project's page, in the menu with three dots: Copy project ID."
        ),
        "pipeline_source": _events(GITLAB, conditions.get("pipeline_source", ()), "pipeline"),
        "ref_type": _several(REF_TYPES, "None ticked: both. Needed beside ref."),
        "ref": LinesField("One per line, short: main, v1. Empty: all."),
        "ref_protected": _several(
            (("true", "protected"), ("false", "not protected")), "None ticked: both."
        ),
        "environment": LinesField(_ENVIRONMENT),
    }


def other_fields(identifying: Sequence[str]) -> dict[str, forms.Field]:
    """One field for all claims of an issuer that is not known better."""
    required = ", ".join(identifying)
    return {
        CLAIMS: PairsField(
            f"Lines of claim = value. Required: {required}. A value is compared whole; several "
            "lines of one claim: any of them will do."
        )
    }


def fields_of(
    kind: IssuerKind, identifying: Sequence[str], conditions: Mapping[str, Any]
) -> dict[str, forms.Field]:
    """The fields for the conditions of a rule, by claim."""
    if kind is IssuerKind.GITHUB:
        return github_fields(conditions)
    return gitlab_fields(conditions) if kind is IssuerKind.GITLAB else other_fields(identifying)


# The form of a trusted publisher: a field for each claim that its kind of issuer knows.


class PublisherForm(EditForm):
    """A rule. Its conditions are put together from the fields of `claims`, and checked by the
    model: what that says about a claim stands at the claim's field.
    """

    issuer_row: ClassVar[OidcIssuer]
    claims: ClassVar[tuple[str, ...]] = ()

    class Meta:
        model = TrustedPublisher
        fields = ("name", "client", "products", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.instance.issuer = self.issuer_row
        stored = self.instance.conditions
        for claim in self.claims:
            self.initial[claim] = stored if claim == CLAIMS else stored.get(claim, [])
            self.fields[claim].label = "conditions" if claim == CLAIMS else claim
        event = claims_of(IssuerKind(self.issuer_row.kind)).event
        if self.instance.pk is None and event:
            self.initial[event] = list(claims_of(IssuerKind(self.issuer_row.kind)).usual_events)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if CLAIMS in self.claims:
            self.instance.conditions = self._values(CLAIMS, {CLAIMS: {}} | cleaned)
        else:
            given = {claim: self._values(claim, cleaned) for claim in self.claims}
            self.instance.conditions = {claim: values for claim, values in given.items() if values}
        return cleaned

    def _values(self, claim: str, cleaned: dict[str, Any]) -> Any:
        """Those of the rule as it is now where the page did not edit them."""
        stored = self.instance.conditions
        kept = stored if claim == CLAIMS else stored.get(claim, [])
        is_legal = isinstance(kept, dict if claim == CLAIMS else list)
        is_kept = self.is_edit and claim not in self.changed_data and is_legal
        return kept if is_kept else cleaned.get(claim)

    def add_error(self, field: str | None, error: Any) -> None:
        """Put the model's errors where their claims are; one for each field is enough."""
        if field is not None or not hasattr(error, "error_dict"):
            super().add_error(field, error)
            return
        for name, errors in error.error_dict.items():
            for each in errors:
                place = self._place(name, each)
                if place is None or place not in self.errors:
                    super().add_error(place, each)

    def _place(self, name: str, error: ValidationError) -> str | None:
        if name != NON_FIELD_ERRORS:
            return name
        return error.code if error.code in self.claims else None


def publisher_form(issuer: OidcIssuer, rule: TrustedPublisher | None) -> type[PublisherForm]:
    """The form for a rule of an issuer, new (None) or not."""
    stored = rule.conditions if rule and isinstance(rule.conditions, dict) else {}
    fields = fields_of(IssuerKind(issuer.kind), issuer.identifying_claims, stored)
    members = {"issuer_row": issuer, "claims": tuple(fields), **fields}
    return type("PublisherForm", (PublisherForm,), members)


CHOOSE_ISSUER = "admin/credentials/trustedpublisher/choose_issuer.html"
SEE_ALSO = ("its_client", "its_issuer", "its_job_tokens")


@admin.register(OidcIssuer)
class OidcIssuerAdmin(SwitchedAdmin):
    """CI providers. What rules rest on is frozen while there are rules."""

    is_exported = True
    list_display = ("issuer", ACTIVE, "kind", "jwks_url", "created_at")
    list_filter = (("is_active", ActiveState), "kind")
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

    @admin.action(description="Fetch the keys now", permissions=["change"])
    def fetch_keys(self, request: HttpRequest, queryset: QuerySet[OidcIssuer]) -> None:
        for issuer in queryset:
            try:
                count = len(keys_at(issuer.jwks_url).fetch_data().keys)
            except JwksUnavailable:
                words = f"{issuer}: the keys could not be fetched. The log says why."
                self.message_user(request, words, messages.ERROR)
            else:
                self.message_user(request, f"{issuer}: {count} keys.")


@admin.register(TrustedPublisher)
class TrustedPublisherAdmin(Page, SwitchedAdmin):
    """Rules. They are disabled, not deleted: tokens on record refer to them."""

    is_exported = True
    is_deletable = False
    list_display = ("name", ACTIVE, "warning_count", "client", "identified_by", "issuer")
    list_filter = (("is_active", ActiveState), "issuer", "client")
    list_select_related = ("client", "issuer")
    search_fields = ("name", "client__name")
    autocomplete_fields = ("client", "products")
    seen_with = {"its_job_tokens": JobToken}
    its_client, its_issuer = linked("client"), linked("issuer")

    @admin.display(description="newest job tokens")
    def its_job_tokens(self, rule: TrustedPublisher) -> str:
        address = list_address(JobToken, publisher=rule.pk)
        return newest_and_all(rule.job_tokens.all()[:NEWEST], address, "All its job tokens")

    @admin.display(description="warnings")
    def warning_count(self, rule: TrustedPublisher) -> str:
        return str(len(rule.warnings)) if rule.warnings else "none"

    @admin.display(description="warnings")
    def warned(self, rule: TrustedPublisher) -> str:
        return "\n".join(rule.warnings) or "none"

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        kwargs["form"] = publisher_form(self._issuer(request, obj), obj)
        return super().get_form(request, obj, *args, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: TrustedPublisher | None = None) -> Any:
        issuer = self._issuer(request, obj)
        claims = tuple(fields_of(IssuerKind(issuer.kind), issuer.identifying_claims, {}))
        state = (ACTIVE, "warned", "created_at") if obj else ("is_active",)
        sections = [
            (None, {"fields": ("name", "issuer", "client", "products", *state)}),
            ("Which jobs it accepts: all of these must match", {"fields": claims}),
        ]
        see_also = [self.section(request, "See also", SEE_ALSO)] if obj else []
        return [*sections, *see_also]

    def get_readonly_fields(self, request: HttpRequest, obj: TrustedPublisher | None = None) -> Any:
        """Whom a rule stands for, and who signs for it, is settled when it is made."""
        fields = super().get_readonly_fields(request, obj)
        settled = ("client", "warned", "created_at", *SEE_ALSO) if obj else ()
        return (*fields, "issuer", *settled)

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
            words = (
                "First add an issuer whose identity tokens are accepted, then come back for "
                "the rule."
            )
            self.message_user(request, words, messages.WARNING)
            return HttpResponseRedirect(reverse("admin:credentials_oidcissuer_add"))
        return self.page(request, CHOOSE_ISSUER, "Add trusted publisher", issuers=issuers)

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

    def _issuer(self, request: HttpRequest, rule: TrustedPublisher | None) -> OidcIssuer:
        if rule and rule.issuer_id:
            return rule.issuer
        return OidcIssuer.objects.get(pk=request.GET["issuer"])
