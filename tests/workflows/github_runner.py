"""GitHub Actions in small: jobs, steps, `$GITHUB_ENV`, artifacts, masks, identity tokens, actions.

By GitHub's documentation: "Workflow syntax", "Workflow commands", "OpenID Connect reference",
"Metadata syntax".
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.credentials.job_environment.test_github import later_environment
from tests.loopback import serving
from tests.oidc.issuer import send
from tests.workflows.files import ACTION, ROOT, with_defaults
from tests.workflows.project import copy, programs, run_script, write_project

REQUEST_TOKEN = "request-token-of-this-job"
REPOSITORY = "octo-org/octo-repo"
FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
Sign = Callable[[str], str]


@contextmanager
def identity_endpoint(sign: Sign) -> Iterator[str]:
    """Where a job with `id-token: write` asks for an identity token for an audience."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            scheme, _, token = self.headers["Authorization"].partition(" ")
            may_ask = (scheme.lower(), token) == ("bearer", REQUEST_TOKEN)
            if not may_ask or query.get("api-version") != ["2.0"]:
                return send(self, b"{}", 401)
            (audience,) = query["audience"]
            return send(self, json.dumps({"count": 1, "value": sign(audience)}).encode())

    with serving(Handler) as url:
        yield f"{url}/token?api-version=2.0"


EXPRESSION = re.compile(r"\$\{\{ ([\w.-]+) \}\}")


class GithubRunner:
    """Runs the jobs of a workflow one after another, each in a folder of its own.

    `event` is what GitHub tells of what has started the workflow. Of this project's action,
    `outputs` and `summary` are kept.
    """

    def __init__(
        self,
        folder: Path,
        identity_url: str,
        *,
        options: str = "-e",
        event: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.printed = ""
        self.outputs: dict[str, str] = {}
        self.summary = ""
        self._event = event or {}
        self._identity_url = identity_url
        self._options = options
        self._path = programs(folder / "bin")

    def run(self, workflow: dict[str, Any]) -> None:
        for name, job in workflow["jobs"].items():
            permissions = job.get("permissions") or workflow["permissions"]
            if self._is_met(job.get("if", "")):
                self._run_job(self.folder / name, job, permissions)

    def _is_met(self, condition: str) -> bool:
        """The conditions that the files have: whether the event is that an object was closed."""
        closed = self._event.get("action") == "closed"
        return not condition or closed is (condition == "github.event.action == 'closed'")

    def _run_job(self, folder: Path, job: dict[str, Any], permissions: dict[str, str]) -> None:
        workspace = folder / "work"
        workspace.mkdir(parents=True)
        (folder / "temp").mkdir()
        files = {name: folder / name.lower() for name in FILES}
        for file in files.values():
            file.touch()
        environment = {
            "PATH": self._path,
            "HOME": str(folder),
            "RUNNER_TEMP": str(folder / "temp"),
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REF_NAME": "main",
            "GITHUB_REPOSITORY": REPOSITORY,
            **{name: str(file) for name, file in files.items()},
            **job.get("env", {}),
        }
        if number := self._event.get("pull_request", {}).get("number"):
            environment |= {"GITHUB_REF": f"refs/pull/{number}/merge"}
        if permissions.get("id-token") == "write":
            environment["ACTIONS_ID_TOKEN_REQUEST_URL"] = self._identity_url
            environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = REQUEST_TOKEN
        for step in job["steps"]:
            if "uses" in step:
                self._use(step, workspace, environment)
                continue
            now = environment | later_environment(files["GITHUB_ENV"])
            self._shell(step["run"], workspace, now)

    def _shell(self, script: str, workspace: Path, environment: dict[str, str]) -> None:
        shell = ["bash", self._options]
        self.printed += run_script(shell, script, folder=workspace, environment=environment)

    def _use(self, step: dict[str, Any], workspace: Path, environment: dict[str, str]) -> None:
        action, options = step["uses"].partition("@")[0], step.get("with", {})
        if action == "actions/checkout":
            write_project(workspace)
        elif action == "OWNER/ltdkeeper":
            self._use_this_project(options, workspace, environment)
        else:
            here, kept = workspace / options["path"], self.artifacts / options["name"]
            uploads = action == "actions/upload-artifact"
            assert uploads or action == "actions/download-artifact", action
            copy(*((here, kept) if uploads else (kept, here)))

    def _use_this_project(
        self, inputs: dict[str, str], workspace: Path, environment: dict[str, str]
    ) -> None:
        action = yaml.safe_load(ACTION.read_text())
        inputs = with_defaults(inputs, action["inputs"])
        (step,) = action["runs"]["steps"]
        variables = {name: self._filled(text, inputs) for name, text in step["env"].items()}
        own = environment | variables | {"GITHUB_ACTION_PATH": str(ROOT)}
        self._shell(step["run"], workspace, own)
        lines = Path(environment["GITHUB_OUTPUT"]).read_text().splitlines()
        self.outputs = dict(line.split("=", 1) for line in lines)
        self.summary = Path(environment["GITHUB_STEP_SUMMARY"]).read_text()
        assert set(self.outputs) in (set(), set(action["outputs"]))

    def _filled(self, text: str, inputs: dict[str, str]) -> str:
        """A text with the values of its expressions; empty where there is none."""

        def value(found: re.Match[str]) -> str:
            node: Any = {"inputs": inputs, "github": {"event": self._event}}
            for name in found[1].split("."):
                node = node.get(name, {})
            return str(node or "")

        return EXPRESSION.sub(value, text)
