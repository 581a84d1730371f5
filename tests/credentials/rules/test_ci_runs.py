"""The address of a CI job's run: only where every part has its form, and at the provider alone."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.ci_runs import LONGEST, run_address
from credentials.rules.publishers import ISSUERS, IssuerKind

UNKNOWN = dict.fromkeys(("repository", "workflow", "run_id", "run_number"), "")
GITHUB: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.GITHUB,
    "issuer": ISSUERS[IssuerKind.GITHUB],
    "repository": "octo-org/octo-repo",
    "run_id": "22259804324",
}
GITLAB: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.GITLAB,
    "issuer": ISSUERS[IssuerKind.GITLAB],
    "repository": "my-group/docs/guide",
    "run_id": "574",
}
WORKFLOW = "a2c4e6a8-0000-4000-8000-000000000008"
CIRCLECI: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.OTHER,
    "issuer": "https://oidc.circleci.com/org/a2c4e6a8-0000-4000-8000-000000000001",
    "workflow": WORKFLOW,
}
BUILDKITE: dict[str, Any] = UNKNOWN | {
    "kind": IssuerKind.OTHER,
    "issuer": "https://agent.buildkite.com",
    "repository": "octo/docs",
    "run_number": "5",
}
SERVER = "https://github.example.org:8443/_services/token"
RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "GitHub": (GITHUB, "https://github.com/octo-org/octo-repo/actions/runs/22259804324"),
    "GitHub's server": (
        GITHUB | {"issuer": SERVER},
        "https://github.example.org:8443/octo-org/octo-repo/actions/runs/22259804324",
    ),
    "GitHub with a host of its own": (
        GITHUB | {"issuer": "https://token.actions.octo.ghe.com"},
        "https://octo.ghe.com/octo-org/octo-repo/actions/runs/22259804324",
    ),
    "GitLab": (GITLAB, "https://gitlab.com/my-group/docs/guide/-/pipelines/574"),
    "GitLab of one's own": (
        GITLAB | {"issuer": "https://gitlab.example.org"},
        "https://gitlab.example.org/my-group/docs/guide/-/pipelines/574",
    ),
    "GitLab below a path": (
        GITLAB | {"issuer": "https://example.org/X/"},
        "https://example.org/X/my-group/docs/guide/-/pipelines/574",
    ),
    "CircleCI": (CIRCLECI, f"https://app.circleci.com/pipelines/workflows/{WORKFLOW}"),
    "Buildkite": (BUILDKITE, "https://buildkite.com/octo/docs/builds/5"),
    "another": (GITHUB | {"kind": IssuerKind.OTHER, "issuer": "https://ci.example.org"}, ""),
}


@pytest.mark.parametrize("provider", RUNS)
def test_run_has_its_providers_address(provider: str) -> None:
    job, address = RUNS[provider]
    assert run_address(**job) == address


@pytest.mark.parametrize(("beyond", "is_given"), [(0, True), (1, False)])
def test_address_is_given_up_to_the_longest(beyond: int, is_given: bool) -> None:  # noqa: FBT001
    around = len(run_address(**GITHUB | {"repository": "o/r"})) - len("r")
    repository = "o/" + "r" * (LONGEST - around + beyond)
    assert bool(run_address(**GITHUB | {"repository": repository})) is is_given


WRONG: dict[str, dict[str, Any]] = {
    "climbs": GITHUB | {"repository": "octo-org/.."},
    "other host": GITHUB | {"repository": "octo-org/repo@evil.example"},
    "query": GITHUB | {"repository": "octo-org/repo?x=1"},
    "line break": GITHUB | {"repository": "octo-org/octo-repo\n"},
    "script": GITHUB | {"repository": "javascript:alert(1)//x/y"},
    "no owner": GITHUB | {"repository": "octo-repo"},
    "too long": GITHUB | {"repository": "o/" + "r" * LONGEST},
    "run is no number": GITHUB | {"run_id": "1/../../evil"},
    "run is unknown": GITHUB | {"run_id": ""},
    "issuer that only looks like GitHub's": GITHUB
    | {"issuer": "https://token.actions.evil.example/x.ghe.com"},
    "issuer without TLS": GITLAB | {"issuer": "http://gitlab.example.org"},
    "workflow is a path": CIRCLECI | {"workflow": f"../{WORKFLOW}"},
    "three slugs": BUILDKITE | {"repository": "octo/docs/x"},
    "number with a sign": BUILDKITE | {"run_number": "-5"},
}


@pytest.mark.parametrize("case", WRONG)
def test_part_of_another_form_gives_no_address(case: str) -> None:
    assert run_address(**WRONG[case]) == ""


TEXTS = st.text() | st.from_regex(r"[A-Za-z0-9._/@:?#%-]{0,40}", fullmatch=True)
FACTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("repository", "workflow", "run_id", "run_number"), TEXTS)
)


@given(st.sampled_from([GITHUB, GITLAB, CIRCLECI, BUILDKITE]), FACTS)
def test_whatever_a_job_says_the_address_stays_at_its_provider(
    job: dict[str, Any], facts: dict[str, str]
) -> None:
    address = run_address(**job | facts)
    parts = urlsplit(address)
    hosts = {"github.com", "gitlab.com", "app.circleci.com", "buildkite.com"}
    assert address == "" or (parts.scheme, parts.netloc in hosts) == ("https", True)
    assert ".." not in parts.path.split("/")
    assert (parts.query, parts.fragment) == ("", "")
    assert len(address) <= LONGEST
