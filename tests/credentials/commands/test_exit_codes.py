"""Exit codes mean the same for every command: cron jobs and monitoring rely on them."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import OperationalError

from builds.models import Build, Store
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand

OURS = sorted(name for name, app in get_commands().items() if str(app) == "ltdkeeper")
FORMATS = [
    *(
        "apply",
        "audit_sessions",
        "bootstrap_store",
        "check_isolation",
        "count_builds",
        "create_client",
    ),
    *("audit_bucket", "audit_cloudtrail", "audit_schedule", "compact_policies", "prune_sessions"),
    *(
        "deliver_webhooks",
        "doctor",
        "find",
        "findings",
        "needs_attention",
        "purge_builds",
        "revoke",
        "roll_up",
        "write_revocations",
    ),
]
# What each command needs to be given at least.
NEEDED: dict[str, list[str]] = {
    "apply": ["/no/such/file.yaml"],
    "create_publisher": ["--github", "octo/docs", "--product", "handbook", "--id", "1"],
    "audit_cloudtrail": ["docs"],
    "create_client": ["ci"],
    "find": ["guide/builds/v1"],
    "import_ltd": ["--from", "https://keeper.example.org", "--store", "main"],
    "prune_sessions": ["--older-than", "400d", "--dry-run"],
    "purge_builds": ["--deleted-before", "30"],
    "recover_builds": ["main"],
    "reset_second_factor": ["operator", "--reason", "lost"],
    "revoke": ["client", "ci", "--reason", "leaked", "--yes"],
    "revoke_key": ["y8jw59d6g3it"],
    "withdraw_key": ["y8jw59d6g3it"],
}


def exit_code(*arguments: str) -> int:
    try:
        call_command(*arguments, stdout=StringIO(), stderr=StringIO())
    except SystemExit as ended:
        return int(str(ended.code))
    except CommandError as err:
        return err.returncode
    return 0


NONSENSE = ["-1", "1.5", "soon", "", "٣", "1e3", "9" * 5000, "9" * 9]
WRONG = [
    ["apply", "/no/such/file.yaml"],
    ["create_publisher", "--store", "elsewhere"],
    ["create_publisher", "--id", "2", "--id", "3"],
    *(["audit_sessions", f"--grace={text}"] for text in NONSENSE),
    *([name, "--format", "xml"] for name in FORMATS),
    ["audit_sessions", "--no-such-option"],
    ["compact_policies", "--older-than", "0d"],
    ["find", ""],
    ["findings", "--acknowledge", "0" * 12, "--until", "2026-12-31", "--note", "x"],
    ["findings", "--until", "soon"],
    ["prune_sessions", "--older-than", "29d"],
    ["prune_sessions", "--older-than", "400d", "--export", "/no/such/directory"],
    ["recover_builds", "elsewhere"],
    ["recover_builds", "main"],
    ["reset_second_factor", "nobody", "--reason", "lost"],
    ["revoke_key", "000000000000"],
    ["revoke", "client", "nobody", "--reason", "leaked", "--yes"],
    ["revoke", "planet", "earth", "--reason", "leaked"],
    ["revoke", "--before", "soon"],
    ["revoke", "--before", "0001-01-01T00:00+14:00"],
    ["audit_cloudtrail", "--until", "9999-12-31T23:59Z"],
    ["write_revocations", "--store", "elsewhere"],
    ["write_revocations", "--profile", "no-such-profile"],
    ["check_isolation", "--store", "elsewhere"],
    ["doctor", "--store", "elsewhere"],
    ["doctor", "--profile", "no-such-profile"],
    ["count_builds", "--profile", "no-such-profile"],
    ["bootstrap_store", "--store", "elsewhere"],
    ["bootstrap_store", "--profile", "no-such-profile"],
    ["bootstrap_store", "--vendor-arn", "everybody"],
    ["import_ltd", "--from", "ftp://keeper.example.org", "--store", "main"],
    ["import_ltd", "--from", "https://keeper.example.org", "--store", "elsewhere"],
]


def test_every_command_of_ours_ends_by_the_same_rules() -> None:
    classes = [type(load_command_class(get_commands()[name], name)) for name in OURS]
    assert classes
    assert [each for each in classes if not issubclass(each, ServiceCommand)] == []


def test_clean_audit_is_0(db: None) -> None:
    assert exit_code("audit_sessions") == ExitCode.NOTHING_FOUND


def test_finding_is_1(build: Build) -> None:
    Build.objects.update(written_without_session=True)
    assert exit_code("audit_sessions") == ExitCode.FINDINGS


def with_needed(name: str, *arguments: str) -> list[str]:
    needed = NEEDED.get(name, []) if arguments else []
    return [name, *([] if list(arguments[:1]) == needed[:1] else needed), *arguments]


def test_wrong_argument_is_2(store: Store) -> None:
    codes = {" ".join(each): exit_code(*with_needed(*each)) for each in WRONG}
    assert codes == dict.fromkeys(codes, ExitCode.WRONG_ARGUMENTS)


def test_argument_that_is_no_text_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    command = load_command_class(get_commands()["revoke_key"], "revoke_key")
    with pytest.raises(SystemExit) as caught:
        command.run_from_argv(["manage.py", "revoke_key", "\udcff"])
    assert caught.value.code == ExitCode.WRONG_ARGUMENTS
    assert "is not UTF-8" in capsys.readouterr().err


def test_database_that_fails_is_3_in_one_line(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    command = type(load_command_class(get_commands()["audit_sessions"], "audit_sessions"))
    monkeypatch.setattr(command, "handle", _fail)
    with pytest.raises(CommandError, match=r"\ADATABASE_URL: .*no route to host.*\Z") as caught:
        call_command("audit_sessions")
    assert caught.value.returncode == ExitCode.NOT_MADE


def _fail(*_: Any, **__: Any) -> None:
    raise OperationalError("no route\nto host")
