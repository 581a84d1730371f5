"""The files of docs/examples for schedulers and monitoring name what there is."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.test import Client

from credentials.rules.schedule import JOBS
from demo.service import procfile_command

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
RULES_TEST = Path(__file__).with_name("prometheus_rules_test.yml")
UNITS = sorted(path.name for path in EXAMPLES.glob("ltdkeeper*.*"))
SUFFIXES = r"_(?:bucket|count|sum)$"


def crontab() -> Iterator[str]:
    text = (EXAMPLES / "crontab").read_text()
    line = r'^(?:[\d*/]+ +){5} *ltdkeeper +eval "\$MANAGE (.*?)"'
    yield from re.findall(line, text, re.MULTILINE)


def kubernetes() -> Iterator[str]:
    deployment, cron_job = yaml.safe_load_all((EXAMPLES / "kubernetes.yml").read_text())
    for spec in (
        deployment["spec"]["template"],
        cron_job["spec"]["jobTemplate"]["spec"]["template"],
    ):
        [container] = spec["spec"]["containers"]
        assert container["command"] == ["python", "manage.py"]
        yield shlex.join(container["args"])


def systemd() -> Iterator[str]:
    unit = (EXAMPLES / "ltdkeeper-clock.service").read_text()
    yield re.findall(r"^ExecStart=.*manage.py (.*)$", unit, re.MULTILINE)[0]
    yield from (path.stem.partition("@")[2] for path in EXAMPLES.glob("*.timer"))


def heroku() -> Iterator[str]:
    text = (EXAMPLES / "heroku-scheduler.txt").read_text()
    yield from re.findall(r"^every .* python manage.py (.*)$", text, re.MULTILINE)


def procfile() -> Iterator[str]:
    yield procfile_command("clock").removeprefix("python manage.py ")


CALLS = [
    pytest.param(call, id=f"{source.__name__}: {call}")
    for source in (crontab, kubernetes, systemd, heroku, procfile)
    for call in source()
]


@pytest.mark.parametrize("call", CALLS)
def test_command_and_its_options_exist(call: str) -> None:
    name, *arguments = shlex.split(call)
    assert get_commands().get(name) == "ltdkeeper"
    load_command_class("ltdkeeper", name).create_parser("manage.py", name).parse_args(arguments)


def test_crontab_has_every_scheduled_command() -> None:
    assert {call.split()[0] for call in crontab()} >= set(JOBS)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_no_fault(unit: str, tmp_path: Path) -> None:
    """Where systemd is: the programs and users that a unit names are those of other machines."""
    if not (program := shutil.which("systemd-analyze")):
        pytest.skip("no systemd here")
    for path in EXAMPLES.glob("ltdkeeper*.*"):
        text = re.sub(r"^(ExecStart=)\S+", r"\1/bin/true", path.read_text(), flags=re.MULTILINE)
        (tmp_path / path.name.replace("@.", "@audit_sessions.")).write_text(text)
    name = unit.replace("@.", "@audit_sessions.")
    done = subprocess.run(
        [program, "verify", "--man=no", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


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
