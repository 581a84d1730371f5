"""What can be read off the workflow files: short, no secret, rights where they are needed."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shells import SHELLS
from tests.workflows.files import (
    ACTION,
    BUILDKITE,
    CIRCLECI,
    COMPONENT,
    EXAMPLES,
    GITHUB,
    GITHUB_AWS_CLI,
    GITHUB_ONE_JOB,
    GITLAB,
    GITLAB_AWS_CLI,
    GITLAB_PREVIEWS,
    KEEPER,
    PREVIEW_COMPONENT,
    PREVIEWS,
    read_component,
    read_workflow,
)

SECRETS = re.compile(r"secrets\.|\b(AKIA|ASIA)[A-Z0-9]|ltd[ksj]_[a-z0-9]|password|api.key", re.I)
FILES = [
    GITHUB_ONE_JOB,
    GITHUB,
    PREVIEWS,
    GITLAB,
    GITLAB_PREVIEWS,
    GITHUB_AWS_CLI,
    GITLAB_AWS_CLI,
    CIRCLECI,
    BUILDKITE,
]
INPUTS = dict.fromkeys(("keeper", "product", "path"), KEEPER)
USED = {
    ACTION: read_workflow(ACTION),
    COMPONENT: read_component(INPUTS),
    PREVIEW_COMPONENT: read_component({}, PREVIEW_COMPONENT),
}


def scripts(value: Any) -> list[str]:
    """Every text that a shell runs, wherever it stands."""
    if isinstance(value, list):
        return [script for each in value for script in scripts(each)]
    if not isinstance(value, dict):
        return []
    own = [value[name] for name in ("run", "script", "before_script", "command") if name in value]
    texts = [text for each in own for text in ([each] if isinstance(each, str) else each)]
    return texts + [script for each in value.values() for script in scripts(each)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_short_and_holds_no_secret(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < 80
    assert SECRETS.findall(text) == []


@pytest.mark.parametrize("path", [*FILES, *USED], ids=lambda path: path.name)
def test_shell_can_read_every_script(path: Path) -> None:
    found = scripts(read_workflow(path) if path in FILES else USED[path])
    assert found
    for script in found:
        subprocess.run([*SHELLS["bash"], "-n", "-c", script], check=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_documentation_shows_the_file(path: Path) -> None:
    pages = [page.read_text() for page in (EXAMPLES.parent / "how-to").glob("*.rst")]
    assert any(f".. literalinclude:: ../examples/{path.name}\n" in page for page in pages)


@pytest.mark.parametrize("path", [GITHUB, PREVIEWS, GITHUB_AWS_CLI], ids=lambda path: path.name)
def test_what_may_ask_for_an_identity_on_github_runs_nothing_of_the_repository(path: Path) -> None:
    workflow = read_workflow(path)
    assert workflow["permissions"] == {}
    assert workflow["jobs"].pop("build")["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"id-token": "write"}
        uses = {step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step}
        assert uses <= {"actions/download-artifact", "OWNER/ltdkeeper"}


@pytest.mark.parametrize("path", [*USED, CIRCLECI, BUILDKITE], ids=lambda path: path.name)
def test_python_beside_a_site_looks_for_no_module_there(path: Path) -> None:
    """A site in html/ that strangers built could be what Python imports as `html`."""
    found = scripts(USED.get(path) or read_workflow(path))
    lines = [line for script in found for line in script.splitlines() if "sphinx" not in line]
    words = {word for line in lines for word in re.findall(r"python3 (\S+)", line)}
    assert words
    assert words <= {"-I", '"$program"'}


ON_GITLAB = [GITLAB, GITLAB_PREVIEWS, GITLAB_AWS_CLI]


@pytest.mark.parametrize("path", ON_GITLAB, ids=lambda path: path.name)
def test_only_the_upload_on_gitlab_has_an_identity(path: Path) -> None:
    pipeline = read_workflow(path)
    assert "id_tokens" not in pipeline["build"]
    upload = (
        pipeline["upload"] if path is GITLAB_AWS_CLI else USED[COMPONENT]["upload-documentation"]
    )
    assert list(upload["id_tokens"].values()) == [{"aud": KEEPER}]
    assert upload["variables"]["GIT_STRATEGY"] == "empty"


def test_a_job_that_builds_the_documentation_gets_four_lines() -> None:
    lines = GITHUB_ONE_JOB.read_text().splitlines()
    added = [line for line in lines if line.endswith("# +")]
    assert len(added) == 4
    before = yaml.safe_load("\n".join(line for line in lines if line not in added))
    assert [set(step) for step in before["jobs"]["docs"]["steps"]] == [{"uses"}, {"run"}]


def test_environment_is_deployed_and_stopped_under_the_same_condition_and_name() -> None:
    """Else GitLab cannot stop it: the page "Environments" of its documentation."""
    jobs = USED[PREVIEW_COMPONENT]
    upload, delete = jobs["upload-preview"], jobs[jobs["upload-preview"]["environment"]["on_stop"]]
    assert delete["environment"] == {"name": upload["environment"]["name"], "action": "stop"}
    assert delete["resource_group"] == upload["resource_group"]
    assert delete["needs"] == []
    (rule,) = upload["rules"]
    assert delete["rules"] == [rule | {"when": "manual", "allow_failure": True}]


def test_component_uploads_the_default_branch_unless_told_otherwise() -> None:
    (rule,) = USED[COMPONENT]["upload-documentation"]["rules"]
    assert rule == {"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}
    assert "upload-documentation" not in USED[PREVIEW_COMPONENT]


def test_pipeline_gets_four_lines() -> None:
    (include,) = read_workflow(GITLAB)["include"]
    assert set(include["inputs"]) == {"keeper"}


def test_actions_are_pinned_by_hash() -> None:
    text = "".join(path.read_text() for path in FILES)
    pins = re.findall(r"uses: \S+@(\S+)", text)
    assert pins
    assert [pin for pin in pins if not re.fullmatch("[0-9a-f]{40}|HASH", pin)] == []


def test_action_and_component_take_the_same_three_inputs() -> None:
    header = next(yaml.safe_load_all(COMPONENT.read_text()))
    assert set(header["spec"]["inputs"]) == set(USED[ACTION]["inputs"]) == set(INPUTS)
