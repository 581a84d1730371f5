"""What can be read off the workflow files: short, no secret, rights where they are needed."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.shells import SHELLS
from tests.workflows.files import EXAMPLES, GITHUB, GITLAB, KEEPER, read_workflow

SECRETS = re.compile(r"secrets\.|\b(AKIA|ASIA)[A-Z0-9]|ltd[ksj]_[a-z0-9]|password|api.key", re.I)
FILES = [GITHUB, GITLAB]


def scripts(value: Any) -> list[str]:
    """Every text that a shell runs, wherever it stands."""
    if isinstance(value, list):
        return [script for each in value for script in scripts(each)]
    if not isinstance(value, dict):
        return []
    own = [value[name] for name in ("run", "script", "before_script") if name in value]
    texts = [text for each in own for text in ([each] if isinstance(each, str) else each)]
    return texts + [script for each in value.values() for script in scripts(each)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_short_and_holds_no_secret(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < 80
    assert SECRETS.findall(text) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shell_can_read_every_script(path: Path) -> None:
    found = scripts(read_workflow(path))
    assert len(found) >= 3
    for script in found:
        subprocess.run([*SHELLS["bash"], "-n", "-c", script], check=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_documentation_shows_the_file(path: Path) -> None:
    page = (EXAMPLES.parent / "ci.rst").read_text()
    assert f".. literalinclude:: examples/{path.name}" in page


def test_only_the_upload_on_github_may_ask_for_an_identity() -> None:
    workflow = read_workflow(GITHUB)
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["build"]["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["upload"]["permissions"] == {"id-token": "write"}


def test_only_the_upload_on_gitlab_has_an_identity() -> None:
    workflow = read_workflow(GITLAB)
    assert "id_tokens" not in workflow["build"]
    assert workflow["upload"]["id_tokens"] == {"IDENTITY_TOKEN": {"aud": KEEPER}}
    assert workflow["upload"]["variables"]["GIT_STRATEGY"] == "none"


def test_uploads_run_nothing_of_the_repository() -> None:
    uses = [step.get("uses", "") for step in read_workflow(GITHUB)["jobs"]["upload"]["steps"]]
    assert [each.partition("@")[0] for each in uses if each] == ["actions/download-artifact"]
