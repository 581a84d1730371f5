"""`manage.py prune_sessions` and `compact_policies`: what they say, and what they need."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from credentials.models import HourlyCount, IssuedSession
from credentials.rules.policy import Scope, session_policy
from ltdkeeper.management.outcomes import ExitCode
from tests.credentials.ledger_rows import issued_row

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 27, 4, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today() -> None:
    HourlyCount.objects.create(hour=datetime(2026, 11, 27, 3, tzinfo=UTC))
    scope = Scope(
        partition="aws", bucket="docs-bucket", root="guide/builds/v1", may_list_bare_root=False
    )
    with time_machine.travel(old := NOW - timedelta(days=31)):
        issued_row(policy=session_policy(scope), requested_at=old, expires_at=old)


@time_machine.travel(NOW)
def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_dry_run_counts_and_changes_nothing() -> None:
    said = run("prune_sessions", "--older-than", "30d", "--dry-run")
    assert said == (
        "Nothing was changed; would export and delete 1 sessions that were over by "
        "2026-10-28 04:00 UTC.\n"
    )
    assert IssuedSession.objects.exists()


def test_no_session_is_as_old_as_the_epoch() -> None:
    said = run("prune_sessions", "--older-than", "36500d", "--dry-run")
    assert said.startswith("Nothing was changed; would export and delete 0 sessions")
    said = run("compact_policies", "--older-than", "36500d")
    assert said == "Policies replaced: 0. Kept as they are: 0.\n"


def test_file_rows_and_checksum_are_reported(tmp_path: Path) -> None:
    said = run("prune_sessions", "--older-than", "30", "--export", str(tmp_path))
    [checksum] = tmp_path.glob("*.sha256")
    sha256, name = checksum.read_text().split()
    assert said.splitlines()[0] == f"{name}  1 rows  {sha256}"
    again = run("prune_sessions", "--older-than=30d", f"--export={tmp_path}", "--format=json")
    until = "2026-10-28T04:00:00+00:00"
    assert json.loads(again) == {"dry_run": False, "until": until, "rows": 0, "exports": []}


def refuse(*arguments: str) -> int:
    with pytest.raises(CommandError) as refused:
        run("prune_sessions", "--older-than", "30d", *arguments)
    return refused.value.returncode


def test_nothing_goes_without_an_export() -> None:
    assert refuse() == ExitCode.WRONG_ARGUMENTS
    assert IssuedSession.objects.exists()


def test_folder_that_cannot_be_written_is_exit_code_3() -> None:
    assert refuse("--export", "/proc/self") == ExitCode.NOT_MADE
    assert IssuedSession.objects.exists()


def test_ledger_that_was_never_rolled_up_is_left() -> None:
    HourlyCount.objects.all().delete()
    assert refuse("--dry-run") == ExitCode.NOT_MADE


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("text", "Policies replaced: 1. Kept as they are: 0.\n"),
        ("json", '{"replaced":1,"kept":0}\n'),
    ],
)
def test_policies_that_were_replaced_are_counted(form: str, said: str) -> None:
    assert run("compact_policies", "--format", form) == said
    assert IssuedSession.objects.exclude(policy_sha256="").exists()
