"""Trusted publishers: which issuers are known, which conditions a rule may have, and whether the
signed claims of a CI job meet them. Pure.

Conditions map a claim to its allowed values; all must match. There are no patterns: values are
compared as a whole. Conditions refused here never grant anything, even if a row was edited
without the form: they are checked again with each identity token.

Identifying claims are numbers that a provider never reuses. Names of owners, repositories
and groups can be given up and taken by somebody else; `sub` is made of them, and its form changes
with the settings of a repository. Hence neither identifies anything here.

Sources: GitHub, "OpenID Connect reference" (docs.github.com); GitLab, "OpenID Connect (OIDC)
authentication using ID tokens" (docs.gitlab.com), and the `jwks_uri` of their discovery documents.
Nothing is discovered at run time: an address is fetched only when it stands in a row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from builds.names import has_controls

# No control character, space, quote or backslash: what is stored is what is fetched.
_ADDRESS = re.compile(r"https://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+\Z")


class IssuerKind(StrEnum):
    """Who issues: it decides which claims a rule may name."""

    GITHUB = "github"
    GITLAB = "gitlab"
    OTHER = "other"


ISSUERS = {
    IssuerKind.GITHUB: "https://token.actions.githubusercontent.com",
    IssuerKind.GITLAB: "https://gitlab.com",
}
KEYS_BELOW_ISSUER = {
    IssuerKind.GITHUB: "/.well-known/jwks",
    IssuerKind.GITLAB: "/oauth/discovery/keys",
}


def default_issuer(kind: IssuerKind) -> str:
    """The issuer of the provider's public service; empty where there is none."""
    return ISSUERS.get(kind, "")


def default_jwks_url(kind: IssuerKind, issuer: str) -> str:
    """Where a provider of a kind has its keys, as its `issuer` goes; empty where unknown."""
    below = KEYS_BELOW_ISSUER.get(kind)
    return issuer.rstrip("/") + below if below and issuer else ""


def is_https_address(text: str) -> bool:
    """Whether a text is an https address with a host, and neither credentials nor a fragment."""
    if not _ADDRESS.match(text):
        return False
    try:
        parts = urlsplit(text)
        has_legal_port = parts.port != 0
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc and "#" not in text and has_legal_port


# Not for rules: `sub` is made of names, and the rest is checked for every token.
NEVER_CONDITIONS = frozenset({"sub", "iss", "aud", "exp", "iat", "nbf", "jti"})
CLAIM_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99}\Z")


@dataclass(frozen=True, kw_only=True)
class KindClaims:
    """The claims of a kind of issuer: what must be named, and what else may be.

    `further` is None where any claim may be named. `event` is the claim that says what started
    the job, `usual_events` what it may be unless a rule says otherwise, and `risky_events` those
    that need a warning, with its words.
    """

    identifying: tuple[str, ...] = ()
    further: frozenset[str] | None = None
    event: str = ""
    usual_events: tuple[str, ...] = ()
    other_events: tuple[str, ...] = ()
    risky_events: Mapping[str, str] = field(default_factory=dict)

    def may_be_named(self, claim: str) -> bool:
        """Whether a rule may have a condition on a claim."""
        if claim in NEVER_CONDITIONS or not CLAIM_NAME.match(claim):
            return False
        return self.further is None or claim in self.further or claim in self.identifying


GITHUB = KindClaims(
    identifying=("repository_id", "repository_owner_id"),
    further=frozenset({"event_name", "ref", "ref_type", "job_workflow_ref", "environment"}),
    event="event_name",
    usual_events=("push", "workflow_dispatch", "schedule", "release"),
    other_events=("create", "deployment", "merge_group", "repository_dispatch"),
    risky_events={
        "pull_request_target": (
            "pull_request_target runs for anyone's pull request, and its ref claim is the "
            "base branch, refs/heads/main: a condition on ref does not keep strangers out. "
            "A single step that builds the pull request's code gives them the upload."
        ),
        "workflow_run": (
            "workflow_run may be triggered by a workflow that ran for anyone's pull "
            "request, and its ref claim is the default branch. It is safe only if the job "
            "treats the first workflow's output as data, after a person's approval."
        ),
        "issue_comment": (
            "issue_comment runs for anyone's comment, and its ref claim is the default branch."
        ),
        "pull_request": (
            "pull_request runs code that has not been reviewed yet. GitHub gives it no "
            "identity token in pull requests from forks, but does in those from branches."
        ),
    },
)

GITLAB = KindClaims(
    identifying=("project_id",),
    further=frozenset({"pipeline_source", "ref", "ref_type", "ref_protected", "environment"}),
    event="pipeline_source",
    usual_events=("push", "schedule", "web"),
    other_events=("api", "trigger", "pipeline", "parent_pipeline"),
    risky_events={
        "merge_request_event": (
            "merge_request_event runs code that has not been reviewed yet. Older GitLab "
            "versions give merge requests from forks the project_id of the target project."
        ),
        "external_pull_request_event": (
            "external_pull_request_event runs code that has not been reviewed yet."
        ),
    },
)


def claims_of(kind: IssuerKind, identifying: Sequence[str] = ()) -> KindClaims:
    """The claims of a kind; of any other issuer, those that its row says are `identifying`."""
    if kind is IssuerKind.GITHUB:
        return GITHUB
    return GITLAB if kind is IssuerKind.GITLAB else KindClaims(identifying=tuple(identifying))


MAX_VALUES = 50
MAX_VALUE_LENGTH = 255
REF_TYPES = ("branch", "tag")
GITHUB_REF = {"branch": "refs/heads/", "tag": "refs/tags/"}
_NUMBER = re.compile(r"[1-9][0-9]{0,18}\Z")
_EVENT = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")

UNKNOWN_EVENT = (
    "{} is not an event that this service knows. If it is misspelt, no job matches; otherwise "
    "check who can start it. Known events: {}."
)

Conditions = Mapping[str, Sequence[str]]


class Problem(NamedTuple):
    """What is wrong with a rule; `claim` is empty where it is the rule as a whole."""

    claim: str
    sentence: str


def condition_problems(
    kind: IssuerKind, conditions: object, identifying: Sequence[str] = ()
) -> list[Problem]:
    """Everything that is wrong with conditions, which may be any JSON value; empty: legal.

    `identifying` are the claims that identify a project at an issuer of kind OTHER.
    """
    if not isinstance(conditions, dict) or not all(isinstance(name, str) for name in conditions):
        return [Problem("", "Conditions map claims to lists of values.")]
    known = claims_of(kind, identifying)
    found = [*_missing(known, conditions), *_illegal(known, conditions)]
    return found or list(_forms(kind, known, conditions))


def with_usual_events(
    kind: IssuerKind, conditions: Conditions, identifying: Sequence[str] = ()
) -> dict[str, list[str]]:
    """The conditions, and where they do not say which events may start the job, the usual ones."""
    known = claims_of(kind, identifying)
    usual = {known.event: list(known.usual_events)} if known.event else {}
    return usual | {claim: list(values) for claim, values in conditions.items()}


def event_warnings(kind: IssuerKind, conditions: object) -> list[str]:
    """What an operator should know about legal conditions: a sentence for each risky event, and for
    each that is not known.
    """
    known = claims_of(kind)
    named = conditions.get(known.event) if known.event and isinstance(conditions, dict) else None
    if not isinstance(named, list):
        return []
    risky = [sentence for event, sentence in known.risky_events.items() if event in named]
    harmless = (*known.usual_events, *known.other_events)
    unknown = [each for each in named if each not in (*harmless, *known.risky_events)]
    return risky + [UNKNOWN_EVENT.format(each, ", ".join(harmless)) for each in unknown]


def _missing(known: KindClaims, conditions: Mapping[str, Any]) -> Iterator[Problem]:
    if not known.identifying:
        sentence = "The issuer does not say which claims identify a project. Name them there."
        yield Problem("", sentence)
    for claim in known.identifying:
        if claim not in conditions:
            sentence = f"{claim} is required: without it the rule would accept strangers."
            yield Problem(claim, sentence)
    if "ref" in conditions and "ref_type" not in conditions:
        sentence = "ref needs ref_type beside it: a tag can have the name of a branch."
        yield Problem("ref_type", sentence)


def _illegal(known: KindClaims, conditions: Mapping[str, Any]) -> Iterator[Problem]:
    for claim, values in conditions.items():
        if not known.may_be_named(claim):
            yield Problem(claim, f"{claim} is not a claim that a rule may name.")
        elif sentence := _illegal_values(values):
            yield Problem(claim, sentence)
        elif claim in known.identifying and len(values) != 1:
            yield Problem(claim, f"{claim} has one value: a rule is for one.")


def _illegal_values(values: object) -> str:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        return f"A list of 1 to {MAX_VALUES} values."
    for value in values:
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_VALUE_LENGTH:
            return f"Each value is text of 1 to {MAX_VALUE_LENGTH} characters."
        if has_controls(value) or value != value.strip():
            return "A value may not contain control characters, or spaces at its ends."
        if "*" in value:
            return "There are no wildcards: values are compared as a whole."
    return ""


def _forms(kind: IssuerKind, known: KindClaims, conditions: Conditions) -> Iterator[Problem]:
    """What each kind's values look like; a value of another form could never match."""
    if kind is IssuerKind.OTHER:
        return
    for claim in known.identifying:
        if not _NUMBER.match(conditions[claim][0]):
            yield Problem(claim, f"{claim} is a number, not a name.")
    for event in conditions.get(known.event, []):
        if not _EVENT.match(event):
            yield Problem(known.event, f"{event!r} is not the name of an event.")
    for claim, allowed in (("ref_type", REF_TYPES), ("ref_protected", ("true", "false"))):
        if not set(conditions.get(claim, [])) <= set(allowed):
            yield Problem(claim, f"{claim} is {' or '.join(allowed)}.")
    yield from _refs(kind, conditions)


def _refs(kind: IssuerKind, conditions: Conditions) -> Iterator[Problem]:
    heads = tuple(GITHUB_REF.get(ref_type, "-") for ref_type in conditions.get("ref_type", []))
    for ref in conditions.get("ref", []):
        if kind is IssuerKind.GITHUB and not ref.startswith(heads):
            sentence = f"{ref!r} is no ref of these types: write refs/heads/main or refs/tags/v1."
            yield Problem("ref", sentence)
        if kind is IssuerKind.GITLAB and ref.startswith("refs/"):
            yield Problem("ref", "GitLab signs short names: write main or v1.")


@dataclass(frozen=True, kw_only=True)
class Match:
    """How signed claims compare with a rule.

    `is_legal` is False for a rule that accepts no claims at all. `is_identified` says that the
    repository or project is the rule's own: only then may its owner learn what differs.
    `differing` are the claims that do not meet the rule.
    """

    is_legal: bool = True
    is_identified: bool = False
    differing: tuple[str, ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Whether everything is met. A rule without conditions accepts nobody."""
        return self.is_legal and self.is_identified and not self.differing


def match_claims(
    *,
    kind: IssuerKind,
    conditions: object,
    signed_claims: Mapping[str, Any],
    identifying: Sequence[str] = (),
) -> Match:
    """Whether verified claims meet the conditions of a rule; illegal conditions are never met."""
    if condition_problems(kind, conditions, identifying) or not isinstance(conditions, dict):
        return Match(is_legal=False)
    legal: Conditions = with_usual_events(kind, conditions, identifying)
    differing = tuple(
        claim
        for claim, values in legal.items()
        if text_of(value_of(signed_claims, claim)) not in values
    )
    project = claims_of(kind, identifying).identifying[0]
    return Match(is_identified=project not in differing, differing=differing)


def value_of(signed_claims: Mapping[str, Any], claim: str) -> Any:
    """What is signed under a name, or None.

    A name may be that of a member: AWS signs `aws_account` in the object
    `https://sts.amazonaws.com/`, so it is `https://sts.amazonaws.com/aws_account` here.
    """
    if claim in signed_claims:
        return signed_claims[claim]
    namespace, slash, member = claim.rpartition("/")
    members = signed_claims.get(namespace + slash) if slash else None
    return members.get(member) if isinstance(members, dict) else None


def text_of(value: object) -> str | None:
    """A signed value as rules write it: text as it is, whole numbers and truth as JSON has them.

    Anything else, such as a list or null, equals no value of a rule.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None
