"""The shell recipes of the pages, run as they stand: traced, and at a host that is not https."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from demo.processes import ROOT
from demo.service import Service
from tests.clients.programs import client_environment
from tests.loopback import serving
from tests.oidc.issuer import send
from tests.store.stage import Account, service_for
from tests.workflows.project import programs

BLOCK = re.compile(r"\.\. code-block:: sh\n\n((?:   .*\n|\n)+)")
CALLS = re.compile(r"keeper\.sh|LTD_CALL|CONTAINER_CREDENTIALS_FULL_URI")
SECRET = re.compile(r"ltd[ksj]_[a-z0-9]{12}_[0-9a-f]{64}|Signature=|SecretAccessKey|X-Amz-Security")
SHELLS = {"sh -xe": ["sh", "-xe"], "bash -x": ["bash", "-x"]}


def recipes(page: str) -> dict[str, str]:
    """The blocks of a page that call the service, by their number on the page."""
    text = (ROOT / "docs" / page).read_text()
    blocks = [textwrap.dedent(block) for block in BLOCK.findall(text)]
    return {f"{page} {n}": block for n, block in enumerate(blocks) if CALLS.search(block)}


UPLOAD = recipes("how-to/upload.rst")
FINISH = {name: block for name, block in UPLOAD.items() if '"uploaded": true' in block}
# In the order of an upload: each page goes on where the page on uploading is before its end.
UPLOADING = UPLOAD | recipes("how-to/aws-cli.rst") | recipes("how-to/curl.rst")
UPLOADING = {name: block for name, block in UPLOADING.items() if name not in FINISH} | FINISH
CI = recipes("how-to/ci.rst")
ASK = {name: block for name, block in CI.items() if "/token?format=" in block}
ASK |= recipes("how-to/github.rst")
PREVIEWS = recipes("how-to/previews.rst")
EVERY = CI | ASK | UPLOADING | PREVIEWS | recipes("explanation/verification.rst")
OF_THE_SERVICE = {name: block for name, block in EVERY.items() if "-K form.curl" not in block}
POSTS = re.compile(r"presigned-posts|-K form\.curl")


class Step:
    """A folder with the files that the pages have by then, and a shell in it."""

    def __init__(self, folder: Path, host: str, key: str, account: Account) -> None:
        self.folder = folder
        store = account.store
        self.environment = client_environment(
            folder, endpoint_url=store.endpoint_url, region=store.region
        ) | {
            "PATH": programs(folder / "bin"),
            "TMPDIR": str(folder),
            "GITHUB_ENV": str(folder / "github_env"),
            "LTD_HOST": host,
            "LTD_USERNAME": "docs",
            "LTD_PASSWORD": key,
        }
        shutil.copy(ROOT / "docs" / "examples" / "keeper.sh", folder)
        for name in ("index.html", "_static/pygments.css"):
            path = folder / "_build" / "html" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        text = (ROOT / "docs" / "how-to" / "upload.rst").read_text()
        (files,) = [b for b in map(textwrap.dedent, BLOCK.findall(text)) if "cat > keeper" in b]
        self.printed = self.run(["sh", "-xe"], files).stderr

    def run(
        self, shell: Sequence[str], script: str, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        (self.folder / "script").write_text(script)
        return subprocess.run(
            [*shell, "script"],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def must_run(self, shell: Sequence[str], script: str) -> str:
        done = self.run(shell, script)
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed[-3000:]
        assert not SECRET.search(re.sub("^::add-mask::.*$", "", printed, flags=re.M))
        return done.stdout

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())


@pytest.fixture
def step(service: Service, account: Account, tmp_path: Path) -> Step:
    return Step(tmp_path, service.url, service.new_client("docs"), account)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_uploading_works_and_shows_no_secret(
    shell: Sequence[str], step: Step, service: Service, account: Account
) -> None:
    """But for forms on Ceph, which takes none that a session signed."""
    service.manage("check_isolation")  # or no form is signed
    assert not SECRET.search(step.printed)
    told = [
        step.must_run(shell, block)
        for name, block in UPLOADING.items()
        if account.store.kind != "ceph" or not POSTS.search(block)
    ]
    assert "finished: 2 objects\n" in told


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_step_of_a_job_works_and_shows_no_secret(
    shell: Sequence[str], ask: str, step: Step
) -> None:
    rest = [block for block in CI.values() if "/token?format=" not in block]
    assert len(rest) == 2
    told = step.must_run(shell, ask + "".join(rest))
    assert told.endswith("\nfinished\n")


PROGRAMS = {
    "docs/tutorial.rst": (r"code-block:: python\n\n((?:   .*\n|\n)+)", "finished: 1 objects\n"),
    "README.md": (r"```python\n((?:.+\n)+)```", "1\n"),
}


@pytest.mark.parametrize("page", PROGRAMS)
def test_program_of_the_first_pages_uploads(page: str, step: Step) -> None:
    block, printed = PROGRAMS[page]
    [program] = re.findall(block, (ROOT / page).read_text())
    (step.folder / "upload.py").write_text(textwrap.dedent(program))
    step.environment["LTD_PRODUCT"] = "handbook"
    assert step.must_run(["sh"], f"{sys.executable} upload.py") == printed


REGISTER_PREVIEW = r"""
call() { sh "$LTD_CALL" -K "$LTD_CURL" "$@"; }
build=$(call "$LTD_HOST/products/handbook/builds/" -d '{"git_refs": ["refs/pull/7/merge"]}')
call -X PATCH -d '{"uploaded": true, "empty": true}' "$(echo "$build" | jq -r .self_url)"
"""
FIND_PREVIEWS = """
sh "$LTD_CALL" -K "$LTD_CURL" \
  "$LTD_HOST/products/handbook/builds/?git_ref=refs/pull/7/merge&expand=true" > found.json
"""


@pytest.mark.parametrize("recipe", PREVIEWS.values(), ids=PREVIEWS)
def test_previews_are_deleted(recipe: str, step: Step) -> None:
    job = {"LTD_CURL": "keeper.curl", "LTD_CALL": "keeper.sh", "LTD_PRODUCT": "handbook"}
    step.environment |= job | {"PULL_REQUEST": "7"}
    recipe = recipe.replace("30 days ago", "tomorrow")
    recipe = recipe.replace("state=finished", "state=finished&page_size=1")
    for script in (REGISTER_PREVIEW, REGISTER_PREVIEW, recipe, FIND_PREVIEWS):
        step.must_run(["sh", "-e"], script)
    assert {build["state"] for build in step.read("found.json")["builds"]} == {"deleted"}


@pytest.fixture(scope="module")
def https_service(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Behind a proxy that ends https, by its settings; nothing but http reaches it here."""
    settings = {"LTD_PUBLIC_URL": "https://keeper.example.org", "LTD_TRUSTED_PROXIES": "1"}
    with service_for(account, tmp_path_factory.mktemp("https"), **settings) as service:
        service.wait_until_it_answers()
        yield service


@pytest.mark.parametrize("recipe", OF_THE_SERVICE.values(), ids=OF_THE_SERVICE)
def test_recipe_that_is_given_http_fails_and_says_so(
    recipe: str, https_service: Service, account: Account, tmp_path: Path
) -> None:
    host = https_service.inside_url
    step = Step(tmp_path, host, "ltdk_any", account)
    (tmp_path / "bin" / "aws").unlink()
    (tmp_path / "bin" / "aws").write_text(
        '#!/bin/sh\ncurl -sS "$AWS_CONTAINER_CREDENTIALS_FULL_URI" >&2; touch aws-ran; exit 255\n'
    )
    (tmp_path / "bin" / "aws").chmod(0o755)
    build = {"self_url": f"{host}/builds/1", "credentials_url": f"{host}/builds/1/credentials"}
    (tmp_path / "build.json").write_text(json.dumps(build))
    job = {"LTD_CURL": "keeper.curl", "LTD_CALL": "keeper.sh", "LTD_PRODUCT": "handbook"}
    done = step.run(["sh"], recipe, **job, **static_keys())
    assert done.returncode != 0
    assert "This request came over plain http" in done.stderr
    assert (tmp_path / "aws-ran").exists() == ("FULL_URI" in recipe)


def static_keys() -> Mapping[str, str]:
    """What a step must not go on with."""
    return {"AWS_ACCESS_KEY_ID": "AKIAOFTHERUNNER", "AWS_SECRET_ACCESS_KEY": "of-the-runner"}


PAGE = b"<html><body>Moved, or log in first</body></html>"
ANSWERS = {"a redirect": (301, b""), "a page that redirects": (301, PAGE), "a page": (200, PAGE)}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A proxy that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            send(self, body, status)

    with serving(Handler) as url:
        yield url


@pytest.mark.parametrize("shell", [["sh"], ["bash"]], ids=["sh", "bash"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_step_that_was_given_no_lines_stops(
    shell: Sequence[str], answer: tuple[int, bytes], ask: str, account: Account, tmp_path: Path
) -> None:
    with answering(*answer) as host:
        step = Step(tmp_path, host, "ltdk_any", account)
        done = step.run(shell, f"{ask}echo went on\n", LTD_JOB_FOLDER=os.fspath(tmp_path))
    assert (done.returncode != 0, "went on" in done.stdout) == (True, False)
