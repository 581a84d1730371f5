"""The server refuses to start on a wrong setting, and says which and what to write."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIGHT = {
    "PATH": os.environ["PATH"],
    "LTD_ENV_FILE": os.devnull,
    "LTD_SECRET_KEY": "only-for-tests-" * 5,
    "LTD_PUBLIC_URL": "https://keeper.example.org",
    "LTD_ALLOW_SQLITE": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def start(
    folder: Path, only: Iterable[str] = RIGHT, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Load the WSGI application as a server does, in a process of its own."""
    environment = {name: RIGHT[name] for name in only} | changes
    environment["DATABASE_URL"] = f"sqlite:///{folder / 'db.sqlite3'}"
    command = [sys.executable, "-c", "import ltdkeeper.wsgi; print('started')"]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


WRONG = {
    "no secret key": ({"LTD_SECRET_KEY": ""}, "E001", "token_urlsafe"),
    "no address": ({"LTD_PUBLIC_URL": ""}, "E002", "https://keeper.example.org"),
    "http": ({"LTD_PUBLIC_URL": "http://keeper.example.org"}, "E003", "loopback"),
    "SQLite": ({"LTD_ALLOW_SQLITE": "false"}, "E004", "DATABASE_URL"),
    "sessions too short": ({"LTD_SESSION_SECONDS": "60"}, "E006", "At least 900"),
    "store without a role": ({"LTD_STORE_BUCKET": "docs"}, "E008", "arn:aws:iam::"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_setting_keeps_the_server_from_starting(case: str, tmp_path: Path) -> None:
    changes, number, hint = WRONG[case]
    ended = start(tmp_path, **changes)
    assert ended.returncode != 0
    assert "started" not in ended.stdout
    assert f"ltdkeeper.{number}" in ended.stderr
    assert hint in ended.stderr


def test_server_starts_on_right_settings_before_the_database_is_there(tmp_path: Path) -> None:
    ended = start(tmp_path)
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["started"]), ended.stderr
    assert "stores_not_warmed_up" in ended.stderr


def test_server_starts_while_debugging_with_hardly_a_setting(tmp_path: Path) -> None:
    named = ["PATH", "LTD_ENV_FILE", "AWS_EC2_METADATA_DISABLED"]
    ended = start(tmp_path, only=named, LTD_DEBUG="true")
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["started"]), ended.stderr
