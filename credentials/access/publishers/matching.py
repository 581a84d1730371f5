"""Whether signed claims meet a rule's conditions, with the reason. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builds.slugs import has_controls
from credentials.access.publishers.claims import claims_of
from credentials.access.publishers.conditions import Conditions, problems, with_usual_events
from credentials.access.publishers.issuers import IssuerKind

IDENTITY_LENGTH = 255
DESCRIBED_BY = {
    IssuerKind.GITHUB: ("repository", "event_name", "ref", "run_id", "run_attempt"),
    IssuerKind.GITLAB: ("project_path", "pipeline_source", "ref", "pipeline_id", "job_id"),
    IssuerKind.OTHER: ("sub",),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a rule says to an identity.

    `is_legal` is False for a rule that lets nobody in, whatever it is shown. `is_identified` says
    that the repository or project is the rule's own: only then may its owner be told what
    differs. `differing` are the claims that do not meet the rule.
    """

    is_legal: bool = True
    is_identified: bool = False
    differing: tuple[str, ...] = ()

    @property
    def lets_in(self) -> bool:
        """Whether everything is met. A rule without conditions lets nobody in."""
        return self.is_legal and self.is_identified and not self.differing


def judge(
    *,
    kind: IssuerKind,
    conditions: object,
    signed_claims: Mapping[str, Any],
    identifying: Sequence[str] = (),
) -> Verdict:
    """Whether verified claims meet the conditions of a rule; illegal conditions are never met."""
    if problems(kind, conditions, identifying) or not isinstance(conditions, dict):
        return Verdict(is_legal=False)
    legal: Conditions = with_usual_events(kind, conditions, identifying)
    differing = tuple(
        claim
        for claim, values in legal.items()
        if text_of(value_of(signed_claims, claim)) not in values
    )
    project = claims_of(kind, identifying).identifying[0]
    return Verdict(is_identified=project not in differing, differing=differing)


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


def describe(kind: IssuerKind, signed_claims: Mapping[str, Any]) -> str:
    """What the provider calls the job, for people to read; nothing is decided by it."""
    words = (text_of(signed_claims.get(claim)) for claim in DESCRIBED_BY[kind])
    line = " ".join(word for word in words if word)
    return "".join(character for character in line if not has_controls(character))[:IDENTITY_LENGTH]
