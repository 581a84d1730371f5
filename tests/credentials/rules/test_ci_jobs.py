"""What is kept of the job that an identity token speaks of."""

from typing import Any

import pytest

from credentials.models import CiJob
from credentials.rules.ci_jobs import FACT_LENGTH, describe_job, job_facts
from credentials.rules.publishers import IssuerKind
from tests.oidc.identities import github, gitlab

ISSUER = "https://ci.example.org"
COMMIT = "c040cae0f0dc81641728557b80f09cfa23b83fe5"
BUILDKITE = {
    "organization_slug": "acme",
    "pipeline_slug": "docs",
    "build_number": 12,
    "job_id": "0184990a-477b-4fa8-9968-496074483cee",
    "build_commit": COMMIT.upper(),
    "build_branch": "main",
}
CIRCLECI = {
    "oidc.circleci.com/vcs-origin": "github.com/acme/docs",
    "oidc.circleci.com/vcs-ref": "refs/heads/main",
    "oidc.circleci.com/pipeline-id": "5034460f-c7c4-4c43-9457-de07e2029e7b",
}
FACTS: dict[str, tuple[IssuerKind, dict[str, Any], dict[str, str]]] = {
    "GitHub": (
        IssuerKind.GITHUB,
        github(ISSUER),
        {
            "repository": "octo-org/octo-repo",
            "workflow": "docs",
            "run_id": "22259804324",
            "run_number": "10",
            "commit": COMMIT,
            "ref": "main",
        },
    ),
    "GitLab": (
        IssuerKind.GITLAB,
        {**gitlab(ISSUER), "sha": COMMIT},
        {
            "repository": "my-group/my-project",
            "run_id": "574",
            "job_id": "302",
            "commit": COMMIT,
            "ref": "main",
        },
    ),
    "Buildkite": (
        IssuerKind.OTHER,
        BUILDKITE,
        {
            "repository": "acme/docs",
            "run_number": "12",
            "job_id": BUILDKITE["job_id"],
            "commit": COMMIT,
            "ref": "main",
        },
    ),
    "CircleCI": (
        IssuerKind.OTHER,
        CIRCLECI,
        {
            "repository": "acme/docs",
            "run_id": CIRCLECI["oidc.circleci.com/pipeline-id"],
            "ref": "main",
        },
    ),
    "another": (IssuerKind.OTHER, {"sub": "job 7"}, {}),
    "odd claims": (
        IssuerKind.GITHUB,
        {"repository": ["x"], "workflow": "a\nb\x1b"},
        {"workflow": "ab"},
    ),
}


@pytest.mark.parametrize("case", FACTS)
def test_facts_are_those_that_were_signed(case: str) -> None:
    kind, claims, expected = FACTS[case]
    assert job_facts(kind, claims) == expected


def test_every_fact_fits_its_column() -> None:
    claims = dict.fromkeys(github(ISSUER), "9" * 300)
    facts = job_facts(IssuerKind.GITHUB, claims)
    assert {len(text) for text in facts.values()} == {FACT_LENGTH}
    CiJob(**facts).clean_fields(exclude={"job_token"})


def test_job_is_described_in_one_printable_line() -> None:
    assert (
        describe_job(IssuerKind.GITLAB, gitlab(ISSUER)) == "my-group/my-project push main 574 302"
    )
    odd = {"repository": "a\nb\x1b[2J", "ref": ["x"], "run_id": "9" * 300}
    line = describe_job(IssuerKind.GITHUB, odd)
    assert line.startswith("ab[2J 999")
    assert len(line) == 255
    assert describe_job(IssuerKind.OTHER, {}) == ""
