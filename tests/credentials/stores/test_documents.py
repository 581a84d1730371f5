"""Auditor and revoker: exactly these rights, and no name that would widen them."""

import json
from typing import Any

import pytest

from credentials.identities import UnsafeIdentityError
from credentials.stores.documents import (
    ROLE_READS,
    USER_READS,
    auditor_policy,
    revoker_policy,
    vendor_denial,
)

ROLE = "arn:aws:iam::123456789012:role/upload"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
BOUNDARY = "arn:aws:iam::123456789012:policy/upload-boundary"
SCOPE = {"role_arn": ROLE, "boundary_arn": BOUNDARY}


def test_auditor_reads_bucket_objects_role_and_boundary() -> None:
    statements = json.loads(auditor_policy(**SCOPE, bucket="docs-bucket"))["Statement"]
    assert [statement["Resource"] for statement in statements] == [
        "arn:aws:s3:::docs-bucket",
        "arn:aws:s3:::docs-bucket/*",
        ROLE,
        BOUNDARY,
    ]


VENDORS = {
    "user": ("arn:aws:iam::123456789012:user/web", True),
    "role": ("arn:aws:iam::123456789012:role/path/web", True),
    "of another account": ("arn:aws:iam::210987654321:user/web", False),
    "not named": ("", False),
}


@pytest.mark.parametrize("case", VENDORS)
def test_auditor_reads_the_vendor_of_its_own_account(case: str) -> None:
    vendor_arn, is_read = VENDORS[case]
    document = auditor_policy(**SCOPE, bucket="docs-bucket", vendor_arn=vendor_arn)
    resources = [statement["Resource"] for statement in json.loads(document)["Statement"]]
    assert resources[4:] == ([vendor_arn] if is_read else [])


def test_auditor_reads_users_and_roles_by_their_own_actions() -> None:
    for name, actions in (("user", USER_READS), ("role", ROLE_READS)):
        document = auditor_policy(**SCOPE, bucket="docs-bucket", vendor_arn=VENDORS[name][0])
        assert json.loads(document)["Statement"][4]["Action"] == list(actions)


def test_vendor_s_own_key_is_denied_the_bucket_and_its_sessions_are_not() -> None:
    bucket = "arn:aws:s3:::docs-bucket"
    assert vendor_denial(vendor_arn=VENDORS["user"][0], bucket_arn=bucket) == {
        "Sid": "LtdkeeperVendorHasNoObjects",
        "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/web"},
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"Null": {"aws:TokenIssueTime": "true"}},
    }


UNSAFE = {"vendor_arn": "arn:aws:iam::123456789012:user/*", "kms_key_arn": "*"}


@pytest.mark.parametrize("name", UNSAFE)
def test_auditor_is_not_given_more_by_a_wildcard(name: str) -> None:
    with pytest.raises(UnsafeIdentityError):
        auditor_policy(**SCOPE, bucket="docs-bucket", **{name: UNSAFE[name]})


@pytest.mark.parametrize("vendor_arn", [arn for arn, _ in VENDORS.values()], ids=VENDORS)
def test_auditor_has_reading_actions_only(vendor_arn: str) -> None:
    more = {"vendor_arn": vendor_arn, "kms_key_arn": KEY}
    statements = json.loads(auditor_policy(**SCOPE, bucket="docs-bucket", **more))["Statement"]
    actions = [action for statement in statements for action in statement["Action"]]
    reading = ("Get", "List", "DescribeKey")
    assert all(action.partition(":")[2].startswith(reading) for action in actions)
    assert KEY in [statement["Resource"] for statement in statements]
    assert {statement["Effect"] for statement in statements} == {"Allow"}


def test_revoker_writes_policies_of_the_bounded_role_and_nothing_else() -> None:
    [statement] = json.loads(revoker_policy(**SCOPE))["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": ["iam:PutRolePolicy"],
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}},
    }


def test_documents_are_compact_and_of_the_version_that_knows_variables() -> None:
    for text in (auditor_policy(**SCOPE, bucket="docs-bucket"), revoker_policy(**SCOPE)):
        assert text.startswith('{"Version":"2012-10-17","Statement":[{')
        assert " " not in text


def test_documents_follow_the_partition() -> None:
    scope = {name: arn.replace("arn:aws:", "arn:aws-cn:") for name, arn in SCOPE.items()}
    assert "arn:aws:" not in auditor_policy(**scope, bucket="docs-bucket")


@pytest.mark.parametrize("make", [auditor_policy, revoker_policy])
@pytest.mark.parametrize(
    "name",
    [
        {"role_arn": "*"},
        {"role_arn": f"{ROLE}*"},
        {"role_arn": "arn:aws:iam::123456789012:user/upload"},
        {"boundary_arn": ""},
        {"boundary_arn": "*"},
        {"boundary_arn": f"{BOUNDARY}*"},
        {"boundary_arn": f"{BOUNDARY}\n"},
        {"boundary_arn": ROLE},
    ],
    ids=str,
)
def test_name_that_would_widen_a_document_is_refused(make: Any, name: dict[str, str]) -> None:
    bucket = {"bucket": "docs-bucket"} if make is auditor_policy else {}
    with pytest.raises(UnsafeIdentityError):
        make(**SCOPE | bucket | name)


@pytest.mark.parametrize("bucket", ["", "*", "docs-*", "docs bucket"])
def test_auditor_is_of_one_bucket(bucket: str) -> None:
    with pytest.raises(UnsafeIdentityError):
        auditor_policy(**SCOPE, bucket=bucket)
