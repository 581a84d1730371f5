"""`GET /metrics`: only with its own token, and not there without one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from credentials.vending.serving import refreshes

TOKEN = "only-for-tests-of-metrics"
COUNTED = """
import django, sys
django.setup()
from credentials.vending.serving import refreshes
refreshes.labels(source="memory").inc(2)
if sys.argv[1:]:
    from ltdkeeper.api.health import _registry, generate_latest
    print(generate_latest(_registry()).decode())
"""


@pytest.fixture
def ask(client: Client, settings: Any) -> Any:
    settings.LTD_METRICS_TOKEN = TOKEN
    return lambda shown: client.get("/metrics", headers={"Authorization": shown})


def test_counters_are_told_to_who_has_the_token(ask: Any) -> None:
    refreshes.labels(source="memory").inc()
    answer = ask(f"Bearer {TOKEN}")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Cache-Control"] == "no-store"
    assert b'ltdkeeper_refreshes_total{source="memory"}' in answer.content


@pytest.mark.parametrize("shown", ["", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \xff"])
def test_others_are_refused(shown: str, ask: Any) -> None:
    answer = ask(shown)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert b"refreshes" not in answer.content


def test_without_a_token_in_the_settings_there_is_no_such_page(ask: Any, settings: Any) -> None:
    settings.LTD_METRICS_TOKEN = ""
    for shown in ("", "Bearer ", "Bearer anything"):
        assert ask(shown).status_code == 404


@pytest.mark.slow
def test_processes_that_share_a_directory_are_added_up(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
    }
    root = Path(__file__).resolve().parents[2]
    told = [
        subprocess.run(
            [sys.executable, "-c", COUNTED, *arguments],
            env=env,
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for arguments in ([], ["tell"])
    ]
    assert 'ltdkeeper_refreshes_total{source="memory"} 4.0' in told[1]
