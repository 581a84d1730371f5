"""`manage.py bootstrap_store`, as an operator types it, against a store that is set up."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from credentials.vending.store_clients import AccessKey
from demo.processes import DemoError
from demo.service import Service
from tests.store.stage import Account
from tests.store.under_test import session_arguments

Command = Callable[..., str]


def profile(name: str, key: AccessKey) -> str:
    values = {k: v for k, v in session_arguments(key).items() if v}
    return "\n".join([f"[{name}]", *(f"{k} = {v}" for k, v in values.items()), ""])


@pytest.fixture
def command(service: Service, account: Account, tmp_path: Path) -> Command:
    """`manage.py bootstrap_store` with the operator's credentials in profiles."""
    credentials = tmp_path / "credentials"
    credentials.write_text(
        profile("operator", account.store.operator) + profile("vendor", account.vendor)
    )
    options = ["--prefix", account.plan.prefix, "--profile", "operator", "--apply"]
    options += ["--vendor-profile", "vendor"]
    if account.store.vendor_arn:
        options += ["--vendor-arn", account.store.vendor_arn]

    def run(*more: str) -> str:
        environment = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
        return service.manage("bootstrap_store", *options, *more, environment=environment)

    return run


def test_command_answers_with_one_document(command: Command, account: Account) -> None:
    answer = json.loads(command("--format", "json"))
    assert (answer["changed"], answer["failed"], answer["keys"]) == (False, False, {})
    assert answer["documents"]["upload"] == json.loads(account.plan.documents["upload"])
    assert {step["what"] for step in answer["steps"]} == {
        step.what for step in account.report.steps
    }


def test_command_tells_people_that_nothing_had_to_be_changed(command: Command) -> None:
    assert "Nothing had to be changed." in command().splitlines()[-1]


def test_command_fails_with_credentials_that_are_none(service: Service, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("[nobody]\naws_access_key_id = x\naws_secret_access_key = y\n")
    with pytest.raises(DemoError):
        service.manage(
            "bootstrap_store",
            "--profile",
            "nobody",
            environment={"AWS_SHARED_CREDENTIALS_FILE": str(credentials)},
        )
