"""The form of a trusted publisher: a field for each claim that its kind of issuer knows."""

from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from credentials.access.models import OidcIssuer, TrustedPublisher
from credentials.access.publishers.claims import claims_of
from credentials.access.publishers.fields import CLAIMS, fields_of
from credentials.access.publishers.issuers import IssuerKind
from ltdkeeper.admin import EditForm


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
