"""`manage.py audit_cloudtrail`: a directory or a bucket, on from where it ended, exit codes."""

import gzip
import json
import os
from datetime import datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.management import CommandError, call_command

from builds.models import Store
from credentials.models import AuditFinding, JobRun
from credentials.operations.audit import cloudtrail
from ltdkeeper.management.commands import audit_cloudtrail
from tests.credentials.ledger_rows import issued_row
from tests.credentials.operations.audit.test_trail_files import (
    KEYS,
    FakeBucket,
    log_name,
    log_of,
)
from tests.credentials.operations.audit.trail_records import (
    BUCKET,
    FAULTS,
    ROLE,
    STRANGER,
    TRAPS,
    assumed,
    plant,
)


@pytest.fixture(autouse=True)
def _watched(store: Store) -> None:
    Store.objects.update(role_arn=ROLE, bucket=BUCKET, endpoint_url="")


def audit(*arguments: str) -> tuple[int, str]:
    written = StringIO()
    try:
        call_command("audit_cloudtrail", *arguments, stdout=written)
    except SystemExit as end:
        return int(str(end.code)), written.getvalue()
    return 0, written.getvalue()


def write(folder: Path, at: str, *records: bytes) -> None:
    content = b'{"Records":[%b]}' % b",".join(records)
    (folder / log_name(at)).write_bytes(gzip.compress(content))


def stranger(name: str, at: str = "11:59:00") -> bytes:
    return json.dumps(assumed(f"ASIA{name}", name, at)).encode()


def test_every_fault_of_a_directory_is_kept_once(tmp_path: Path) -> None:
    write(tmp_path, "20261123T1205", *plant([*FAULTS.values(), *TRAPS.values()]))
    (tmp_path / log_name("20261123T1210")).write_bytes(b"no gzip")
    first = audit(str(tmp_path), "--addresses", "--format", "json")
    second = audit(str(tmp_path), "--addresses", "--format", "json")
    documents = [json.loads(text) for _, text in (first, second)]
    assert [code for code, _ in (first, second)] == [1, 1]
    assert [len(each["findings"]) for each in documents] == [len(FAULTS) + 1] * 2
    assert [sum(each["is_new"] for each in one["findings"]) for one in documents] == [
        len(FAULTS) + 1,
        0,
    ]
    assert AuditFinding.objects.filter(closed_at=None, is_event=True).count() == len(FAULTS) + 1


def test_run_says_what_it_read_and_for_which_time(tmp_path: Path) -> None:
    write(tmp_path, "20261123T1205", stranger("one"))
    write(tmp_path, "20261123T1210")
    audit(str(tmp_path))
    run = JobRun.objects.get()
    assert run.looked_at == {"files": 2, "records": 1, "calls": 1, "signatures": 0}
    assert run.coverage == [
        {
            "since": "2026-11-23T12:05:00+00:00",
            "until": "2026-11-23T12:10:00+00:00",
            "source": str(tmp_path),
        }
    ]


def read(*arguments: str) -> int:
    """How many files a run reads."""
    audit(*arguments)
    return int(JobRun.objects.first().looked_at["files"])  # type: ignore[union-attr]


def test_next_run_reads_on_and_late_logs_with_it(tmp_path: Path) -> None:
    for hour in range(6, 12):
        write(tmp_path, f"20261123T{hour:02}00")
    assert [read(str(tmp_path)), read(str(tmp_path))] == [6, 4]
    write(tmp_path, "20261123T0930")
    write(tmp_path, "20261123T1400")
    assert [read(str(tmp_path)), read(str(tmp_path))] == [6, 2]


def test_log_of_another_name_is_read_whenever_it_comes(tmp_path: Path) -> None:
    for hour in range(6, 12):
        write(tmp_path, f"20261123T{hour:02}00")
    assert read(str(tmp_path)) == 6
    write(tmp_path, "20261123T0600", stranger("one"))
    (tmp_path / log_name("20261123T0600")).rename(tmp_path / "renamed.json.gz")
    assert read(str(tmp_path)) == 5
    assert AuditFinding.objects.count() == 1


def test_other_source_and_asked_time_are_not_read_on_from(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        write(folder, "20261123T0100")
        write(folder, "20261123T1200")
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert read(one, "--since", "2026-11-23T10:00Z") == 1
    assert [read(one), read(two), read(one)] == [2, 2, 1]


def test_times_are_those_of_events(tmp_path: Path) -> None:
    write(tmp_path, "20261123T1205", *(stranger(at[:2], at) for at in ("10:00:00", "12:00:00")))
    times = ("--since", "2026-11-23T11:00Z", "--until", "2026-11-23T12:00Z")
    assert audit(str(tmp_path), *times) == (0, "Findings: 0\n")
    assert "12:00:00" in audit(str(tmp_path), *times[:2])[1]
    assert "10:00:00" in audit(str(tmp_path), *times[2:])[1]


def test_session_whose_event_is_after_the_asked_time_is_not_missing(tmp_path: Path) -> None:
    Store.objects.update(region="us-east-1")
    at = datetime.fromisoformat("2026-11-23T11:59:59.9Z")
    issued_row(
        store=Store.objects.get(),
        requested_at=at,
        completed_at=at,
        expires_at=at + timedelta(hours=1),
        access_key_id="ASIALAST",
        role_arn=ROLE,
    )
    for minute in range(0, 121, 10):
        records = [stranger("LAST", "12:00:00")] if minute == 70 else []
        write(tmp_path, f"20261123T{11 + minute // 60}{minute % 60:02}", *records)
    until = ("--until", "2026-11-23T12:00Z")
    assert audit(str(tmp_path), *until) == (0, "Findings: 0\n")


def test_directory_that_cannot_be_listed_is_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").mkdir()
    write(tmp_path, "20261123T1205")
    scandir = os.scandir

    def refusing(path: Any = ".") -> Any:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(CommandError, match="secret: Permission denied") as refused:
        audit(str(tmp_path))
    assert refused.value.returncode == 3


def test_same_relative_path_elsewhere_is_another_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "logs").mkdir(parents=True)
        write(tmp_path / name / "logs", "20261123T0100")
        write(tmp_path / name / "logs", "20261123T1200")
    monkeypatch.chdir(tmp_path / "one")
    assert read("logs") == 2
    monkeypatch.chdir(tmp_path / "two")
    assert read("logs") == 2


def test_interrupted_run_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "20261123T0100")
    write(tmp_path, "20261123T1200", stranger("one"))
    with monkeypatch.context() as broken:
        broken.setattr(cloudtrail, "judge", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            audit(str(tmp_path))
    assert read(str(tmp_path)) == 2
    assert AuditFinding.objects.count() == 1


class Trail(FakeBucket):
    """A bucket whose logs can be fetched, one of them too large."""

    def get_object(self, **where: str) -> dict[str, Any]:
        is_large = "eu-west" in where["Key"]
        body = gzip.compress(log_of([assumed(STRANGER, "mallory")]))
        return {
            "Body": BytesIO(body),
            "Metadata": {},
            "ContentLength": 1 << 40 if is_large else len(body),
        }


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Trail:
    trail = Trail(KEYS)
    monkeypatch.setattr(audit_cloudtrail, "profile_session", lambda profile: profile or None)
    monkeypatch.setattr(cloudtrail, "store_client", lambda *_: trail)
    return trail


def test_bucket_is_read_with_the_auditors_profile(client: Trail) -> None:
    code, text = audit("s3://trail/", "--profile", "auditor")
    assert (code, text.splitlines()[-1]) == (
        1,
        "Findings: 2 (bad_file 1, assume_role_unknown 1)",
    )


FAILURES = {
    "forbidden": (
        ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2"),
        "AccessDenied",
    ),
    "away": (EndpointConnectionError(endpoint_url="x"), "EndpointConnectionError"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_bucket_that_cannot_be_read_is_3(
    name: str, client: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, told = FAILURES[name]
    monkeypatch.setattr(client, "paginate", lambda **_: (_ for _ in ()).throw(error))
    with pytest.raises(CommandError, match=told) as caught:
        audit("s3://trail", "--profile", "auditor")
    assert caught.value.returncode == 3
    assert JobRun.objects.get().state == JobRun.State.FAILED


@pytest.mark.parametrize("arguments", [[], ["--until", "2020-01-01T00:00Z"]], ids=str)
def test_audit_that_finds_no_log_is_3(arguments: list[str], tmp_path: Path) -> None:
    if arguments:
        write(tmp_path, "20261123T1205", stranger("one"))
    (tmp_path / "unpacked.json").write_text("{}")
    with pytest.raises(CommandError, match=r"nothing was audited.*\.json\.gz") as caught:
        audit(str(tmp_path), *arguments)
    assert caught.value.returncode == 3
    assert JobRun.objects.get().state == JobRun.State.FAILED


SPAN = ["--since", "2026-11-23T12:00Z", "--until", "2026-11-23T12:00Z"]
WRONG = [["s3://trail"], ["s3://", "--profile", "auditor"], ["/no/such"], [".", "--since", "x"]]
WRONG += [[".", *SPAN], [".", "--since", "2999-01-01T00:00Z"]]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_source_or_time_is_2(arguments: list[str], client: Trail) -> None:
    with pytest.raises(CommandError) as caught:
        audit(*arguments)
    assert caught.value.returncode == 2
