"""The workflow files of the documentation, and what they use of this project."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
GITHUB, GITLAB = EXAMPLES / "github-actions.yml", EXAMPLES / "gitlab-ci.yml"
PREVIEWS = EXAMPLES / "github-previews.yml"
GITHUB_AWS_CLI = EXAMPLES / "github-actions-aws-cli.yml"
GITLAB_AWS_CLI = EXAMPLES / "gitlab-ci-aws-cli.yml"
CIRCLECI, BUILDKITE = EXAMPLES / "circleci.yml", EXAMPLES / "buildkite.yml"
ACTION, COMPONENT = ROOT / "action.yml", ROOT / "templates" / "upload.yml"
KEEPER = "https://keeper.example.org"


def read_workflow(path: Path, keeper: str = KEEPER) -> dict[str, Any]:
    """The file as a CI system reads it, once its user has put the service's address in."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text().replace(KEEPER, keeper))
    return loaded


def read_component(inputs: dict[str, str]) -> dict[str, Any]:
    """The jobs that GitLab makes of the component."""
    _, jobs = COMPONENT.read_text().split("\n---\n")
    jobs = re.sub(r"\$\[\[ inputs\.(\w+) ]]", lambda found: inputs[found[1]], jobs)
    made: dict[str, Any] = yaml.safe_load(jobs)
    return made
