"""Which conditions a rule may have. Pure.

Conditions map a claim to the values it may have; all must hold. There are no patterns: a value is
compared whole. What is refused here opens nothing either, even if a row was edited around the
form: minting asks again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builds.slugs import has_controls
from credentials.access.publishers.claims import KindClaims, claims_of
from credentials.access.publishers.issuers import IssuerKind

MAX_VALUES = 50
MAX_VALUE_LENGTH = 255
REF_TYPES = ("branch", "tag")
GITHUB_REF = {"branch": "refs/heads/", "tag": "refs/tags/"}
_NUMBER = re.compile(r"[1-9][0-9]{0,18}\Z")
_EVENT = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")

Conditions = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with a rule; `claim` is empty where it is the rule as a whole."""

    claim: str
    sentence: str


def problems(
    kind: IssuerKind, conditions: object, identifying: Sequence[str] = ()
) -> list[Problem]:
    """Everything that is wrong with conditions, which may be any JSON value; empty: legal.

    `identifying` are the claims that identify a project at an issuer of kind OTHER.
    """
    if not isinstance(conditions, dict) or not all(isinstance(name, str) for name in conditions):
        return [Problem(claim="", sentence="Conditions map claims to lists of values.")]
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


def warnings(kind: IssuerKind, conditions: object) -> list[str]:
    """What an operator should know about legal conditions: a sentence for each risky event."""
    known = claims_of(kind)
    named: Any = conditions.get(known.event, []) if isinstance(conditions, dict) else []
    return [sentence for event, sentence in known.risky_events.items() if event in named]


def _missing(known: KindClaims, conditions: Mapping[str, Any]) -> Iterator[Problem]:
    if not known.identifying:
        sentence = "The issuer does not say which claims identify a project. Name them there."
        yield Problem(claim="", sentence=sentence)
    for claim in known.identifying:
        if claim not in conditions:
            sentence = f"{claim} is required: without it the rule would let strangers in."
            yield Problem(claim=claim, sentence=sentence)
    if "ref" in conditions and "ref_type" not in conditions:
        sentence = "ref needs ref_type beside it: a tag can have the name of a branch."
        yield Problem(claim="ref_type", sentence=sentence)


def _illegal(known: KindClaims, conditions: Mapping[str, Any]) -> Iterator[Problem]:
    for claim, values in conditions.items():
        if not known.may_be_named(claim):
            yield Problem(claim=claim, sentence=f"{claim} is not a claim that a rule may name.")
        elif sentence := _illegal_values(values):
            yield Problem(claim=claim, sentence=sentence)
        elif claim in known.identifying and len(values) != 1:
            yield Problem(claim=claim, sentence=f"{claim} has one value: a rule is for one.")


def _illegal_values(values: object) -> str:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        return f"A list of 1 to {MAX_VALUES} values."
    for value in values:
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_VALUE_LENGTH:
            return f"Each value is text of 1 to {MAX_VALUE_LENGTH} characters."
        if has_controls(value) or value != value.strip():
            return "A value holds no control character and no space at its ends."
        if "*" in value:
            return "There are no wildcards: each value is compared whole."
    return ""


def _forms(kind: IssuerKind, known: KindClaims, conditions: Conditions) -> Iterator[Problem]:
    """What each kind's values look like; a value of another form could never match."""
    if kind is IssuerKind.OTHER:
        return
    for claim in known.identifying:
        if not _NUMBER.match(conditions[claim][0]):
            yield Problem(claim=claim, sentence=f"{claim} is a number, not a name.")
    for event in conditions.get(known.event, []):
        if not _EVENT.match(event):
            yield Problem(claim=known.event, sentence=f"{event!r} is not the name of an event.")
    for claim, allowed in (("ref_type", REF_TYPES), ("ref_protected", ("true", "false"))):
        if not set(conditions.get(claim, [])) <= set(allowed):
            yield Problem(claim=claim, sentence=f"{claim} is {' or '.join(allowed)}.")
    yield from _refs(kind, conditions)


def _refs(kind: IssuerKind, conditions: Conditions) -> Iterator[Problem]:
    heads = tuple(GITHUB_REF.get(ref_type, "-") for ref_type in conditions.get("ref_type", []))
    for ref in conditions.get("ref", []):
        if kind is IssuerKind.GITHUB and not ref.startswith(heads):
            sentence = f"{ref!r} is no ref of these types: write refs/heads/main or refs/tags/v1."
            yield Problem(claim="ref", sentence=sentence)
        if kind is IssuerKind.GITLAB and ref.startswith("refs/"):
            yield Problem(claim="ref", sentence="GitLab signs short names: write main or v1.")
