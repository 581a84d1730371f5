"""GitHub Actions in small: jobs, steps, `$GITHUB_ENV`, artifacts, masks, identity tokens.

By GitHub's documentation: "Workflow syntax", "Workflow commands", "OpenID Connect reference".
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.credentials.job_environment.test_github import later_environment
from tests.oidc.issuer import send
from tests.workflows.project import copy, programs, run_script, write_project

REQUEST_TOKEN = "request-token-of-this-job"
Sign = Callable[[str], str]


@contextmanager
def identity_endpoint(sign: Sign) -> Iterator[str]:
    """Where a job with `id-token: write` asks for an identity token for an audience."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            may_ask = self.headers["Authorization"] == f"bearer {REQUEST_TOKEN}"
            if not may_ask or query.get("api-version") != ["2.0"]:
                return send(self, b"{}", 401)
            (audience,) = query["audience"]
            return send(self, json.dumps({"count": 1, "value": sign(audience)}).encode())

        def log_message(self, *_args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class GithubRunner:
    """Runs the jobs of a workflow one after another, each in a folder of its own."""

    def __init__(self, folder: Path, identity_url: str, *, options: str = "-e") -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.printed = ""
        self._identity_url = identity_url
        self._options = options
        self._path = programs(folder / "bin")

    def run(self, workflow: dict[str, Any]) -> None:
        for name, job in workflow["jobs"].items():
            permissions = job.get("permissions", workflow["permissions"])
            self._run_job(self.folder / name, job, permissions)

    def _run_job(self, folder: Path, job: dict[str, Any], permissions: dict[str, str]) -> None:
        workspace = folder / "work"
        workspace.mkdir(parents=True)
        (folder / "temp").mkdir()
        (folder / "github_env").touch()
        environment = {
            "PATH": self._path,
            "HOME": str(folder),
            "RUNNER_TEMP": str(folder / "temp"),
            "GITHUB_ENV": str(folder / "github_env"),
            "GITHUB_REF_NAME": "main",
            **job.get("env", {}),
        }
        if permissions.get("id-token") == "write":
            environment["ACTIONS_ID_TOKEN_REQUEST_URL"] = self._identity_url
            environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = REQUEST_TOKEN
        for step in job["steps"]:
            if "uses" in step:
                self._use(step, workspace)
                continue
            now = environment | later_environment(folder / "github_env")
            self.printed += run_script(
                ["bash", self._options], step["run"], folder=workspace, environment=now
            )

    def _use(self, step: dict[str, Any], workspace: Path) -> None:
        action = step["uses"].partition("@")[0]
        if action == "actions/checkout":
            write_project(workspace)
            return
        options = step["with"]
        here, kept = workspace / options["path"], self.artifacts / options["name"]
        uploads = action == "actions/upload-artifact"
        assert uploads or action == "actions/download-artifact", action
        copy(*((here, kept) if uploads else (kept, here)))
