"""Judges the KMS key that the store names, and the one that encrypts its bucket. Pure.

S3 encrypts with symmetric keys of its own region only; AWS's own key, `alias/aws/s3`, needs no
rights of the caller's (AWS S3 user guide, SSE-KMS).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from builds.names import is_kms_key_arn
from credentials.doctor.commands import aws
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.principals import name_of

AWS_S_OWN = "alias/aws/s3"
BY_KMS = ("aws:kms", "aws:kms:dsse")
WHY_KEY = "Every upload needs the key, so every upload is refused."
_PARTITION, _REGION = 1, 3  # where an ARN names them


def judge_key_arn(expected: Expected) -> Iterator[Finding]:
    """The key is where the bucket is, as far as its ARN says."""
    if not is_kms_key_arn(expected.kms_key_arn):
        yield _finding(
            "kms-key.not-an-arn",
            f"{expected.kms_key_arn} is not the ARN of a key.",
            "Policies match keys by their ARNs, never by an alias: no credentials are issued.",
            "Set the store's KMS key ARN in the admin: arn:aws:kms:REGION:ACCOUNT:key/ID",
        )
        return
    fields = expected.kms_key_arn.split(":")
    for name, found, wanted in (
        ("partition", fields[_PARTITION], expected.partition),
        ("region", fields[_REGION], expected.region),
    ):
        if found != wanted:
            yield _finding(
                f"kms-key.other-{name}",
                f"The key is in {found}, and the store in {wanted}.",
                f"S3 uses only keys of the bucket's {name}. {WHY_KEY}",
                "Set the store's KMS key ARN in the admin to the key of its bucket.",
            )


def judge_key(metadata: Mapping[str, Any], expected: Expected) -> Iterator[Finding]:
    """The key exists, is enabled, and is of a kind that S3 can use."""
    state = metadata.get("KeyState", "unknown")
    if state != "Enabled":
        call = "cancel-key-deletion" if state == "PendingDeletion" else "enable-key"
        yield _finding(
            "kms-key.disabled",
            f"The key's state is {state}.",
            WHY_KEY,
            aws(expected, f"kms {call}", key_id=expected.kms_key_arn),
        )
    usage, spec = metadata.get("KeyUsage"), metadata.get("KeySpec", "SYMMETRIC_DEFAULT")
    if (usage, spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        yield _finding(
            "kms-key.unusable",
            f"The key is for {usage} with {spec}; S3 needs a symmetric one that encrypts.",
            WHY_KEY,
            "Make another key, and set the store's KMS key ARN in the admin to it.",
        )


def judge_encryption(rules: Sequence[Mapping[str, Any]], expected: Expected) -> Iterator[Finding]:
    """The key that encrypts new objects of the bucket is the one that the store names."""
    for rule in rules:
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        key = default.get("KMSMasterKeyID", AWS_S_OWN)
        if default.get("SSEAlgorithm") not in BY_KMS or _is_known(key, expected):
            continue
        named = expected.kms_key_arn or "none"
        yield _finding(
            "encryption.other-key",
            f"The bucket encrypts with {key}, and the store names {named}.",
            f"Sessions have no right to a key that the store does not name. {WHY_KEY}",
            f"Set the store's KMS key ARN in the admin to {key}, then run bootstrap_store.",
        )


def _is_known(key: str, expected: Expected) -> bool:
    """Whether it is AWS's own, or the store's as far as can be told: an alias may be any key's."""
    if expected.kms_key_arn and "alias/" in key:
        return True
    return name_of(key) in {name_of(AWS_S_OWN), name_of(expected.kms_key_arn)}


def _finding(finding_id: str, what: str, why: str, change: str) -> Finding:
    return Finding(id=finding_id, what=what, why=why, change=change)
