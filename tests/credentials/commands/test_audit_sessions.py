"""`manage.py audit_sessions`: text for people, one document for machines, exit codes for cron."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from builds.models import Build
from credentials.access.callers import Caller, Origin
from credentials.models import ApiKey, Delivery, JobRun
from credentials.vending.finishing import finish_owned_build
from credentials.vending.issuing import issue_session
from tests.credentials.ledger_rows import requested_row
from tests.fake_sts import FakeSts
from tests.http.fake_s3 import FakeS3


def audit(*arguments: str) -> tuple[int, str]:
    """Exit code and what was written."""
    written = StringIO()
    try:
        call_command("audit_sessions", *arguments, stdout=written)
    except SystemExit as end:
        return int(str(end.code)), written.getvalue()
    return 0, written.getvalue()


@pytest.fixture
def two_findings(db: None) -> list[str]:
    """Rows without outcome, an hour old."""
    long_ago = timezone.now() - timedelta(hours=1)
    return sorted(requested_row(requested_at=long_ago).pk for _ in range(2))


def test_clean_ledger_is_exit_code_0(db: None) -> None:
    assert audit() == (0, "Findings: 0\n")


def test_run_says_what_it_looked_at(api_key: ApiKey, make_live: Callable[[], None]) -> None:
    make_live()
    audit()
    assert JobRun.objects.get().looked_at == {"live sessions": 1, "API keys": 1}


def test_clean_ledger_is_one_json_document(db: None) -> None:
    code, written = audit("--format", "json")
    assert (code, json.loads(written)) == (0, {"findings": [], "counts": {}, "acknowledged": 0})


def test_findings_are_exit_code_1_and_a_line_each(two_findings: list[str]) -> None:
    code, written = audit()
    *lines, summary = written.splitlines()
    assert code == 1
    assert summary == "Findings: 2 (session_stuck 2)"
    assert sorted(line.split()[1].rstrip(":") for line in lines) == two_findings
    assert all(line.startswith("session_stuck ") for line in lines)


def test_findings_are_one_json_document(two_findings: list[str]) -> None:
    code, written = audit("--format", "json")
    document = json.loads(written)
    assert code == 1
    assert document["counts"] == {"session_stuck": 2}
    assert sorted(finding["subject"] for finding in document["findings"]) == two_findings
    [names] = {frozenset(finding) for finding in document["findings"]}
    assert names >= {"rule", "severity", "subject", "message", "access_key_id"}


def test_names_with_quotes_leave_the_document_whole(build: Build, api_key: ApiKey) -> None:
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(days=1))
    root = f'guide/builds/"\\{build.slug}'
    Build.objects.update(written_without_session=True, root=root)
    [finding] = json.loads(audit("--format", "json")[1])["findings"]
    assert finding["subject"] == root


def test_summary_counts_each_rule(two_findings: list[str], caller: object) -> None:
    code, written = audit()
    assert code == 1
    assert written.splitlines()[-1] == "Findings: 3 (session_stuck 2, key_without_expiry 1)"


GRACE = {"none": ([], 1), "too little": (["--grace", "60"], 1), "enough": (["--grace", "7200"], 0)}


@pytest.mark.parametrize("case", GRACE)
def test_grace_is_in_seconds(case: str, build: Build, make_live: Callable[[], None]) -> None:
    arguments, expected = GRACE[case]
    make_live()
    assert audit(*arguments)[0] == expected


@pytest.fixture
def make_live(build: Build) -> Callable[[], None]:
    """A live session of a build that was finished an hour ago."""

    def make() -> None:
        from_now, hour = timezone.now(), timedelta(hours=1)
        ApiKey.objects.update(expires_at=from_now + hour)
        Build.objects.update(finished_at=from_now - hour)
        row = requested_row(build=build, requested_at=from_now)
        type(row).objects.update(
            status="issued",
            access_key_id="ASIA",
            completed_at=from_now,
            expires_at=from_now + timedelta(minutes=30),
        )

    return make


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--grace", "soon"]])
def test_wrong_option_is_a_sentence(arguments: list[str], db: None) -> None:
    with pytest.raises(CommandError, match=r"--format|--grace"):
        audit(*arguments)


def test_good_uploads_are_no_finding(
    caller: Caller, register: Callable[..., Build], sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six builds, each with sessions of its own, finished one after the other."""
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(days=1))
    monkeypatch.setattr("credentials.vending.finishing.s3_client", FakeS3(sizes=[1]).client_of)
    for _ in range(6):
        build = register()
        for delivery in (Delivery.JSON, Delivery.CONTAINER):
            issue_session(
                caller=caller,
                build_id=build.pk,
                delivery=delivery,
                origin=Origin(),
                now=timezone.now(),
            )
        finish_owned_build(
            caller=caller,
            build_id=build.pk,
            empty_allowed=False,
            origin=Origin(),
            now=timezone.now(),
        )
    assert audit() == (0, "Findings: 0\n")
    with time_machine.travel(timezone.now() + timedelta(minutes=25)):
        assert audit() == (0, "Findings: 0\n")
    assert audit("--grace", "0")[0] == 1
