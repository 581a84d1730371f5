"""What is known of a CI job: by its signed claims, and where people see its run. Pure.

Nothing is decided by it. Claims are text that others chose: none has a control character here, each
fits its column, and there is no address of a run unless each part has the form of what it is.

Sources of the claims: GitHub, "OpenID Connect reference" (docs.github.com); GitLab, "OpenID Connect
(OIDC) authentication using ID tokens" (docs.gitlab.com); CircleCI, "Using OpenID Connect tokens in
jobs" (circleci.com/docs); Buildkite, "OIDC in Buildkite Pipelines" (buildkite.com/docs). Of the
addresses: `GITHUB_SERVER_URL/GITHUB_REPOSITORY/actions/runs/GITHUB_RUN_ID` ("Variables reference",
docs.github.com), `CI_PIPELINE_URL` ("Predefined CI/CD variables reference", docs.gitlab.com),
`BUILDKITE_BUILD_URL` ("Environment variables", buildkite.com/docs); CircleCI redirects from a
workflow's id to its pipeline.
"""

import re
from collections.abc import Mapping
from typing import Any

from builds.names import has_controls, short_ref
from credentials.rules.publishers import ISSUERS, IssuerKind, is_https_address, text_of, value_of

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


LONGEST_ADDRESS = 512

_PART = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})+\Z")
_TWO_SLUGS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}\Z")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

# The issuers of GitHub Enterprise Server, and of GitHub Enterprise Cloud with a host of its own.
_GITHUB_SERVER = re.compile(r"(https://[A-Za-z0-9.-]+(?::[0-9]+)?)/_services/token\Z")
_GITHUB_HOST = re.compile(r"https://token\.actions\.([a-z0-9-]+)\.ghe\.com\Z")
_CIRCLECI = re.compile(r"https://oidc\.circleci\.com/org/[0-9a-f-]{36}\Z")
_BUILDKITE = "https://agent.buildkite.com"


def run_address(
    *,
    kind: IssuerKind,
    issuer: str,
    repository: str,
    workflow: str,
    run_id: str,
    run_number: str,
) -> str:
    """The https address of a job's run; empty where the provider or the run is not known."""
    if kind is IssuerKind.GITHUB and _REPOSITORY.match(repository) and _NUMBER.match(run_id):
        address = f"{_github(issuer)}/{repository}/actions/runs/{run_id}"
    elif kind is IssuerKind.GITLAB and _REPOSITORY.match(repository) and _NUMBER.match(run_id):
        # The issuer is the address of the instance itself.
        address = f"{issuer.rstrip('/')}/{repository}/-/pipelines/{run_id}"
    elif _CIRCLECI.match(issuer) and _UUID.match(workflow):
        address = f"https://app.circleci.com/pipelines/workflows/{workflow}"
    elif issuer == _BUILDKITE and _TWO_SLUGS.match(repository) and _NUMBER.match(run_number):
        address = f"https://buildkite.com/{repository}/builds/{run_number}"
    else:
        return ""
    return address if len(address) <= LONGEST_ADDRESS and is_https_address(address) else ""


def _github(issuer: str) -> str:
    """Where the GitHub is that an issuer belongs to; empty where that is not known."""
    if issuer == ISSUERS[IssuerKind.GITHUB]:
        return "https://github.com"
    if server := _GITHUB_SERVER.match(issuer):
        return server[1]
    own_host = _GITHUB_HOST.match(issuer)
    return f"https://{own_host[1]}.ghe.com" if own_host else ""
