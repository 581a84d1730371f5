"""Each workflow, from identity token to finished build, with every step run by its own shell."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.service import Service
from tests.clients.trees import stored_tree, tree_on_disk
from tests.store.stage import Account
from tests.workflows.files import GITHUB, GITLAB, read_workflow
from tests.workflows.github_runner import GithubRunner, identity_endpoint
from tests.workflows.gitlab_runner import GitlabRunner

JOB_TOKEN = re.compile(r"ltdj_[a-z0-9]{12}_[0-9a-f]{64}")
IDENTITY_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.")
TRACED_OR_NOT = pytest.mark.parametrize("options", ["-e", "-ex"], ids=["quiet", "traced"])

Sign = Callable[..., str]
Read = Callable[[str], Any]


def run_on_github(
    folder: Path, service: Service, sign: Sign, *, options: str = "-e", **claims: Any
) -> GithubRunner:
    with identity_endpoint(lambda audience: sign("github", audience, **claims)) as url:
        runner = GithubRunner(folder / "github", url, options=options)
        runner.run(read_workflow(GITHUB, service.url))
    return runner


def run_on_gitlab(
    folder: Path, service: Service, sign: Sign, *, options: str = "-e", **claims: Any
) -> GitlabRunner:
    runner = GitlabRunner(
        folder / "gitlab",
        lambda audience: sign("gitlab", audience, **claims),
        options=options,
    )
    runner.run(read_workflow(GITLAB, service.url))
    return runner


@pytest.fixture(scope="module")
def read(service: Service) -> Iterator[Read]:
    """GET, with a key of the client that the rules stand for."""
    with requests.Session() as http:
        http.trust_env = False
        http.auth = ("docs", service.new_client("docs"))
        yield lambda url: http.get(url, timeout=120).json()


def builds(service: Service, read: Read) -> list[str]:
    """The addresses of the product's builds, newest first."""
    found: list[str] = read(f"{service.url}/products/handbook/builds/")["builds"]
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


@TRACED_OR_NOT
def test_github_workflow_uploads_and_finishes(
    options: str, service: Service, account: Account, sign: Sign, read: Read, tmp_path: Path
) -> None:
    runner = run_on_github(tmp_path, service, sign, options=options)
    hold(read(builds(service, read)[0]), account, runner.artifacts / "html")
    shown = [line for line in runner.printed.splitlines() if JOB_TOKEN.search(line)]
    assert len(shown) == 1
    assert shown[0].startswith("::add-mask::ltdj_")
    assert not IDENTITY_TOKEN.search(runner.printed)


@TRACED_OR_NOT
def test_gitlab_workflow_uploads_and_finishes(
    options: str, service: Service, account: Account, sign: Sign, read: Read, tmp_path: Path
) -> None:
    runner = run_on_gitlab(tmp_path, service, sign, options=options)
    hold(read(builds(service, read)[0]), account, runner.artifacts / "html")
    assert not JOB_TOKEN.search(runner.printed)
    assert not IDENTITY_TOKEN.search(runner.printed)


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
