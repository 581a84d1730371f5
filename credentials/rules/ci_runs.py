"""Where people see the run of a CI job at its provider. Pure.

What is known of a job was signed by its provider, but its text comes from whoever named the
repository: each part must have the form of what it is, or there is no address. Nothing is decided
by it.

Sources of the addresses: `GITHUB_SERVER_URL/GITHUB_REPOSITORY/actions/runs/GITHUB_RUN_ID`
("Variables reference", docs.github.com), `CI_PIPELINE_URL` ("Predefined CI/CD variables reference",
docs.gitlab.com), `BUILDKITE_BUILD_URL` ("Environment variables", buildkite.com/docs); CircleCI
redirects from a workflow's id to its pipeline.
"""

import re

from credentials.rules.publishers import ISSUERS, IssuerKind, is_https_address

LONGEST = 512

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
    return address if len(address) <= LONGEST and is_https_address(address) else ""


def _github(issuer: str) -> str:
    """Where the GitHub is that an issuer belongs to; empty where that is not known."""
    if issuer == ISSUERS[IssuerKind.GITHUB]:
        return "https://github.com"
    if server := _GITHUB_SERVER.match(issuer):
        return server[1]
    own_host = _GITHUB_HOST.match(issuer)
    return f"https://{own_host[1]}.ghe.com" if own_host else ""
