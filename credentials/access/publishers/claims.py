"""Which signed claims a rule may name, by kind of issuer. Pure.

Identifying claims are numbers that a provider never gives out again. Names of owners, repositories
and groups can be given up and taken by somebody else; `sub` is made of them, and its form changes
with the settings of a repository. Hence neither identifies anything here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from credentials.access.publishers.issuers import IssuerKind

# Not for rules: `sub` is made of names, and the rest is checked for every token.
NEVER_CONDITIONS = frozenset({"sub", "iss", "aud", "exp", "iat", "nbf", "jti"})
CLAIM_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99}\Z")


@dataclass(frozen=True, kw_only=True)
class KindClaims:
    """The claims of a kind of issuer: what must be named, and what else may be.

    `further` is None where any claim may be named. `event` is the claim that tells what started
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
            "pull_request_target runs for anybody's pull request, and its ref claim is the base "
            "branch, refs/heads/main: a condition on ref does not keep strangers out. One step "
            "that builds the pull request's code hands them the upload."
        ),
        "workflow_run": (
            "workflow_run may be started by a workflow that ran for anybody's pull request, and "
            "its ref claim is the default branch. Safe only if the job treats what the first "
            "workflow made as data, after a person's approval."
        ),
        "issue_comment": (
            "issue_comment runs for anybody's comment, and its ref claim is the default branch."
        ),
        "pull_request": (
            "pull_request runs code that nobody has reviewed yet. GitHub gives it no identity "
            "token in pull requests from forks, but it does in those from branches."
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
            "merge_request_event runs code that nobody has reviewed yet. Older GitLab versions "
            "give merge requests from forks the project_id of the target project."
        ),
        "external_pull_request_event": (
            "external_pull_request_event runs code that nobody has reviewed yet."
        ),
    },
)


def claims_of(kind: IssuerKind, identifying: Sequence[str] = ()) -> KindClaims:
    """The claims of a kind; of any other issuer, those that its row says are `identifying`."""
    if kind is IssuerKind.GITHUB:
        return GITHUB
    return GITLAB if kind is IssuerKind.GITLAB else KindClaims(identifying=tuple(identifying))
