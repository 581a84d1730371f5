"""Runs of the doctor and of the check of isolation are kept, and what they find are findings."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from builds.models import Store
from credentials.models import AuditFinding, JobRun
from credentials.models.runs import IsolationRun
from credentials.operations.account.doctor import CHECKS, Result, Verdict
from credentials.operations.findings import Finding, Severity
from ltdkeeper.management.commands import check_isolation, doctor

REFUSED = {"call": "write to a sibling build", "expected": "refused", "answer": "x"}
# What a run says: its verdict, whether it passed, and its lines.
CHECKED: dict[str, tuple[bool, list[dict[str, object]]]] = {
    "passed": (True, [REFUSED | {"outcome": "refused"}]),
    "failed": (False, [REFUSED | {"outcome": "accepted"}]),
    "unchecked": (False, [REFUSED | {"outcome": "unclear"}]),
}
Examined = list[Result]


def found(check: str, rule: str, severity: Severity = Severity.ERROR) -> Result:
    findings = tuple(Finding(rule=rule, what=what, severity=severity) for what in ("one", "two"))
    return Result(check=check, title="", verdict=Verdict(severity.value), findings=findings)


FINE = [Result(check=check, title="", verdict=Verdict.OK) for check in CHECKS]
EXAMINED: dict[str, Examined] = {
    "passed": FINE,
    "failed": [*FINE[:-1], found("trust", "trust.strangers")],
    "unchecked": [found("vendor", "vendor.no-credentials", Severity.WARNING), *FINE[:-1]],
}


def run_doctor(monkeypatch: pytest.MonkeyPatch, verdict: str) -> None:
    def examine(*, on_result: Callable[[Result], None], **_: Any) -> None:
        list(map(on_result, EXAMINED[verdict]))

    monkeypatch.setattr(doctor, "examine_store", examine)


def run_isolation(monkeypatch: pytest.MonkeyPatch, verdict: str) -> None:
    def check(*, run: IsolationRun, **_: Any) -> None:
        passed, lines = CHECKED[verdict]
        run.finish(passed=passed, summary="what it says", lines=lines)

    monkeypatch.setattr(check_isolation, "run_check", check)


RUN = {"doctor": run_doctor, "check_isolation": run_isolation}
# What was said one after the other -> the subjects that are open, how the last run ended, its code.
KEPT: dict[tuple[str, ...], tuple[list[str], str, int]] = {
    ("doctor", "failed"): (["trust"], "finished", 1),
    ("doctor", "failed", "passed"): ([], "finished", 0),
    ("doctor", "failed", "unchecked"): (["trust", "vendor"], "finished", 0),
    ("check_isolation", "failed"): (["main"], "finished", 1),
    ("check_isolation", "failed", "passed"): ([], "finished", 0),
    ("check_isolation", "failed", "unchecked"): (["main"], "failed", 3),
}


@pytest.mark.parametrize("said", KEPT, ids=", ".join)
def test_verdicts_are_kept(
    said: tuple[str, ...], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, *verdicts = said
    code = 0
    for verdict in verdicts:
        RUN[command](monkeypatch, verdict)
        try:
            call_command(command, stdout=StringIO())
            code = 0
        except SystemExit as ended:
            code = int(str(ended.code))
    still_open = AuditFinding.objects.filter(closed_at=None).order_by("subject")
    last = JobRun.objects.of(command, store)[0]
    subjects = [row.subject for row in still_open]
    assert (subjects, last.state, code) == KEPT[said]


def test_acknowledged_error_does_not_fail_the_doctor(
    store: Store, monkeypatch: pytest.MonkeyPatch, now: Any
) -> None:
    run_doctor(monkeypatch, "failed")
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", stdout=StringIO())
    [finding] = AuditFinding.objects.all()
    assert (finding.rule, finding.what) == ("account_wrong", "one\ntwo")
    finding.acknowledge(now, "ada", now.replace(year=now.year + 1), "known")
    finding.save()
    call_command("doctor", stdout=StringIO())
