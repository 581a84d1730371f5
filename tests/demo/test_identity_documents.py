"""The documents of the identities, as texts."""

import json
from typing import Any

import pytest

from credentials.identities import (
    UnsafeIdentityError,
    boundary_policy,
    trust_policy,
    upload_policy,
    vendor_policy,
)

ROLE = "arn:aws:iam::123456789012:role/upload"
VENDOR = "arn:aws:iam::123456789012:user/vendor"
KEY = "arn:aws:kms:us-east-1:123456789012:key/0b1c"
UPLOADS = {
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
}


def statements(document: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(document)["Statement"]
    return found


def allowed(document: str) -> dict[str, Any]:
    """Resource by action, of the Allow statements."""
    return {
        action: statement["Resource"]
        for statement in statements(document)
        if statement["Effect"] == "Allow"
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }


def test_vendor_may_assume_the_roles_and_nothing_else() -> None:
    assert statements(vendor_policy(role_arns=[ROLE])) == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": [ROLE]}
    ]


def test_exactly_the_vendor_is_trusted() -> None:
    assert statements(trust_policy(vendor_arn=VENDOR)) == [
        {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole"}
    ]


def test_trust_may_ask_for_more() -> None:
    document = trust_policy(vendor_arn=VENDOR, external_id="ours", refuse_sessions=True)
    assert statements(document)[0]["Condition"] == {
        "StringEquals": {"sts:ExternalId": "ours"},
        "Null": {"aws:TokenIssueTime": "true"},
    }


@pytest.mark.parametrize("make", [upload_policy, boundary_policy])
def test_uploads_reach_the_builds_of_one_bucket(make: Any) -> None:
    found = allowed(make(role_arn=ROLE, bucket="docs"))
    objects = "arn:aws:s3:::docs/*/builds/*"
    bucket = {"s3:ListBucket": "arn:aws:s3:::docs", "s3:GetBucketLocation": "arn:aws:s3:::docs"}
    assert found == dict.fromkeys(UPLOADS, objects) | bucket


@pytest.mark.parametrize("make", [upload_policy, boundary_policy])
def test_listing_is_of_builds_only(make: Any) -> None:
    listing = [s for s in statements(make(role_arn=ROLE, bucket="docs")) if "ListB" in str(s)]
    assert [s["Condition"] for s in listing] == [{"StringLike": {"s3:prefix": "*/builds/*"}}]


@pytest.mark.parametrize("make", [upload_policy, boundary_policy])
def test_kms_key_is_there_when_it_is_named(make: Any) -> None:
    found = allowed(make(role_arn=ROLE, bucket="docs", kms_key_arn=KEY))
    assert {action for action, resource in found.items() if resource == KEY} == {
        "kms:GenerateDataKey",
        "kms:Decrypt",
    }


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
@pytest.mark.parametrize("make", [upload_policy, boundary_policy])
def test_partition_is_the_roles(make: Any, partition: str) -> None:
    document = make(role_arn=ROLE.replace("arn:aws:", f"arn:{partition}:"), bucket="docs")
    assert document.count("arn:") == document.count(f"arn:{partition}:s3:::docs")


DENIED = {
    "s3:x-amz-acl": ["public-*", "authenticated-read", "aws-exec-read"],
    "s3:x-amz-grant-read": "?*",
    "s3:x-amz-grant-write": "?*",
    "s3:x-amz-grant-read-acp": "?*",
    "s3:x-amz-grant-write-acp": "?*",
    "s3:x-amz-grant-full-control": "?*",
    "s3:x-amz-website-redirect-location": "?*",
}


def test_role_makes_nothing_public() -> None:
    denials = [s for s in statements(upload_policy(role_arn=ROLE, bucket="docs")) if is_denial(s)]
    assert {s["Resource"] for s in denials} == {"arn:aws:s3:::docs/*"}
    conditions = [s["Condition"] for s in denials]
    assert conditions == [{"StringLike": {header: values}} for header, values in DENIED.items()]


def is_denial(statement: dict[str, Any]) -> bool:
    return bool(statement["Effect"] == "Deny")


def test_documents_leave_room_and_have_no_spaces() -> None:
    # All inline policies of a role share 10,240 characters; revocations need most of them.
    longest = upload_policy(role_arn=ROLE, bucket="b" * 63, kms_key_arn=KEY)
    assert len(longest) < 2_500
    assert " " not in longest


UNSAFE = {
    "no role": lambda: vendor_policy(role_arns=[]),
    "any role": lambda: vendor_policy(role_arns=[ROLE, "*"]),
    "roles by wildcard": lambda: vendor_policy(role_arns=[ROLE + "*"]),
    "anybody": lambda: trust_policy(vendor_arn="*"),
    "the whole account": lambda: trust_policy(vendor_arn="arn:aws:iam::123456789012:root"),
    "users by wildcard": lambda: trust_policy(vendor_arn=VENDOR + "*"),
    "newline": lambda: trust_policy(vendor_arn=VENDOR + "\n"),
    "buckets by wildcard": lambda: upload_policy(role_arn=ROLE, bucket="docs*"),
    "a variable": lambda: boundary_policy(role_arn=ROLE, bucket="${aws:username}"),
    "no bucket": lambda: upload_policy(role_arn=ROLE, bucket=""),
    "not a role": lambda: upload_policy(role_arn=VENDOR, bucket="docs"),
    "not a key": lambda: boundary_policy(role_arn=ROLE, bucket="docs", kms_key_arn="*"),
}


@pytest.mark.parametrize("make", UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe_names_make_no_document(make: Any) -> None:
    with pytest.raises(UnsafeIdentityError):
        make()
