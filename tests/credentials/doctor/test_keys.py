"""The KMS key: where it is, what it is for, and that the bucket uses no other."""

from typing import Any

import pytest

from credentials.doctor.keys import judge_encryption, judge_key, judge_key_arn
from tests.credentials.doctor.aws_account import KEY, expected

ARNS = {
    "the store's": (KEY, []),
    "another region": (KEY.replace("eu-central-1", "eu-west-1"), ["kms-key.other-region"]),
    "another partition": (KEY.replace("arn:aws:", "arn:aws-cn:"), ["kms-key.other-partition"]),
    "alias": (KEY.replace("key/1234abcd", "alias/docs"), ["kms-key.not-an-arn"]),
}


@pytest.mark.parametrize("case", ARNS)
def test_arn_of_the_key_is_judged(case: str) -> None:
    arn, ids = ARNS[case]
    assert [finding.id for finding in judge_key_arn(expected(kms_key_arn=arn))] == ids


USABLE = {"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}
KEYS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "usable": (USABLE, []),
    "usable, spec not told": ({"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT"}, []),
    "disabled": (USABLE | {"KeyState": "Disabled"}, ["kms-key.disabled"]),
    "soon deleted": (USABLE | {"KeyState": "PendingDeletion"}, ["kms-key.disabled"]),
    "for signing": (USABLE | {"KeyUsage": "SIGN_VERIFY"}, ["kms-key.unusable"]),
    "asymmetric": (USABLE | {"KeySpec": "RSA_2048"}, ["kms-key.unusable"]),
    "nothing told": ({}, ["kms-key.disabled", "kms-key.unusable"]),
}


@pytest.mark.parametrize("case", KEYS)
def test_key_is_judged(case: str) -> None:
    metadata, ids = KEYS[case]
    assert [finding.id for finding in judge_key(metadata, expected(kms_key_arn=KEY))] == ids


def test_key_that_is_to_be_deleted_is_kept() -> None:
    metadata = USABLE | {"KeyState": "PendingDeletion"}
    [finding] = judge_key(metadata, expected(kms_key_arn=KEY))
    assert finding.change == f"aws kms cancel-key-deletion --key-id {KEY} --region eu-central-1"


def by_kms(key: str | None, algorithm: str = "aws:kms") -> list[dict[str, Any]]:
    named = {"KMSMasterKeyID": key} if key else {}
    return [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, **named}}]


# rules, the store's key -> whether something is found
ENCRYPTION = {
    "not set": ([], "", False),
    "by S3": (by_kms(None, "AES256"), "", False),
    "by S3, though the store has a key": (by_kms(None, "AES256"), KEY, False),
    "by AWS's own key": (by_kms(None), "", False),
    "by AWS's own key, named": (by_kms("alias/aws/s3"), "", False),
    "by the store's key": (by_kms(KEY), KEY, False),
    "by the id of the store's key": (by_kms("1234abcd"), KEY, False),
    "by an alias that may be the key's": (by_kms("alias/docs"), KEY, False),
    "by an alias": (by_kms("alias/docs"), "", True),
    "by a key that is not named": (by_kms(KEY), "", True),
    "twice by a key that is not named": (by_kms(KEY, "aws:kms:dsse"), "", True),
    "by another key": (by_kms("5678"), KEY, True),
}


@pytest.mark.parametrize("case", ENCRYPTION)
def test_key_of_the_bucket_is_judged(case: str) -> None:
    rules, key, is_found = ENCRYPTION[case]
    found = [finding.id for finding in judge_encryption(rules, expected(kms_key_arn=key))]
    assert found == ["encryption.other-key"] * is_found
