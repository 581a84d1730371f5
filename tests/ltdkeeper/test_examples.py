"""The files of deploy (docs/how-to/schedule.rst and deploy.rst), and those of docs/examples for
monitoring, name what there is."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_schema
from django.core.management import get_commands, load_command_class
from django.test import Client

from credentials.rules.schedule import JOBS
from demo.service import procfile_command

ROOT = Path(__file__).resolve().parents[2]
DEPLOY, EXAMPLES = ROOT / "deploy", ROOT / "docs" / "examples"
RULES_TEST = Path(__file__).with_name("prometheus_rules_test.yml")
SUFFIXES = r"_(?:bucket|count|sum)$"


@cache
def services() -> Any:
    """Those of Compose."""
    return yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]


def pods(document: Any) -> Iterator[Any]:
    """The pods' specifications in a Kubernetes document."""
    if isinstance(document, dict):
        if "containers" in document:
            yield document
        for value in document.values():
            yield from pods(value)


@cache
def cluster() -> list[Any]:
    """Every pod of Kubernetes."""
    paths = sorted(DEPLOY.glob("kubernetes*.yml"))
    documents = (each for path in paths for each in yaml.safe_load_all(path.read_text()))
    return [pod for document in documents for pod in pods(document)]


def crontab() -> Iterator[str]:
    text = (DEPLOY / "crontab").read_text()
    line = r'^(?:[\d*/]+ +){5} *ltdkeeper +eval "\$MANAGE (.*?)"'
    yield from re.findall(line, text, re.MULTILINE)


def kubernetes() -> Iterator[str]:
    for command in (pod["containers"][0].get("command", []) for pod in cluster()):
        if command[:1] == ["ltdkeeper"]:
            yield shlex.join(command[1:])


def compose() -> Iterator[str]:
    yield shlex.join(services()["clock"]["command"][1:])


def systemd() -> Iterator[str]:
    unit = (DEPLOY / "systemd" / "ltdkeeper-clock.service").read_text()
    yield re.findall(r"^ExecStart=.*ltdkeeper (.*)$", unit, re.MULTILINE)[0]
    yield from (path.stem.partition("@")[2] for path in DEPLOY.glob("systemd/*.timer"))


def heroku() -> Iterator[str]:
    text = (DEPLOY / "heroku-scheduler.txt").read_text()
    yield from re.findall(r"^every .* python manage.py (.*)$", text, re.MULTILINE)


def procfile() -> Iterator[str]:
    yield procfile_command("clock").removeprefix("python manage.py ")


def test_command_and_its_options_exist() -> None:
    sources = (crontab, kubernetes, compose, systemd, heroku, procfile)
    for call in (call for source in sources for call in source()):
        name, *arguments = shlex.split(call)
        assert get_commands().get(name) == "ltdkeeper", call
        load_command_class("ltdkeeper", name).create_parser("manage.py", name).parse_args(arguments)


def test_crontab_has_every_scheduled_command() -> None:
    assert {call.split()[0] for call in crontab()} >= set(JOBS)


def web_commands() -> Iterator[tuple[str, str]]:
    unit = (DEPLOY / "systemd" / "ltdkeeper-web.service").read_text().replace("\\\n", "")
    command = re.findall(r"^ExecStart=/opt/ltdkeeper/bin/(.*)$", unit, re.MULTILINE)[0]
    yield "systemd", " ".join(command.split()).replace("--host 127.0.0.1", "--host 0.0.0.0")
    image = re.findall(r"^CMD (.*)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)[0]
    yield "image", json.loads(image)[2].removeprefix("exec ")
    page = (ROOT / "docs" / "how-to" / "set-up.rst").read_text().replace("\\\n", "")
    command = re.findall(r"^ +(granian .*)$", page, re.MULTILINE)[0]
    yield "page", " ".join(command.split()).replace("--host 127.0.0.1", "--host 0.0.0.0")


def test_web_server_starts_as_the_procfile_says() -> None:
    for where, command in web_commands():
        defaults = r"\$\{\w+:-(.*?)\}"
        wanted = re.sub(defaults, r"\1", procfile_command("web"))
        assert re.sub(defaults, r"\1", command) == wanted, where


def test_releases_do_what_the_procfile_says() -> None:
    wanted = procfile_command("release").replace("python manage.py", "ltdkeeper")
    [job] = [pod for pod in cluster() if pod["containers"][0]["name"] == "release"]
    assert job["containers"][0]["command"] == ["sh", "-c", wanted]
    assert services()["release"]["command"] == ["sh", "-c", wanted.replace("$", "$$")]


def test_every_setting_of_the_files_exists() -> None:
    known = set(re.findall(r"\b[A-Z_]{3,}\b", (ROOT / ".env.example").read_text()))
    paths = [path for path in DEPLOY.rglob("*") if path.is_file()]
    named = {name for path in paths for name in re.findall(r"\bLTD_[A-Z_]+\b", path.read_text())}
    assert named - known == set()


def test_every_container_can_write_nothing_and_has_no_privileges() -> None:
    for pod in cluster():
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for service in (services()[name] for name in ("release", "web", "clock")):
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_only_clocks_have_the_auditors_and_revokers_keys() -> None:
    with_keys = [pod for pod in cluster() if "ltdkeeper-profiles" in json.dumps(pod)]
    assert [pod["containers"][0]["name"] for pod in with_keys] == ["clock"]
    assert [name for name, service in services().items() if "secrets" in service] == ["clock"]
    web = (DEPLOY / "systemd" / "ltdkeeper-web.service").read_text()
    assert "profiles" not in web + (DEPLOY / "systemd/ltdkeeper-.service.d/common.conf").read_text()


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    """Where systemd is: the programs and users that a unit names are those of other machines."""
    if not (program := shutil.which("systemd-analyze")):
        pytest.skip("no systemd here")
    units = shutil.copytree(DEPLOY / "systemd", tmp_path / "units")
    for path in units.glob("*.*"):
        if path.is_file():
            text = re.sub(r"^(Exec\w+=)\S+", r"\1/bin/true", path.read_text(), flags=re.MULTILINE)
            path.unlink()
            (units / path.name.replace("@.", "@audit_sessions.")).write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", *(path for path in units.glob("*.*") if path.is_file())],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# By the name of the schema: files that programs elsewhere read, which no test runs.
READ_ELSEWHERE = {
    "compose-spec": [DEPLOY / "compose.yml"],
    "github-actions": [ROOT / "action.yml"],
    "github-workflows": sorted(EXAMPLES.glob("github-*.yml")),
    "gitlab-ci": sorted(EXAMPLES.glob("gitlab-*.yml")),
    "buildkite": [EXAMPLES / "buildkite.yml"],
    "circle-ci": [EXAMPLES / "circleci.yml"],
}


@pytest.mark.parametrize(("schema", "paths"), READ_ELSEWHERE.items(), ids=READ_ELSEWHERE)
def test_file_meets_its_published_schema(schema: str, paths: list[Path]) -> None:
    arguments = ["--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    assert check_schema(arguments, standalone_mode=False) == 0


def exposed(client: Client, settings: Any) -> set[str]:
    settings.LTD_METRICS_TOKEN = "only-for-tests"
    text = client.get("/metrics", headers={"Authorization": "Bearer only-for-tests"}).content
    return set(re.findall(r"^# TYPE (\w+) ", text.decode(), re.MULTILINE))


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "prometheus-rules.yml"])
def test_monitoring_names_only_metrics_that_exist(
    name: str, db: None, client: Client, settings: Any
) -> None:
    named = set(re.findall(r"\bltdkeeper_\w+", (EXAMPLES / name).read_text()))
    known = exposed(client, settings)
    assert named
    assert {
        each for each in named if each not in known and re.sub(SUFFIXES, "", each) not in known
    } == set()


def test_dashboard_has_every_metric_of_ours(db: None, client: Client, settings: Any) -> None:
    panels = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())["panels"]
    text = json.dumps(panels) + (EXAMPLES / "prometheus-rules.yml").read_text()
    ours = {each for each in exposed(client, settings) if each.startswith("ltdkeeper_")}
    ours = {each for each in ours if not each.endswith("_created")}
    assert {each for each in ours if each not in text} == {
        "ltdkeeper_job_last_start_timestamp_seconds"
    }


@pytest.mark.parametrize(
    "check",
    [("check", EXAMPLES / "prometheus-rules.yml"), ("test", RULES_TEST)],
    ids=lambda c: c[0],
)
def test_prometheus_takes_the_rules(check: tuple[str, Path]) -> None:
    """`.ci/run` installs promtool."""
    if not (program := shutil.which("promtool")):
        pytest.skip("no promtool here: apt-get install prometheus")
    what, file = check
    done = subprocess.run(
        [program, what, "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
