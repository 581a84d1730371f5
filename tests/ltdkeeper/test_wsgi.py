"""The server refuses to start on a wrong setting, and says which and what to write."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RIGHT = {
    "PATH": os.environ["PATH"],
    "LTD_ENV_FILE": os.devnull,
    "LTD_SECRET_KEY": "only-for-tests-" * 5,
    "LTD_LOG_LEVEL": "WARNING",
    "LTD_PUBLIC_URL": "https://keeper.example.org",
    "LTD_ALLOW_SQLITE": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def start(
    folder: Path,
    only: Iterable[str] = RIGHT,
    *,
    before: str = "",
    server: str = "ltdkeeper.wsgi",
    after: str = "",
    **changes: str,
) -> subprocess.CompletedProcess[str]:
    """Load the WSGI application as a server does, in a process of its own."""
    environment = {name: RIGHT[name] for name in only}
    environment |= {"DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}"} | changes
    program = f"import {server}; print('started'); {after}"
    environment["DJANGO_SETTINGS_MODULE"] = "ltdkeeper.settings"
    if before:
        setup = "import django; django.setup(); from django.core.management import call_command"
        run(f"{setup}; {before}", environment).check_returncode()
    return run(program, environment)


def run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_wrong_settings_keep_the_server_from_starting(tmp_path: Path) -> None:
    ended = start(tmp_path, LTD_SECRET_KEY="", LTD_PUBLIC_URL="http://keeper.example.org")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert re.fullmatch(r"LTD_SECRET_KEY: .*\nLTD_PUBLIC_URL=http:.*\n", ended.stderr)


def test_wrong_arguments_of_a_job_are_one_line(tmp_path: Path) -> None:
    ended = start(tmp_path, LTD_SCHEDULE="audit_bucket --bogus=1h")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert re.fullmatch(r"\?: \(ltdkeeper.E001\) LTD_SCHEDULE, audit_bucket.*\n", ended.stderr)


STORE = "name='main', bucket='docs', role_arn='arn:aws:iam::123456789012:role/upload'"
FILL = f"from builds.models import Store; Store.objects.create({STORE})"


def test_server_does_not_start_on_a_restored_database(tmp_path: Path) -> None:
    file, copy = tmp_path / "db.sqlite3", tmp_path / "copy.sqlite3"
    before = f"call_command('migrate', verbosity=0); {FILL}"
    assert start(tmp_path, before=before).stdout == "started\n"
    with closing(sqlite3.connect(file)) as here, closing(sqlite3.connect(copy)) as there:
        here.backup(there)
    copy.replace(file)
    ended = start(tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "Run manage.py recover_builds for each of these stores: main." in ended.stderr
    moved = "call_command('recover_builds', 'main', '--moved')"
    assert start(tmp_path, before=moved).stdout == "started\n"


AWAY = {
    "not migrated": ("sqlite:///{folder}/db.sqlite3", "DATABASE_URL: .* Run: manage.py migrate"),
    "out of reach": (
        "postgres://u:sekret@127.0.0.1:1/x",
        "DATABASE_URL: .* Example: DATABASE_URL=",
    ),
}


@pytest.mark.parametrize("case", AWAY)
def test_server_starts_without_its_database_and_says_so_once(case: str, tmp_path: Path) -> None:
    url, said = AWAY[case]
    ended = start(tmp_path, DATABASE_URL=url.format(folder=tmp_path))
    assert (ended.returncode, ended.stdout) == (0, "started\n"), ended.stderr
    (line,) = ended.stderr.splitlines()
    assert json.loads(line)["event"] == "stores_not_warmed_up"
    assert re.match(said, json.loads(line)["error"])
    assert "sekret" not in line


CACHES = {
    "table that was never made": ("dbcache://nowhere", "LTD_CACHE_URL: .*createcachetable"),
    "Redis out of reach": ("redis://:sekret@127.0.0.1:1/0", "LTD_CACHE_URL: .*redis://host"),
}


@pytest.mark.parametrize("case", CACHES)
def test_server_starts_without_its_cache_and_says_so_once(case: str, tmp_path: Path) -> None:
    url, said = CACHES[case]
    ended = start(tmp_path, before="call_command('migrate', verbosity=0)", LTD_CACHE_URL=url)
    assert (ended.returncode, ended.stdout) == (0, "started\n"), ended.stderr
    (line,) = ended.stderr.splitlines()
    assert re.match(said, json.loads(line)["error"])
    assert "sekret" not in line


def test_statements_are_limited_in_the_server_and_not_in_commands(tmp_path: Path) -> None:
    ask = "from django.db import connection as c; print(c.settings_dict['OPTIONS'])"
    url = "postgres://u@127.0.0.1:1/x"
    in_server = start(tmp_path, after=ask, DATABASE_URL=url).stdout
    assert "statement_timeout=5000" in in_server
    assert "'pool': {" in in_server
    in_command = start(
        tmp_path, server="django; django.setup()", after=ask, DATABASE_URL=url
    ).stdout
    assert "lock_timeout=1500'" in in_command
    assert "'pool'" not in in_command


def test_server_starts_while_debugging_with_hardly_a_setting(tmp_path: Path) -> None:
    named = ["PATH", "LTD_ENV_FILE", "AWS_EC2_METADATA_DISABLED"]
    ended = start(tmp_path, only=named, LTD_DEBUG="true")
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["started"]), ended.stderr
