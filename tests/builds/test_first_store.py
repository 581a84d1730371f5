"""`manage.py ensure_store`: the settings' store is made once, and wrong settings are a sentence."""

import os
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from builds.models import Build, Product, Store
from demo.service import procfile_command
from ltdkeeper.management.outcomes import ExitCode

pytestmark = pytest.mark.django_db

COMPLETE = {
    "LTD_STORE_NAME": "frankfurt",
    "LTD_STORE_BUCKET": "docs-bucket",
    "LTD_STORE_REGION": "eu-central-1",
    "LTD_STORE_ENDPOINT_URL": "http://s3.internal:9000",
    "LTD_STORE_PUBLIC_ENDPOINT_URL": "https://s3.example.org",
    "LTD_STORE_ROLE_ARN": "arn:aws:iam::123456789012:role/upload",
    "LTD_STORE_ROLE_MAX_SECONDS": 7200,
    "LTD_STORE_EXTERNAL_ID": "tenant-7",
    "LTD_STORE_KMS_KEY_ARN": "arn:aws:kms:eu-central-1:123456789012:key/1",
    "LTD_STORE_ADDRESSING": "path",
    "LTD_STORE_WITH_SYNC": True,
}


@pytest.fixture(autouse=True)
def _complete(settings: Settings) -> None:
    for name, value in COMPLETE.items():
        setattr(settings, name, value)


def ensure(*arguments: str) -> str:
    answer = StringIO()
    call_command("ensure_store", *arguments, stdout=answer)
    return answer.getvalue().strip()


def ensure_with_code(*arguments: str) -> tuple[Any, str]:
    answer = StringIO()
    try:
        call_command("ensure_store", *arguments, stdout=answer)
    except SystemExit as ended:
        return ended.code, answer.getvalue().strip()
    return 0, answer.getvalue().strip()


def test_store_is_made_as_the_settings_say() -> None:
    assert ensure() == "Created the store frankfurt."
    row = Store.objects.values().get()
    told = {name.removeprefix("LTD_STORE_").lower(): value for name, value in COMPLETE.items()}
    assert row | told == row


def test_second_run_finds_the_store() -> None:
    ensure()
    assert ensure() == "Found the store frankfurt."
    assert Store.objects.count() == 1


# field -> another value of its setting, as it is shown
CHANGES: dict[str, tuple[Any, str]] = {
    "bucket": ("other-bucket", "other-bucket: the store has docs-bucket."),
    "region": ("eu-west-1", "eu-west-1: the store has eu-central-1."),
    "endpoint_url": ("", ": the store has http://s3.internal:9000."),
    "public_endpoint_url": ("https://new.example.org", "https://new.example.org: the store has"),
    "role_arn": ("arn:aws:iam::123456789012:role/new", "arn:aws:iam::123456789012:role/new: the"),
    "role_max_seconds": (3600, "3600: the store has 7200."),
    "external_id": ("tenant-8", "tenant-8: the store has tenant-7."),
    "kms_key_arn": ("", ": the store has arn:aws:kms:eu-central-1:123456789012:key/1."),
    "addressing": ("virtual", "virtual: the store has path."),
    "with_sync": (False, "false: the store has true."),
}


def test_every_variable_of_the_store_is_compared() -> None:
    names = {f"LTD_STORE_{field.upper()}" for field in CHANGES} | {"LTD_STORE_NAME"}
    assert names == set(COMPLETE) == {name for name in dir(settings) if "LTD_STORE_" in name}


@pytest.mark.parametrize("field", CHANGES)
def test_difference_is_named_and_applied_only_with_the_option(
    field: str, settings: Settings
) -> None:
    ensure()
    row = Store.objects.values().get()
    value, shown = CHANGES[field]
    setattr(settings, f"LTD_STORE_{field.upper()}", value)
    code, answer = ensure_with_code()
    assert code == ExitCode.FINDINGS
    assert f"\nLTD_STORE_{field.upper()}={shown}" in answer
    assert "Nothing was changed. `ensure_store --apply`" in answer
    assert Store.objects.values().get() == row
    assert ensure_with_code("--apply") == (0, f"Changed the store frankfurt: {field}.")
    assert getattr(Store.objects.get(), field) == value
    assert ensure_with_code("--apply") == (0, "Found the store frankfurt.")


def test_all_differences_are_named_and_applied_at_once(settings: Settings) -> None:
    ensure()
    for field, (value, _) in CHANGES.items():
        setattr(settings, f"LTD_STORE_{field.upper()}", value)
    assert ensure_with_code()[1].count("\nLTD_STORE_") == len(CHANGES)
    ensure_with_code("--apply")
    assert ensure() == "Found the store frankfurt."


def test_bucket_with_builds_is_frozen_and_nothing_else_is_applied(
    settings: Settings, build: Build
) -> None:
    ensure()
    Product.objects.update(store=Store.objects.get(name="frankfurt"))
    settings.LTD_STORE_BUCKET, settings.LTD_STORE_ADDRESSING = "other-bucket", "virtual"
    code, answer = ensure_with_code("--apply")
    assert code == ExitCode.FINDINGS
    assert "the store has docs-bucket. It is frozen, because builds are in it" in answer
    found = Store.objects.values_list("bucket", "addressing").get(name="frankfurt")
    assert found == ("docs-bucket", "path")


def test_another_place_has_not_shown_yet_what_it_takes(settings: Settings) -> None:
    ensure()
    Store.objects.update(post_support="works")
    settings.LTD_STORE_ADDRESSING = "auto"
    ensure_with_code("--apply")
    assert Store.objects.get().post_support == "works"
    settings.LTD_STORE_ENDPOINT_URL = ""
    ensure_with_code("--apply")
    assert Store.objects.get().post_support == "unknown"


def test_difference_that_makes_no_legal_store_is_a_sentence(
    settings: Settings, product: Product
) -> None:
    ensure()
    Product.objects.update(store=Store.objects.get(name="frankfurt"), access="sync")
    settings.LTD_STORE_WITH_SYNC = False
    with pytest.raises(CommandError, match="with_sync: Products of this store have sync access"):
        ensure("--apply")
    assert Store.objects.get(name="frankfurt").with_sync


WRONG: dict[str, tuple[str, Any, str]] = {
    "bucket": ("LTD_STORE_BUCKET", "Docs", "bucket: Not the name of an S3 bucket"),
    "no role": ("LTD_STORE_ROLE_ARN", "", "role_arn: "),
    "role maximum": ("LTD_STORE_ROLE_MAX_SECONDS", 60, "role_max_seconds: Ensure"),
    "addressing": ("LTD_STORE_ADDRESSING", "dns", "addressing: Value 'dns' is not a valid choice"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_setting_is_a_sentence(case: str, settings: Settings) -> None:
    name, value, expected = WRONG[case]
    setattr(settings, name, value)
    with pytest.raises(CommandError, match="does not describe a store") as caught:
        ensure()
    assert expected in str(caught.value)
    assert not Store.objects.exists()


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_release_goes_on_with_differences_and_stops_on_failures(
    code: int, ended: int, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nif [ "$2" = ensure_store ]; then exit {code}; fi\n')
    python.chmod(0o755)
    command = ["sh", "-c", procfile_command("release")]
    done = subprocess.run(command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False)
    assert done.returncode == ended
