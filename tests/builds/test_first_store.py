"""`manage.py ensure_store`: the settings' store is made once, and wrong settings are a sentence."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from builds.models import Store

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


def ensure() -> str:
    answer = StringIO()
    call_command("ensure_store", stdout=answer)
    return answer.getvalue().strip()


def test_store_is_made_as_the_settings_say() -> None:
    assert ensure() == "Made the store frankfurt."
    row = Store.objects.values().get()
    told = {name.removeprefix("LTD_STORE_").lower(): value for name, value in COMPLETE.items()}
    assert row | told == row


def test_second_run_finds_the_store() -> None:
    ensure()
    assert ensure() == "Found the store frankfurt."
    assert Store.objects.count() == 1


def test_store_that_the_admin_changed_stays_as_it_is(settings: Settings) -> None:
    ensure()
    Store.objects.update(bucket="moved")
    settings.LTD_STORE_ADDRESSING = "virtual"
    ensure()
    assert Store.objects.values_list("bucket", "addressing").get() == ("moved", "path")


def test_without_a_bucket_nothing_is_made(settings: Settings) -> None:
    settings.LTD_STORE_BUCKET = ""
    assert ensure() == "LTD_STORE_BUCKET is not set: stores are made in the admin."
    assert not Store.objects.exists()


WRONG: dict[str, tuple[str, Any, str]] = {
    "name": ("LTD_STORE_NAME", "my store", "name: "),
    "bucket": ("LTD_STORE_BUCKET", "Docs", "bucket: Not the name of an S3 bucket"),
    "region": ("LTD_STORE_REGION", "EU", "region: Not the name of a region"),
    "endpoint": ("LTD_STORE_ENDPOINT_URL", "s3.internal", "endpoint_url: Not an address"),
    "public endpoint": ("LTD_STORE_PUBLIC_ENDPOINT_URL", "x", "public_endpoint_url: Not an"),
    "no role": ("LTD_STORE_ROLE_ARN", "", "role_arn: "),
    "role": ("LTD_STORE_ROLE_ARN", "upload", "role_arn: Not a role's ARN"),
    "role maximum": ("LTD_STORE_ROLE_MAX_SECONDS", 60, "role_max_seconds: Ensure"),
    "KMS alias": ("LTD_STORE_KMS_KEY_ARN", "alias/docs", "kms_key_arn: Not a KMS key's ARN"),
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
