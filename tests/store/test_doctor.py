"""`manage.py doctor` on an account that `bootstrap_store` has set up: nothing is wrong in it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from credentials.stores.operator import AccessKey
from demo.child import ROOT
from demo.service import Service
from tests.store.differences import Expectations
from tests.store.test_bootstrap_command import profile


@pytest.fixture
def results(service: Service, auditor: AccessKey, tmp_path: Path) -> Any:
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
    found = {finding["id"] for check in results for finding in check["findings"]}
    unlooked = {each["check"] for each in results if each["verdict"].startswith("not ")}
    assert (found, unlooked) == (
        expect.of("doctor: findings", set()),
        expect.of("doctor: not looked at", set()),
    )
