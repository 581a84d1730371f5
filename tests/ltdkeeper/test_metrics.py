"""`GET /metrics`: only with its own token, and not there without one."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from builds.models import Build, Store
from credentials.access import refusals
from credentials.access.refusals import RefusedCall
from credentials.models import JobRun
from credentials.operations.schedule import beat
from credentials.vending.serving import refreshes
from ltdkeeper.api.metrics import remove_old_counters
from tests.credentials.ledger_rows import requested_row
from tests.fake_sts import FakeSts

TOKEN = "only-for-tests-of-metrics"
DEAD, ALIVE = 2**22 + 1, os.getppid()  # Linux gives no number as large as the first
COUNTED = """
import django, sys
django.setup()
from credentials.vending.serving import refreshes
refreshes.labels(source="memory").inc(2)
if sys.argv[1:]:
    from ltdkeeper.api.metrics import process_counters
    print(process_counters().decode())
"""


@pytest.fixture
def ask(db: None, client: Client, settings: Any) -> Any:
    settings.LTD_METRICS_TOKEN = TOKEN
    return lambda shown: client.get("/metrics", headers={"Authorization": shown})


def test_counters_are_told_to_who_has_the_token(ask: Any) -> None:
    refreshes.labels(source="memory").inc()
    answer = ask(f"Bearer {TOKEN}")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Cache-Control"] == "no-store"
    assert b'ltdkeeper_refreshes_total{source="memory"}' in answer.content


def test_head_is_as_get_without_a_body(ask: Any, client: Client) -> None:
    answer = client.head("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.content) == (200, b"")


def test_others_are_refused(ask: Any) -> None:
    for shown in ("", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \xff"):
        answer = ask(shown)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials"), shown
        assert answer["WWW-Authenticate"].startswith("Bearer"), shown
        assert b"refreshes" not in answer.content, shown


def test_without_a_token_in_the_settings_there_is_no_such_page(ask: Any, settings: Any) -> None:
    settings.LTD_METRICS_TOKEN = ""
    for shown in ("", "Bearer ", "Bearer anything"):
        assert ask(shown).status_code == 404


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


COUNTED_AT_ISSUE = [
    ("ltdkeeper_sessions_total", {"outcome": "issued"}),
    ("ltdkeeper_sts_seconds_count", {"store": "main", "outcome": "ok"}),
    ("ltdkeeper_packed_policy_percent_count", {}),
]
COUNTED_AT_FAILURE = [
    ("ltdkeeper_sessions_total", {"outcome": "sts_throttled"}),
    ("ltdkeeper_sts_seconds_count", {"store": "main", "outcome": "sts_throttled"}),
    ("ltdkeeper_refused_calls_total", {"reason": "not_found"}),
]


@pytest.mark.django_db(transaction=True)
def test_each_session_each_failure_and_each_refusal_is_counted_once(
    api: APIClient, build: Build, sts: FakeSts
) -> None:
    counted = [*COUNTED_AT_ISSUE, *COUNTED_AT_FAILURE]
    before = [sample(name, **labels) for name, labels in counted]
    assert api.post(f"/builds/{build.pk}/credentials").status_code == 200
    sts.fail_with("Throttling")
    assert api.post(f"/builds/{build.pk}/credentials").status_code == 503
    refusals.refusals.add(RefusedCall("192.0.2.1", "not_found"), now=timezone.now())
    after = [sample(name, **labels) for name, labels in counted]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1.0] * len(counted)


@pytest.mark.django_db
def test_rows_are_figures(ask: Any, store: Store, now: datetime) -> None:
    requested_row(requested_at=now - timedelta(minutes=3))
    text = ask(f"Bearer {TOKEN}").content.decode()
    assert "ltdkeeper_database_up 1.0" in text
    assert "ltdkeeper_stuck_sessions 1.0" in text
    assert 'ltdkeeper_revocations{state="failed"} 0.0' in text
    assert 'ltdkeeper_isolation_passed{store="main"} 0.0' in text
    assert 'ltdkeeper_findings{severity="error",state="open"} 0.0' in text
    assert 'ltdkeeper_webhook_deliveries{state="dead"} 0.0' in text


@pytest.mark.django_db
def test_jobs_and_clocks_are_figures(ask: Any, now: datetime) -> None:
    beat(now)
    begun = {"job": "roll_up", "started_at": now - timedelta(days=1), "finished_at": now}
    JobRun.objects.create(**begun, state="finished")
    JobRun.objects.create(**begun, state="failed", problem="x")
    text = ask(f"Bearer {TOKEN}").content.decode()
    for line in (
        "clock_heartbeat_timestamp_seconds ",
        'job_interval_seconds{command="roll_up",store=""} 3600.0',
        'job_last_success_timestamp_seconds{command="count_builds",store=""} 0.0',
        'job_failing{command="roll_up",store=""} 1.0',
        'job_overdue{command="roll_up",store=""} 1.0',
        'job_overdue{command="count_builds",store=""} 0.0',
    ):
        assert f"\nltdkeeper_{line}" in text


@pytest.mark.django_db
def test_counters_stay_while_the_database_is_away(ask: Any) -> None:
    with connection.execute_wrapper(MagicMock(side_effect=OperationalError)):
        text = ask(f"Bearer {TOKEN}").content.decode()
    assert "ltdkeeper_database_up 0.0" in text
    assert "ltdkeeper_refreshes" in text
    assert "ltdkeeper_stuck_sessions" not in text


# The processes that have counted -> those whose counts are still there once this one has started.
STARTS = {
    "first start": ([], []),
    "earlier start": ([DEAD], []),
    "one of several died": ([DEAD, ALIVE], [DEAD, ALIVE]),
    "same number as before": ([DEAD, os.getpid()], [os.getpid()]),
}


@pytest.mark.parametrize("case", STARTS)
def test_a_new_start_counts_from_nothing_and_one_more_process_does_not(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = STARTS[case]
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for pid in before:
        (tmp_path / f"counter_{pid}.db").touch()
    remove_old_counters()
    assert {path.name for path in tmp_path.iterdir()} == {f"counter_{pid}.db" for pid in after}


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
