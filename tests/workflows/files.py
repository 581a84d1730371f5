"""The workflow files of the documentation, and what they use of this project."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
GITHUB, GITLAB = EXAMPLES / "github-actions.yml", EXAMPLES / "gitlab-ci.yml"
GITHUB_ONE_JOB = EXAMPLES / "github-one-job.yml"
PREVIEWS = EXAMPLES / "github-previews.yml"
GITHUB_AWS_CLI = EXAMPLES / "github-actions-aws-cli.yml"
GITLAB_AWS_CLI = EXAMPLES / "gitlab-ci-aws-cli.yml"
CIRCLECI, BUILDKITE = EXAMPLES / "circleci.yml", EXAMPLES / "buildkite.yml"
GITLAB_PREVIEWS = EXAMPLES / "gitlab-previews.yml"
ACTION, COMPONENT = ROOT / "action.yml", ROOT / "templates" / "upload.yml"
PREVIEW_COMPONENT = ROOT / "templates" / "previews.yml"
KEEPER = "https://keeper.example.org"


def read_workflow(path: Path, keeper: str = KEEPER) -> dict[str, Any]:
    """The file as a CI system reads it, once its user has put the service's address in."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text().replace(KEEPER, keeper))
    return loaded


def read_component(inputs: dict[str, str], path: Path = COMPONENT) -> dict[str, Any]:
    """The jobs that GitLab makes of a component."""
    header, _, jobs = path.read_text().rpartition("\n---\n")
    known = yaml.safe_load(header)["spec"]["inputs"] if header else {}
    inputs = with_defaults(inputs, known)
    jobs = re.sub(r"\$\[\[ inputs\.(\w+) ]]", lambda found: inputs[found[1]], jobs)
    made: dict[str, Any] = yaml.safe_load(jobs)
    return made


def with_defaults(inputs: dict[str, str], known: dict[str, Any]) -> dict[str, str]:
    """The inputs, and the defaults of the others; none is unknown."""
    assert set(inputs) <= set(known)
    return {name: inputs[name] if name in inputs else known[name]["default"] for name in known}
