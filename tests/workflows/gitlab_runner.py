"""GitLab CI in small: stages, scripts, variables, artifacts, identity tokens.

By GitLab's documentation: "CI/CD YAML syntax reference", "ID token authentication".
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.shells import SHELLS
from tests.workflows.files import read_component
from tests.workflows.project import copy, programs, run_script, write_project

KEYWORDS = ("stages", "include", "workflow")
Sign = Callable[[str], str]


class GitlabRunner:
    """Runs the jobs of a pipeline by stage, each in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        sign: Sign,
        *,
        options: str = "-e",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir(parents=True)
        self.printed = ""
        self.outputs: dict[str, str] = {}
        self._sign = sign
        self._variables = variables or {}
        self._options = options
        self._path = programs(folder / "bin")

    def run(self, pipeline: dict[str, Any]) -> None:
        jobs = {name: job for name, job in pipeline.items() if name not in KEYWORDS}
        for included in pipeline.get("include", []):
            assert included["component"].endswith("/OWNER/ltdkeeper/upload@HASH")
            jobs |= read_component(included["inputs"])
        for stage in pipeline["stages"]:
            for name, job in jobs.items():
                if job["stage"] == stage:
                    self._run_job(self.folder / name, job)

    def _run_job(self, folder: Path, job: dict[str, Any]) -> None:
        project, variables = folder / "project", job.get("variables", {})
        project.mkdir(parents=True)
        if variables.get("GIT_STRATEGY") != "none":
            write_project(project)
        copy(self.artifacts, project)
        tokens = job.get("id_tokens", {})
        environment = {
            "PATH": self._path,
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "CI_COMMIT_REF_NAME": "main",
            "PIP_INDEX_URL": "https://pypi.example.org/simple",
            **self._variables,
            **variables,
            **{name: self._sign(options["aud"]) for name, options in tokens.items()},
        }
        # Before script and script are one shell, which stops at the first failure.
        script = "\n".join([f"set {self._options}", *job.get("before_script", []), *job["script"]])
        shell = SHELLS[ALPINE if "alpine" in job["image"] else "bash"]
        self.printed += run_script(shell, script, folder=project, environment=environment)
        artifacts = job.get("artifacts", {})
        for path in artifacts.get("paths", []):
            copy(project / path, self.artifacts / path)
        if dotenv := artifacts.get("reports", {}).get("dotenv"):
            lines = (project / dotenv).read_text().splitlines()
            self.outputs = dict(line.split("=", 1) for line in lines)


ALPINE = "busybox sh" if "busybox sh" in SHELLS else "sh"
