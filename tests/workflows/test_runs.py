"""Each workflow, from identity token to finished build, with every step run by its own shell."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.service import Service
from tests.clients.trees import stored_tree, tree_on_disk
from tests.store.stage import Account
from tests.workflows.files import (
    GITHUB,
    GITHUB_AWS_CLI,
    GITHUB_ONE_JOB,
    GITLAB,
    GITLAB_AWS_CLI,
    GITLAB_PREVIEWS,
    PREVIEWS,
    read_workflow,
)
from tests.workflows.github_runner import REPOSITORY, GithubRunner, identity_endpoint
from tests.workflows.gitlab_runner import GitlabRunner

JOB_TOKEN = re.compile(r"ltdj_[a-z0-9]{12}_[0-9a-f]{64}")
IDENTITY_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.")
TRACED_OR_NOT = pytest.mark.parametrize("options", ["-e", "-ex"], ids=["quiet", "traced"])

Sign = Callable[..., str]
Read = Callable[[str], Any]


def run_on_github(
    folder: Path,
    service: Service,
    sign: Sign,
    *,
    path: Path = GITHUB,
    options: str = "-e",
    event: dict[str, Any] | None = None,
    **claims: Any,
) -> GithubRunner:
    with identity_endpoint(lambda audience: sign("github", audience, **claims)) as url:
        runner = GithubRunner(folder / "github", url, options=options, event=event)
        runner.run(read_workflow(path, service.url))
    return runner


def run_on_gitlab(
    folder: Path,
    service: Service,
    sign: Sign,
    *,
    path: Path = GITLAB,
    options: str = "-e",
    variables: Mapping[str, str] | None = None,
    **claims: Any,
) -> GitlabRunner:
    runner = GitlabRunner(
        folder / "gitlab",
        lambda audience: sign("gitlab", audience, **claims),
        options=options,
        variables=variables,
    )
    runner.run(read_workflow(path, service.url))
    return runner


@pytest.fixture(scope="module")
def read(service: Service) -> Iterator[Read]:
    """GET, with a key of the client that the rules stand for."""
    with requests.Session() as http:
        http.trust_env = False
        http.auth = ("docs", service.new_client("docs"))
        yield lambda url: http.get(url, timeout=120).json()


def builds(service: Service, read: Read, product: str = "handbook") -> list[str]:
    """The addresses of the product's builds, newest first."""
    found: list[str] = read(f"{service.url}/products/{product}/builds/")["builds"]
    return found


def hold(build: dict[str, Any], account: Account, html: Path) -> None:
    """The build is finished, and is the site that the build job made."""
    site = tree_on_disk(html)
    arrived = stored_tree(account.admin, bucket=build["bucket_name"], root=build["bucket_root_dir"])
    assert {name: file.digest for name, file in arrived.items()} == {
        name: file.digest for name, file in site.items()
    }
    assert "index.html" in arrived
    assert (build["state"], build["object_count"], build["git_refs"]) == (
        "finished",
        len(site),
        ["main"],
    )
    assert build["written_without_session"] is False


SITES = {
    GITHUB_ONE_JOB: "docs/work/html",
    **dict.fromkeys([GITHUB, GITHUB_AWS_CLI], "artifacts/html"),
}


@TRACED_OR_NOT
@pytest.mark.parametrize("path", SITES, ids=lambda path: path.name)
def test_github_workflow_uploads_and_finishes(
    path: Path,
    options: str,
    service: Service,
    account: Account,
    sign: Sign,
    read: Read,
    tmp_path: Path,
) -> None:
    runner = run_on_github(tmp_path, service, sign, path=path, options=options)
    newest, html = builds(service, read)[0], runner.folder / SITES[path]
    hold(read(newest), account, html)
    shown = [line for line in runner.printed.splitlines() if JOB_TOKEN.search(line)]
    masks = ["::add-mask::"] * (path == GITHUB_AWS_CLI)
    assert [line.partition("ltdj_")[0] for line in shown] == masks
    assert not IDENTITY_TOKEN.search(runner.printed)
    if path != GITHUB_AWS_CLI:
        count = str(len(tree_on_disk(html)))
        assert runner.outputs == {"build-url": newest, "published-url": "", "object-count": count}
        assert runner.summary == f"{count} objects: <{newest}>\n"


@TRACED_OR_NOT
@pytest.mark.parametrize("path", [GITLAB, GITLAB_AWS_CLI], ids=lambda path: path.name)
def test_gitlab_workflow_uploads_and_finishes(
    path: Path,
    options: str,
    service: Service,
    account: Account,
    sign: Sign,
    read: Read,
    tmp_path: Path,
) -> None:
    runner = run_on_gitlab(tmp_path, service, sign, path=path, options=options)
    newest = builds(service, read)[0]
    hold(read(newest), account, runner.artifacts / "html")
    assert not JOB_TOKEN.search(runner.printed)
    assert not IDENTITY_TOKEN.search(runner.printed)
    assert path != GITLAB or runner.outputs["BUILD_URL"] == newest


def pull_request(action: str, source: str = REPOSITORY) -> dict[str, Any]:
    head = {"repo": {"full_name": source}}
    return {"action": action, "number": 7, "pull_request": {"number": 7, "head": head}}


def test_preview_is_uploaded_and_deleted_when_its_pull_request_is_closed(
    service: Service, sign: Sign, read: Read, tmp_path: Path
) -> None:
    claims = {"path": PREVIEWS, "event_name": "pull_request"}
    run_on_github(tmp_path / "1", service, sign, event=pull_request("opened"), **claims)
    (preview,) = builds(service, read, "handbook-previews")
    assert read(preview)["state"] == "finished"
    assert read(preview)["git_refs"] == ["refs/pull/7/merge"]
    run_on_github(tmp_path / "2", service, sign, event=pull_request("closed"), **claims)
    assert read(preview)["state"] == "deleted"


MERGE_REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_COMMIT_BRANCH": "",
    "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/7/head",
}


def test_preview_is_uploaded_and_deleted_when_gitlab_stops_its_environment(
    service: Service, sign: Sign, read: Read, tmp_path: Path
) -> None:
    others = builds(service, read, "manual-previews")
    named = {"path": GITLAB_PREVIEWS, "variables": MERGE_REQUEST}
    runner = run_on_gitlab(tmp_path, service, sign, **named, pipeline_source="merge_request_event")
    (preview, *rest) = builds(service, read, "manual-previews")
    assert rest == others
    assert runner.outputs["DOCUMENTATION_URL"] == preview
    assert read(preview)["git_refs"] == ["refs/merge-requests/7/head"]
    assert read(preview)["state"] == "finished"
    runner.stop(read_workflow(GITLAB_PREVIEWS, service.url))
    assert read(preview)["state"] == "deleted"


def test_pull_request_from_a_fork_uploads_nothing_and_says_why(
    service: Service, sign: Sign, read: Read, tmp_path: Path
) -> None:
    before = builds(service, read, "handbook-previews")
    event = pull_request("opened", source="somebody/octo-repo")
    forked = {"SOURCE_PROJECT_ID": "21", "PROJECT_ID": "20"}
    variables = {f"CI_MERGE_REQUEST_{name}": value for name, value in forked.items()}
    github = run_on_github(tmp_path, service, sign, path=PREVIEWS, event=event)
    gitlab = run_on_gitlab(tmp_path, service, sign, variables=variables)
    assert "::notice::Nothing is uploaded: GitHub gives pull requests from forks" in github.printed
    assert "Nothing is uploaded: this merge request comes from a fork." in gitlab.printed
    assert (github.outputs, gitlab.outputs) == ({}, {})
    assert builds(service, read, "handbook-previews") == before


STRANGERS = {
    "github": (run_on_github, {"repository_id": "75"}),
    "gitlab": (run_on_gitlab, {"project_id": "21"}),
}


@pytest.mark.parametrize(("run", "claims"), STRANGERS.values(), ids=STRANGERS)
def test_stranger_is_told_why_and_stops(
    run: Callable[..., Any],
    claims: dict[str, str],
    service: Service,
    sign: Sign,
    read: Read,
    tmp_path: Path,
) -> None:
    before = builds(service, read)
    with pytest.raises(AssertionError, match="No trusted publisher matches this job"):
        run(tmp_path, service, sign, **claims)
    assert builds(service, read) == before


def test_event_that_a_rule_does_not_name_is_refused(
    service: Service, sign: Sign, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="event_name differs"):
        run_on_github(tmp_path, service, sign, event_name="pull_request_target")
