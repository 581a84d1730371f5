"""The fields that a rule has in the admin, by kind of issuer, and how they are conditions."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from credentials.access.publishers.claims import GITHUB, GITLAB, KindClaims
from credentials.access.publishers.issuers import IssuerKind

REF_TYPES = (("branch", "branch"), ("tag", "tag"))
CLAIMS = "other_claims"
_ROWS = {"rows": 3, "cols": 60}


class LinesField(forms.CharField):
    """Values, one a line; empty: whatever the claim says will do."""

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
    return _several(choices, words + "what nobody has looked at yet.")


_ENVIRONMENT = (
    "Names, one a line, written exactly as the job does. Empty: also jobs without one. With "
    "required approvals it lets a person decide about each upload."
)


def github_fields(conditions: Mapping[str, Any]) -> dict[str, forms.Field]:
    """One field for each claim of GitHub."""
    find = "gh api repos/OWNER/REPO --jq '.id, .owner.id' prints both."
    return {
        "repository_id": NumberField(f"A number. {find}"),
        "repository_owner_id": NumberField(f"The second number. {find}"),
        "event_name": _events(GITHUB, conditions.get("event_name", ()), "workflow"),
        "ref_type": _several(REF_TYPES, "None ticked: both. Needed beside ref."),
        "ref": LinesField("One a line: refs/heads/main, refs/tags/v1. Empty: all."),
        "environment": LinesField(_ENVIRONMENT),
        "job_workflow_ref": LinesField(
            "One a line: OWNER/REPO/.github/workflows/docs.yml@refs/heads/main. Empty: any "
            "workflow. It holds names: renaming the repository ends the rule's work."
        ),
    }


def gitlab_fields(conditions: Mapping[str, Any]) -> dict[str, forms.Field]:
    """One field for each claim of GitLab."""
    return {
        "project_id": NumberField(
            "A number. On the project's page, in the menu with three dots: Copy project ID."
        ),
        "pipeline_source": _events(GITLAB, conditions.get("pipeline_source", ()), "pipeline"),
        "ref_type": _several(REF_TYPES, "None ticked: both. Needed beside ref."),
        "ref": LinesField("One a line, short: main, v1. Empty: all."),
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
