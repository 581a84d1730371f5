"""`manage.py doctor` on an account that `bootstrap_store` has set up: nothing is wrong in it."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from credentials.vending.store_clients import AccessKey
from demo.processes import ROOT
from demo.service import Service
from tests.store.differences import Expectations
from tests.store.stage import DATABASE
from tests.store.test_bootstrap_command import profile


@pytest.fixture
def _no_posts(folder: Path) -> None:
    """As if the store took no presigned POSTs: whether a check has found out by now is up to
    the order of tests, and a role of one hour is too short for them, rightly.
    """
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute("UPDATE builds_store SET post_support = 'broken'")


@pytest.fixture
def results(service: Service, auditor: AccessKey, tmp_path: Path, _no_posts: None) -> Any:
    """What the command says with the auditor's credentials, whatever its exit code is."""
    credentials = tmp_path / "credentials"
    credentials.write_text(profile("auditor", auditor))
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    command = [sys.executable, "manage.py", "doctor", "--profile", "auditor", "--format", "json"]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=service.environment | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    [store] = json.loads(ran.stdout)["stores"]
    return store["checks"]


def test_nothing_is_wrong_in_an_account_that_was_set_up(results: Any, expect: Expectations) -> None:
    found = {finding["rule"] for check in results for finding in check["findings"]}
    unlooked = {each["check"] for each in results if each["verdict"].startswith("not ")}
    assert (found, unlooked) == (
        expect.of("doctor: findings", set()),
        expect.of("doctor: not looked at", {"revoker", "trail"}),
    )
