"""What is said of a CI job, and the address of its run: only at the provider, or none."""

from typing import Any
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from credentials.models import CiJob
from credentials.rules.ci_jobs import (
    FACT_LENGTH,
    LONGEST_ADDRESS,
    describe_job,
    job_facts,
    run_address,
)
from credentials.rules.publishers import ISSUERS, IssuerKind
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


def test_facts_are_those_that_were_signed() -> None:
    for case, (kind, claims, expected) in FACTS.items():
        assert job_facts(kind, claims) == expected, case


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


UNKNOWN = dict.fromkeys(("repository", "workflow", "run_id", "run_number"), "")
GITHUB_RUN: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.GITHUB,
    "issuer": ISSUERS[IssuerKind.GITHUB],
    "repository": "octo-org/octo-repo",
    "run_id": "22259804324",
}
GITLAB_RUN: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.GITLAB,
    "issuer": ISSUERS[IssuerKind.GITLAB],
    "repository": "my-group/docs/guide",
    "run_id": "574",
}
WORKFLOW = "a2c4e6a8-0000-4000-8000-000000000008"
CIRCLECI_RUN: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.OTHER,
    "issuer": "https://oidc.circleci.com/org/a2c4e6a8-0000-4000-8000-000000000001",
    "workflow": WORKFLOW,
}
BUILDKITE_RUN: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.OTHER,
    "issuer": "https://agent.buildkite.com",
    "repository": "octo/docs",
    "run_number": "5",
}
SERVER = "https://github.example.org:8443/_services/token"
RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "GitHub": (GITHUB_RUN, "https://github.com/octo-org/octo-repo/actions/runs/22259804324"),
    "GitHub's server": (
        GITHUB_RUN | {"issuer": SERVER},
        "https://github.example.org:8443/octo-org/octo-repo/actions/runs/22259804324",
    ),
    "GitHub with a host of its own": (
        GITHUB_RUN | {"issuer": "https://token.actions.octo.ghe.com"},
        "https://octo.ghe.com/octo-org/octo-repo/actions/runs/22259804324",
    ),
    "GitLab": (GITLAB_RUN, "https://gitlab.com/my-group/docs/guide/-/pipelines/574"),
    "GitLab of one's own": (
        GITLAB_RUN | {"issuer": "https://gitlab.example.org"},
        "https://gitlab.example.org/my-group/docs/guide/-/pipelines/574",
    ),
    "GitLab below a path": (
        GITLAB_RUN | {"issuer": "https://example.org/X/"},
        "https://example.org/X/my-group/docs/guide/-/pipelines/574",
    ),
    "CircleCI": (CIRCLECI_RUN, f"https://app.circleci.com/pipelines/workflows/{WORKFLOW}"),
    "Buildkite": (BUILDKITE_RUN, "https://buildkite.com/octo/docs/builds/5"),
    "another": (GITHUB_RUN | {"kind": IssuerKind.OTHER, "issuer": "https://ci.example.org"}, ""),
}


def test_run_has_its_providers_address() -> None:
    for provider, (job, address) in RUNS.items():
        assert run_address(**job) == address, provider


def test_address_is_given_up_to_the_longest() -> None:
    for beyond, is_given in [(0, True), (1, False)]:
        around = len(run_address(**GITHUB_RUN | {"repository": "o/r"})) - len("r")
        repository = "o/" + "r" * (LONGEST_ADDRESS - around + beyond)
        assert bool(run_address(**GITHUB_RUN | {"repository": repository})) is is_given, beyond


WRONG: dict[str, dict[str, Any]] = {
    "climbs": GITHUB_RUN | {"repository": "octo-org/.."},
    "other host": GITHUB_RUN | {"repository": "octo-org/repo@evil.example"},
    "query": GITHUB_RUN | {"repository": "octo-org/repo?x=1"},
    "line break": GITHUB_RUN | {"repository": "octo-org/octo-repo\n"},
    "script": GITHUB_RUN | {"repository": "javascript:alert(1)//x/y"},
    "no owner": GITHUB_RUN | {"repository": "octo-repo"},
    "too long": GITHUB_RUN | {"repository": "o/" + "r" * LONGEST_ADDRESS},
    "run is no number": GITHUB_RUN | {"run_id": "1/../../evil"},
    "run is unknown": GITHUB_RUN | {"run_id": ""},
    "issuer that only looks like GitHub's": GITHUB_RUN
    | {"issuer": "https://token.actions.evil.example/x.ghe.com"},
    "issuer without TLS": GITLAB_RUN | {"issuer": "http://gitlab.example.org"},
    "workflow is a path": CIRCLECI_RUN | {"workflow": f"../{WORKFLOW}"},
    "three slugs": BUILDKITE_RUN | {"repository": "octo/docs/x"},
    "number with a sign": BUILDKITE_RUN | {"run_number": "-5"},
}


def test_part_of_another_form_gives_no_address() -> None:
    for case, changes in WRONG.items():
        assert run_address(**changes) == "", case


TEXTS = st.text() | st.from_regex(r"[A-Za-z0-9._/@:?#%-]{0,40}", fullmatch=True)
ANY_FACTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("repository", "workflow", "run_id", "run_number"), TEXTS)
)


@given(st.sampled_from([GITHUB_RUN, GITLAB_RUN, CIRCLECI_RUN, BUILDKITE_RUN]), ANY_FACTS)
def test_whatever_a_job_says_the_address_stays_at_its_provider(
    job: dict[str, Any], facts: dict[str, str]
) -> None:
    address = run_address(**job | facts)
    parts = urlsplit(address)
    hosts = {"github.com", "gitlab.com", "app.circleci.com", "buildkite.com"}
    assert address == "" or (parts.scheme, parts.netloc in hosts) == ("https", True)
    assert ".." not in parts.path.split("/")
    assert (parts.query, parts.fragment) == ("", "")
    assert len(address) <= LONGEST_ADDRESS
