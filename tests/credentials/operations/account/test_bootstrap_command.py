"""`manage.py bootstrap_store`: arguments, one call, exit code."""

import io
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from botocore.awsrequest import AWSResponse
from django.core.management import CommandError, call_command
from moto import mock_aws

from builds.models import Store
from credentials.operations.account import assuming
from credentials.operations.account.assuming import Again, Trial

pytestmark = pytest.mark.django_db
Command = Callable[..., str]


@pytest.fixture
def command(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    monkeypatch.setattr(assuming, "try_assuming_again", lambda *_: Trial(again=Again.REFUSED))

    def run(*arguments: str) -> str:
        output = StringIO()
        call_command("bootstrap_store", *arguments, stdout=output)
        return output.getvalue()

    with mock_aws():
        yield run


def test_without_apply_it_only_looks(command: Command) -> None:
    assert "--apply makes these changes" in command()
    assert "--apply makes these changes" in command()  # so it had changed nothing


def test_json_is_one_document(command: Command) -> None:
    answer = json.loads(command("--apply", "--format", "json"))
    assert (answer["store"], answer["applied"], answer["failed"]) == ("main", True, False)
    assert answer["documents"]["trust"]["Version"] == "2012-10-17"


def test_terraform_is_printed_without_looking_at_the_account(store: Store) -> None:
    output = StringIO()
    call_command("bootstrap_store", "--format", "terraform", stdout=output)
    resources = json.loads(output.getvalue())["resource"]
    assert resources["aws_s3_bucket"]["builds"]["bucket"] == store.bucket


@pytest.mark.parametrize(
    ("endpoint_url", "options"),
    [("", ["--apply"]), ("https://s3.example.org", [])],
    ids=["with --apply", "not on AWS"],
)
def test_terraform_is_refused(endpoint_url: str, options: list[str], store: Store) -> None:
    Store.objects.filter(pk=store.pk).update(endpoint_url=endpoint_url)
    with pytest.raises(CommandError, match="for stores of AWS"):
        call_command("bootstrap_store", "--format", "terraform", *options)


@pytest.mark.parametrize("options", [[], ["--format", "json"]], ids=["text", "json"])
def test_key_that_was_made_is_shown_even_when_the_run_breaks_off(
    options: list[str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> Trial:
        raise KeyboardInterrupt("SIGTERM")

    monkeypatch.setattr(assuming, "try_assuming_again", break_off)
    output = StringIO()
    with pytest.raises(CommandError, match="Interrupted by SIGTERM"):
        call_command("bootstrap_store", "--apply", *options, stdout=output)
    if options:
        document = json.loads(output.getvalue())
        assert document["keys"]["vendor"]["secret_access_key"]
        assert document["error"].startswith("Interrupted by SIGTERM.")
    else:
        assert "AWS_SECRET_ACCESS_KEY=" in output.getvalue()


def test_store_must_be_named_where_there_are_several(command: Command, store: Store) -> None:
    Store.objects.create(name="second", bucket="other-bucket", role_arn=store.role_arn)
    with pytest.raises(CommandError, match="main, second"):
        command()
    assert "other-bucket" in command("--store", "second")


def test_unknown_store_is_told(command: Command) -> None:
    with pytest.raises(CommandError, match="There are: main"):
        command("--store", "none")


@pytest.mark.parametrize("option", ["--profile", "--vendor-profile"])
def test_unknown_profile_is_told(option: str, command: Command) -> None:
    with pytest.raises(CommandError, match="nobody"):
        command(option, "nobody")


def test_vendor_that_is_no_principal_is_told(command: Command) -> None:
    with pytest.raises(CommandError, match="vendor"):
        command("--vendor-arn", "*")


def test_profile_holds_the_vendors_key(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[vendor]\naws_access_key_id = AKIAX\naws_secret_access_key = y\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    tried: list[str] = []

    def trial(_operator: object, _plan: object, key: object) -> Trial:
        tried.append(key.access_key_id)  # type: ignore[attr-defined]
        return Trial(again=Again.REFUSED)

    monkeypatch.setattr(assuming, "try_assuming_again", trial)
    command("--apply", "--vendor-profile", "vendor")
    assert tried == ["AKIAX"]


def test_profile_without_credentials_is_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text("[profile empty]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    with pytest.raises(CommandError, match="credentials"):
        command("--vendor-profile", "empty")


PROGRAMS = {"missing": "/no/such/program", "not JSON": "echo hello"}


@pytest.mark.parametrize("option", ["--profile", "--vendor-profile"])
@pytest.mark.parametrize("case", PROGRAMS)
def test_profile_whose_program_fails_is_told(
    case: str, option: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[odd]\ncredential_process = {PROGRAMS[case]}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    output = StringIO()
    with pytest.raises((CommandError, SystemExit)) as ended:
        call_command("bootstrap_store", option, "odd", stdout=output)
    reason = "No such file" if case == "missing" else "JSONDecodeError"
    assert reason in f"{ended.value}{output.getvalue()}"


def test_role_reads_builds_once_the_store_is_set_up_for_sync_products(
    command: Command, store: Store
) -> None:
    assert "s3:GetObject" not in uploading(command("--apply", "--format", "json"))
    command("--with-sync")
    store.refresh_from_db()
    assert not store.with_sync
    assert "s3:GetObject" in uploading(command("--with-sync", "--apply", "--format", "json"))
    store.refresh_from_db()
    assert store.with_sync
    assert "s3:GetObject" in uploading(command("--apply", "--format", "json"))


def uploading(answer: str) -> str:
    return json.dumps(json.loads(answer)["documents"]["upload"])


def test_store_is_not_marked_for_sync_products_when_the_role_got_no_rights(
    command: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assuming, "try_assuming_again", lambda *_: Trial(again=Again.ACCEPTED))
    with pytest.raises(SystemExit) as ended:
        command("--with-sync", "--apply")
    assert ended.value.code == 3
    store.refresh_from_db()
    assert not store.with_sync


def not_implemented(request: Any, **_: Any) -> Any:
    """What a store answers that has no such API: `before-send` takes it for the answer."""
    body = b"<Error><Code>NotImplemented</Code><Message>Not here.</Message></Error>"
    return AWSResponse(request.url, 501, {}, BytesIO(body))


class BytesIO(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def _no_api(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that knows objects and nothing else."""
    Store.objects.update(endpoint_url="http://127.0.0.1:9")
    session = Session()
    session.events.register("before-send", not_implemented)
    monkeypatch.setattr(
        "ltdkeeper.management.commands.bootstrap_store.Session", lambda **_: session
    )


@pytest.mark.parametrize("arguments", [(), ("--apply",), ("--apply", "--with-sync")], ids=" ".join)
@pytest.mark.usefixtures("_no_api")
def test_store_without_an_api_is_set_up_with_its_own_tools(
    arguments: tuple[str, ...], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("bootstrap_store", *arguments)
    printed = capsys.readouterr().out
    assert ended.value.code == 3
    assert "not supported here; use the store's own tools, with these documents." in printed
    assert '"Action":"sts:AssumeRole"' in printed
    assert [
        each
        for each in ("--apply makes these changes", "The rest is on", "Nothing had", "set up.")
        if each in printed
    ] == []
    store.refresh_from_db()
    assert not store.with_sync


def test_operator_is_told_of_the_setting_that_is_compared(
    command: Command, store: Store, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command("--with-sync", "--apply")
    assert "LTD_STORE_WITH_SYNC" not in capsys.readouterr().err
    settings.LTD_STORE_NAME = store.name
    command("--with-sync", "--apply")
    assert "LTD_STORE_WITH_SYNC=true" in capsys.readouterr().err
