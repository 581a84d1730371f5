"""`manage.py doctor`: text, JSON, exit codes, and whose credentials it looks with."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from builds.models import Store
from tests.credentials.operations.account.doctor.embedded_account import Account, allow

pytestmark = [pytest.mark.loopback, pytest.mark.slow]
PROFILE, REVOKER = "the-auditor", "the-revoker"


def lines_of(profile: str, key: dict[str, str]) -> str:
    return "\n".join([f"[{profile}]", *(f"{name} = {value}" for name, value in key.items())])


@pytest.fixture(autouse=True)
def _profile(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of auditor and revoker are in a file, as an operator has them."""
    file = tmp_path / "credentials"
    keys = {PROFILE: account.auditor_key, REVOKER: account.revoker_key}
    file.write_text("\n".join(lines_of(profile, key) for profile, key in keys.items()))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))


@pytest.fixture
def sick(account: Account, row: Store) -> Store:
    account.put_vendor_policy(allow("iam:ListRoles", "*"))
    return row


def test_healthy_store_is_told_in_a_table(row: Store, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("doctor", profile=PROFILE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Store {row.name}: {row.bucket}, {row.role_arn}"
    assert "ok             trust               The role trusts only the vendor" in lines
    assert lines[-1] == f"Store {row.name}: Nothing to change."


def test_error_is_told_and_exits_with_1(sick: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", store=sick.name, profile=PROFILE)
    printed = capsys.readouterr().out
    assert "    error vendor-iam.allowed\n" in printed
    assert f"Store {sick.name}: 2 errors, 0 warnings." in printed


def test_revoker_is_tried_with_the_profile_of_the_settings(
    account: Account, row: Store, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.LTD_REVOKER_PROFILE = REVOKER
    account.put_revoker_policy(allow("iam:ListRoles", "*"))
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", profile=PROFILE)
    assert "    error revoker.allowed\n" in capsys.readouterr().out


def test_warning_exits_with_0(account: Account, row: Store) -> None:
    account.s3.delete_bucket_lifecycle(Bucket=account.bucket)
    call_command("doctor", profile=PROFILE)


def test_json_is_one_document(sick: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", format="json", profile=PROFILE)
    told = json.loads(capsys.readouterr().out)
    assert (told["errors"], told["warnings"]) == (2, 0)
    [store] = told["stores"]
    found = [finding["rule"] for check in store["checks"] for finding in check["findings"]]
    assert found == ["vendor-iam.allowed", "vendor-policies.more"]


def test_json_of_a_healthy_store_exits_with_0(
    row: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("doctor", format="json", profile=PROFILE)
    assert json.loads(capsys.readouterr().out)["errors"] == 0


def test_profile_is_that_of_the_settings(row: Store, settings: Any) -> None:
    settings.LTD_AUDITOR_PROFILE = PROFILE
    call_command("doctor")


def test_without_a_profile_the_vendor_is_still_tried(
    row: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor")
    printed = capsys.readouterr().out
    assert "error auditor.no-credentials" in printed
    assert "ok             vendor-iam" in printed


def test_profile_without_usable_credentials_is_a_finding(
    row: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "config"
    file.write_text("[profile broken]\ncredential_process = false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", profile="broken")
    assert "error auditor.no-credentials" in capsys.readouterr().out


def test_profile_that_does_not_exist_is_told(row: Store) -> None:
    with pytest.raises(CommandError, match="nobody"):
        call_command("doctor", profile="nobody")


@pytest.mark.usefixtures("row")
def test_store_that_does_not_exist_is_told() -> None:
    with pytest.raises(CommandError, match="no such store"):
        call_command("doctor", store="elsewhere", profile=PROFILE)


def test_every_store_is_examined_unless_one_is_named(
    account: Account, row: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    account.row(name="away", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(SystemExit, match="1"):
        call_command("doctor", profile=PROFILE)
    printed = capsys.readouterr().out
    assert "Store away: 1 error, 0 warnings." in printed
    assert f"Store {row.name}: " in printed


def test_no_secret_is_printed(
    account: Account, sick: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call_command("doctor", profile=PROFILE)
    printed = capsys.readouterr()
    for key in (account.vendor_key, account.auditor_key):
        assert key["aws_secret_access_key"] not in printed.out + printed.err
