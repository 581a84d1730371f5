"""What signed claims say about the CI job that presents them. Pure; nothing is decided by it.

Claims are text that others chose: none has a control character here, and each fits its column.

Sources: GitHub, "OpenID Connect reference" (docs.github.com); GitLab, "OpenID Connect (OIDC)
authentication using ID tokens" (docs.gitlab.com); CircleCI, "Using OpenID Connect tokens in jobs"
(circleci.com/docs); Buildkite, "OIDC in Buildkite Pipelines" (buildkite.com/docs).
"""

from collections.abc import Mapping
from typing import Any

from builds.names import has_controls, short_ref
from credentials.rules.publishers import IssuerKind, text_of, value_of

FACT_LENGTH = 255
DESCRIBED_BY = {
    IssuerKind.GITHUB: ("repository", "event_name", "ref", "run_id", "run_attempt"),
    IssuerKind.GITLAB: ("project_path", "pipeline_source", "ref", "pipeline_id", "job_id"),
    IssuerKind.OTHER: ("sub",),
}
CIRCLECI = "oidc.circleci.com/"
# A fact about the job -> the claims that say it. Several are joined by a slash.
FACTS: dict[IssuerKind, dict[str, tuple[str, ...]]] = {
    IssuerKind.GITHUB: {
        "repository": ("repository",),
        "workflow": ("workflow",),
        "run_id": ("run_id",),
        "run_number": ("run_number",),
        "commit": ("sha",),
        "ref": ("ref",),
    },
    IssuerKind.GITLAB: {
        "repository": ("project_path",),
        "run_id": ("pipeline_id",),
        "job_id": ("job_id",),
        "commit": ("sha",),
        "ref": ("ref",),
    },
}
BUILDKITE_FACTS: dict[str, tuple[str, ...]] = {
    "repository": ("organization_slug", "pipeline_slug"),
    "run_number": ("build_number",),
    "job_id": ("job_id",),
    "commit": ("build_commit",),
    "ref": ("build_branch",),
}
CIRCLECI_FACTS: dict[str, tuple[str, ...]] = {
    "repository": (f"{CIRCLECI}vcs-origin",),
    "workflow": (f"{CIRCLECI}workflow-id",),
    "run_id": (f"{CIRCLECI}pipeline-id",),
    "job_id": (f"{CIRCLECI}job-id",),
    "ref": (f"{CIRCLECI}vcs-ref",),
}


def describe_job(kind: IssuerKind, signed_claims: Mapping[str, Any]) -> str:
    """What the provider calls the job, in one line for people to read."""
    return _words(signed_claims, DESCRIBED_BY[kind], " ")


def job_facts(kind: IssuerKind, signed_claims: Mapping[str, Any]) -> dict[str, str]:
    """What is known of the job, by the names of the fields of `CiJob`; absent where nothing is.

    Branches and tags are as people call them, commits in lower case.
    """
    claims_of_fact = FACTS.get(kind) or _other_facts(signed_claims)
    found = {fact: _words(signed_claims, claims, "/") for fact, claims in claims_of_fact.items()}
    found["ref"] = short_ref(found["ref"])
    found["commit"] = found.get("commit", "").lower()
    found["repository"] = found["repository"].removeprefix("github.com/")
    return {fact: text for fact, text in found.items() if text}


def _other_facts(signed_claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of an issuer that is neither. Nobody else signs CircleCI's claims, which carry its name."""
    return BUILDKITE_FACTS if "pipeline_slug" in signed_claims else CIRCLECI_FACTS


def _words(signed_claims: Mapping[str, Any], claims: tuple[str, ...], between: str) -> str:
    words = (text_of(value_of(signed_claims, claim)) for claim in claims)
    line = between.join(word for word in words if word)
    return "".join(character for character in line if not has_controls(character))[:FACT_LENGTH]
