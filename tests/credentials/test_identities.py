"""The documents of the vendor and the upload role, letter by letter where it matters."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from credentials.identities import (
    UnsafeIdentityError,
    boundary_policy,
    post_signer_policy,
    trust_policy,
    upload_policy,
    vendor_policy,
)
from credentials.rules.policy import Scope, session_policy

ROLE = "arn:aws:iam::123456789012:role/upload"
VENDOR = "arn:aws:iam::123456789012:user/vendor"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
BUILDS = "arn:aws:s3:::docs/*/builds/*"


def statements(document: str) -> list[dict[str, Any]]:
    parsed = json.loads(document)
    assert parsed["Version"] == "2012-10-17"
    return list(parsed["Statement"])


def test_vendor_may_assume_these_roles_and_nothing_else() -> None:
    assert statements(vendor_policy(role_arns=[ROLE, f"{ROLE}-2"])) == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": [ROLE, f"{ROLE}-2"]}
    ]


TRUSTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing more": ({}, {}),
    "external id": (
        {"external_id": "tenant-7"},
        {"Condition": {"StringEquals": {"sts:ExternalId": "tenant-7"}}},
    ),
    "no sessions": (
        {"refuse_sessions": True},
        {"Condition": {"Null": {"aws:TokenIssueTime": "true"}}},
    ),
    "both": (
        {"external_id": "tenant-7", "refuse_sessions": True},
        {
            "Condition": {
                "StringEquals": {"sts:ExternalId": "tenant-7"},
                "Null": {"aws:TokenIssueTime": "true"},
            }
        },
    ),
}


@pytest.mark.parametrize("case", TRUSTS)
def test_role_trusts_the_vendor_alone(case: str) -> None:
    options, more = TRUSTS[case]
    assert statements(trust_policy(vendor_arn=VENDOR, **options)) == [
        {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole", **more}
    ]


ALLOWED = [
    {
        "Effect": "Allow",
        "Action": [
            "s3:PutObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
            "s3:DeleteObject",
        ],
        "Resource": BUILDS,
    },
    {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::docs",
        "Condition": {"StringLike": {"s3:prefix": "*/builds/*"}},
    },
    {"Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": "arn:aws:s3:::docs"},
]
ENCRYPTING = {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": KEY}


REFUSED_HEADERS = {
    "s3:x-amz-acl": ["public-*", "authenticated-read", "aws-exec-read"],
    "s3:x-amz-grant-read": "?*",
    "s3:x-amz-grant-write": "?*",
    "s3:x-amz-grant-read-acp": "?*",
    "s3:x-amz-grant-write-acp": "?*",
    "s3:x-amz-grant-full-control": "?*",
    "s3:x-amz-website-redirect-location": "?*",
}


DENIED = [
    *(
        {
            "Effect": "Deny",
            "Action": ["s3:PutObject", "s3:PutObjectAcl"],
            "Resource": "arn:aws:s3:::docs/*",
            "Condition": {"StringLike": {header: values}},
        }
        for header, values in REFUSED_HEADERS.items()
    ),
    {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"},
]


@pytest.mark.parametrize(("key", "more"), [("", []), (KEY, [ENCRYPTING])])
@pytest.mark.parametrize("make", [upload_policy, boundary_policy])
def test_role_and_boundary_are_the_builds_of_the_bucket_never_made_public(
    make: Callable[..., str], key: str, more: list[dict[str, Any]]
) -> None:
    """The boundary denies it too: who rewrites the role's policies cannot take that away."""
    found = statements(make(role_arn=ROLE, bucket="docs", kms_key_arn=key))
    assert found == DENIED + ALLOWED + more


@pytest.mark.parametrize("make", [upload_policy, boundary_policy])
def test_role_and_boundary_read_objects_only_for_sync_products(make: Callable[..., str]) -> None:
    names = {"role_arn": ROLE, "bucket": "docs"}
    without, with_sync = (statements(make(**names, with_sync=sync)) for sync in (False, True))
    [writing] = [each for each in without if each.get("Resource") == BUILDS]
    [syncing] = [each for each in with_sync if each.get("Resource") == BUILDS]
    assert set(syncing["Action"]) - set(writing["Action"]) == {"s3:GetObject"}
    assert "s3:DeleteObject" in writing["Action"]


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_documents_are_in_the_role_s_partition(partition: str) -> None:
    role = ROLE.replace("aws", partition, 1)
    for document in [
        upload_policy(role_arn=role, bucket="docs"),
        boundary_policy(role_arn=role, bucket="docs"),
    ]:
        assert f"arn:{partition}:s3:::docs" in document
        assert "arn:aws:" not in document


def test_documents_are_compact_ascii_within_aws_s_limit() -> None:
    document = boundary_policy(role_arn=ROLE, bucket="b" * 63, kms_key_arn=KEY)
    assert document.isascii()
    assert " " not in document
    assert len(document) <= 6_144, f"{len(document)} characters"


def test_role_s_policy_leaves_room_for_revocations() -> None:
    """All inline policies of a role share 10,240 characters."""
    assert len(upload_policy(role_arn=ROLE, bucket="b" * 63, kms_key_arn=KEY)) < 2_500


def test_session_asks_for_no_action_that_its_role_lacks() -> None:
    scope = Scope(
        partition="aws",
        bucket="docs",
        root="guide/builds/v1",
        may_list_bare_root=True,
        may_sync=True,
        kms_key_arn=KEY,
    )
    boundary = boundary_policy(role_arn=ROLE, bucket="docs", kms_key_arn=KEY, with_sync=True)
    named = [each["Action"] for each in statements(session_policy(scope))]
    allowed = [each for each in statements(boundary) if each["Effect"] == "Allow"]
    assert named == [each["Action"] for each in allowed]


SIGNER = "arn:aws:iam::123456789012:user/signer"
PUTTING = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": BUILDS}


def test_signer_of_posts_may_put_objects_of_builds_and_nothing_else() -> None:
    assert statements(post_signer_policy(role_arn=ROLE, bucket="docs")) == [PUTTING]
    encrypting = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": KEY}
    encrypted = post_signer_policy(role_arn=ROLE, bucket="docs", kms_key_arn=KEY)
    assert statements(encrypted) == [PUTTING, encrypting]


def test_bucket_s_policy_allows_the_signer_the_same() -> None:
    document = post_signer_policy(role_arn=ROLE, bucket="docs", signer_arn=SIGNER)
    assert statements(document) == [PUTTING | {"Principal": {"AWS": SIGNER}}]


UNSAFE: dict[str, Callable[[], str]] = {
    "no role": lambda: vendor_policy(role_arns=[]),
    "any role": lambda: vendor_policy(role_arns=["*"]),
    "roles by wildcard": lambda: vendor_policy(role_arns=[ROLE, f"{ROLE}*"]),
    "any vendor": lambda: trust_policy(vendor_arn="*"),
    "whole account": lambda: trust_policy(vendor_arn="arn:aws:iam::123456789012:root"),
    "vendors by wildcard": lambda: trust_policy(vendor_arn="arn:aws:iam::123456789012:user/*"),
    "vendor with a newline": lambda: trust_policy(vendor_arn=f"{VENDOR}\n"),
    "any bucket": lambda: upload_policy(role_arn=ROLE, bucket="*"),
    "bucket with a key": lambda: boundary_policy(role_arn=ROLE, bucket="docs/guide"),
    "role that is none": lambda: upload_policy(role_arn=VENDOR, bucket="docs"),
    "any signer": lambda: post_signer_policy(role_arn=ROLE, bucket="docs", signer_arn="*"),
    "signer of any bucket": lambda: post_signer_policy(role_arn=ROLE, bucket="*"),
    "signer with any key": lambda: post_signer_policy(
        role_arn=ROLE, bucket="docs", kms_key_arn="*"
    ),
    "any key": lambda: boundary_policy(role_arn=ROLE, bucket="docs", kms_key_arn="*"),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_no_document_is_made_of_an_unsafe_name(case: str) -> None:
    with pytest.raises(UnsafeIdentityError):
        UNSAFE[case]()
