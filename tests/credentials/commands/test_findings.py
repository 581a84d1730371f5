"""`manage.py findings`: what is open, and accepting it without the admin."""

import json
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from credentials.models import AuditFinding
from credentials.operations.findings import Finding
from credentials.operations.runs import recorded_run
from tests.credentials.commands.test_audit_sessions import audit
from tests.credentials.ledger_rows import requested_row

pytestmark = pytest.mark.django_db
DAY = f"{timezone.now().year + 1}-01-01"


def findings(*arguments: str) -> tuple[int, str]:
    written = StringIO()
    try:
        call_command("findings", *arguments, stdout=written)
    except SystemExit as end:
        return int(str(end.code)), written.getvalue()
    return 0, written.getvalue()


@pytest.fixture
def fingerprint(db: None) -> str:
    with recorded_run("audit_sessions") as run:
        [kept] = run.keep([Finding(rule="key_unused", subject="a\x1bkey", what="Unused.")])
    return kept.fingerprint


def test_nothing_open_is_exit_code_0(db: None) -> None:
    assert findings() == (0, "Findings: 0\n")


def test_open_findings_are_lines_and_exit_code_1(fingerprint: str) -> None:
    line = f"{fingerprint[:12]} open, error key_unused: a\\u001bkey: Unused.\nFindings: 1\n"
    assert findings() == (1, line)


def test_acknowledged_finding_is_listed_only_with_all(fingerprint: str) -> None:
    given = ["--acknowledge", fingerprint[:12], "--until", DAY, "--note", "known"]
    assert findings(*given)[0] == 0
    assert findings()[0] == 0
    code, written = findings("--all", "--format", "json")
    [member] = json.loads(written)["findings"]
    assert (code, member["state"], member["acknowledged_note"]) == (1, "acknowledged", "known")
    assert LogEntry.objects.get().user.username == "command-line"
    assert findings("--withdraw", fingerprint, "--note", "no")[0] == 0
    assert findings()[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--until", DAY],
        ["--until", DAY, "--note", "two\nlines"],
        ["--until", "2020-01-01", "--note", "x"],
        ["--note", "x"],
        ["--withdraw", "0" * 12, "--note", "x"],
    ],
    ids=" ".join,
)
def test_half_an_acknowledgement_is_refused(arguments: list[str], fingerprint: str) -> None:
    with pytest.raises(CommandError):
        findings("--acknowledge", fingerprint, *arguments)
    assert AuditFinding.objects.open(timezone.now()).exists()


def test_acknowledged_findings_do_not_fail_the_audit(db: None) -> None:
    requested_row()
    [found] = json.loads(audit("--format", "json")[1])["findings"]
    findings("--acknowledge", found["fingerprint"], "--until", DAY, "--note", "known")
    code, written = audit()
    assert code == 0
    assert written.endswith("(acknowledged)\nFindings: 1 (session_stuck 1); acknowledged: 1\n")
