"""GitLab CI in small: components, stages, rules, scripts, artifacts, identity tokens, environments.

By GitLab's documentation: "CI/CD YAML syntax reference", "ID token authentication",
"Environments".
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.shells import SHELLS
from tests.workflows.files import COMPONENT, read_component
from tests.workflows.project import copy, programs, run_script, write_project

KEYWORDS = {"stages", "include", "workflow"}
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
        for stage in pipeline["stages"]:
            for name, job in self._jobs(pipeline).items():
                if job["stage"] == stage and self._when(job) == "on_success":
                    self._run_job(self.folder / name, job)

    def stop(self, pipeline: dict[str, Any]) -> None:
        """Stop the pipeline's environment, as when its merge request is merged or closed."""
        jobs = self._jobs(pipeline)
        (name,) = {job.get("environment", {}).get("on_stop") for job in jobs.values()} - {None}
        assert jobs[name]["environment"]["action"] == "stop"
        assert self._when(jobs[name]) == "manual"
        self._run_job(self.folder / name, jobs[name])

    def _jobs(self, pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
        merged: dict[str, Any] = {}
        for included in pipeline.get("include", []):
            (name,) = re.findall(r"/OWNER/ltdkeeper/(\w+)@HASH$", included["component"])
            inputs = included.get("inputs", {})
            merged = merge(merged, read_component(inputs, COMPONENT.with_stem(name)))
        merged = merge(merged, pipeline)
        names = merged.keys() - KEYWORDS
        return {name: extended(merged, merged[name]) for name in names}

    def _when(self, job: dict[str, Any]) -> str:
        """How the job starts, by the first of its rules that applies."""
        variables = {"CI_PIPELINE_SOURCE": "push", "CI_DEFAULT_BRANCH": "main"}
        variables |= {"CI_COMMIT_BRANCH": "main", **self._variables}
        for rule in job.get("rules", [{}]):
            left, is_not, right = re.fullmatch(CONDITION, rule.get("if", '"" == ""')).groups()
            first, second = (variables.get(x.strip("$"), x.strip('"')) for x in (left, right))
            if (first == second) is (is_not == "=="):
                return str(rule.get("when", "on_success"))
        return "never"

    def _run_job(self, folder: Path, job: dict[str, Any]) -> None:
        project, variables = folder / "project", job.get("variables", {})
        project.mkdir(parents=True)
        if (strategy := variables.get("GIT_STRATEGY")) is None:
            write_project(project)
        elif strategy == "none":  # the folder is as another branch's job has left it
            (project / "html").mkdir()
            (project / "html" / "left-over.html").touch()
        if job.get("needs") != []:
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
        artifacts = job.get("artifacts") or {}
        for path in artifacts.get("paths", []):
            copy(project / path, self.artifacts / path)
        if dotenv := artifacts.get("reports", {}).get("dotenv"):
            lines = (project / dotenv).read_text().splitlines()
            self.outputs = dict(line.split("=", 1) for line in lines)


def merge(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """As GitLab merges files and what a job extends: mappings deeply, all else is replaced."""
    both = {name for name in first.keys() & second.keys() if isinstance(second[name], dict)}
    return first | second | {name: merge(first[name], second[name]) for name in both}


def extended(jobs: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    return merge(extended(jobs, jobs[job["extends"]]), job) if "extends" in job else job


CONDITION = r'(\$\w+|"\w*") ([!=]=) (\$\w+|"\w*")'
ALPINE = "busybox sh" if "busybox sh" in SHELLS else "sh"
