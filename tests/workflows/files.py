"""The workflow files of the documentation."""

from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
GITHUB, GITLAB = EXAMPLES / "github-actions.yml", EXAMPLES / "gitlab-ci.yml"
KEEPER = "https://keeper.example.org"


def read_workflow(path: Path, keeper: str = KEEPER) -> dict[str, Any]:
    """The file as a CI system reads it, once its user has put the service's address in."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text().replace(KEEPER, keeper))
    return loaded
