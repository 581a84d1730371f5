"""What a refused call means for a check."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from credentials.doctor.obstacles import (
    KeyRefused,
    NoBucket,
    NotPermitted,
    NotSupported,
    Obstacle,
    Unclear,
    Whose,
)
from credentials.doctor.refusals import action_of, obstacle_of, resource_of
from tests.credentials.doctor.aws_account import ACCOUNT, BUCKET, KEY, ROLE, expected

# status, code -> obstacle; None is an answer: what was asked for is not there
REFUSALS: dict[tuple[int, str], type[Obstacle] | None] = {
    (403, "AccessDenied"): NotPermitted,
    (403, "403"): NotPermitted,
    (401, ""): NotPermitted,
    (400, "AccessDeniedException"): NotPermitted,
    (403, "InvalidAccessKeyId"): KeyRefused,
    (400, "ExpiredToken"): KeyRefused,
    (403, "SignatureDoesNotMatch"): KeyRefused,
    (405, "MethodNotAllowed"): NotSupported,
    (501, "NotImplemented"): NotSupported,
    (400, "InvalidAction"): NotSupported,
    (400, "AccessControlListNotSupported"): NotSupported,
    (404, "NoSuchBucket"): NoBucket,
    (404, "NoSuchEntity"): None,
    (404, "NoSuchLifecycleConfiguration"): None,
    (400, "NotFoundException"): None,
    (500, "InternalError"): Unclear,
    (400, "InvalidRequest"): Unclear,
    (503, "SlowDown"): Unclear,
}


def error(status: int, code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetRole")


@pytest.mark.parametrize("refusal", REFUSALS)
def test_refusal_is_an_obstacle(refusal: tuple[int, str]) -> None:
    found = obstacle_of(error(*refusal), whose=Whose.AUDITOR, action="iam:GetRole", resource=ROLE)
    assert (found and type(found)) is REFUSALS[refusal]


def test_code_is_found_where_ceph_has_it() -> None:
    answer: Any = {"Code": "MethodNotAllowed", "ResponseMetadata": {"HTTPStatusCode": 405}}
    err = ClientError(answer, "GetRole")
    assert isinstance(obstacle_of(err, whose=Whose.VENDOR, action="x", resource="*"), NotSupported)


ACTIONS = {
    ("iam", "get_role"): "iam:GetRole",
    ("sts", "get_caller_identity"): "sts:GetCallerIdentity",
    ("kms", "describe_key"): "kms:DescribeKey",
    ("s3", "get_bucket_policy"): "s3:GetBucketPolicy",
    ("s3", "get_bucket_location"): "s3:GetBucketLocation",
    ("s3", "get_bucket_ownership_controls"): "s3:GetBucketOwnershipControls",
    ("s3", "get_public_access_block"): "s3:GetBucketPublicAccessBlock",
    ("s3", "get_bucket_lifecycle_configuration"): "s3:GetLifecycleConfiguration",
    ("s3", "get_bucket_encryption"): "s3:GetEncryptionConfiguration",
    ("s3", "head_bucket"): "s3:ListBucket",
    ("s3", "list_objects_v2"): "s3:ListBucket",
    ("s3", "list_buckets"): "s3:ListAllMyBuckets",
}


@pytest.mark.parametrize(("service", "method"), ACTIONS)
def test_right_is_named_as_iam_does(service: Any, method: str) -> None:
    client = boto3.session.Session().client(service, region_name="eu-central-1")
    assert action_of(client, method) == ACTIONS[service, method]


RESOURCES: dict[str, tuple[dict[str, str], str]] = {
    "upload role": ({"RoleName": "upload"}, ROLE),
    "other role": ({"RoleName": "web"}, f"arn:aws:iam::{ACCOUNT}:role/web"),
    "user": ({"UserName": "vendor", "PolicyName": "x"}, f"arn:aws:iam::{ACCOUNT}:user/vendor"),
    "group": ({"GroupName": "staff"}, f"arn:aws:iam::{ACCOUNT}:group/staff"),
    "bucket": ({"Bucket": "docs"}, BUCKET),
    "policy": ({"PolicyArn": "arn:aws:iam::1:policy/x"}, "arn:aws:iam::1:policy/x"),
    "key": ({"KeyId": KEY}, KEY),
    "nothing": ({}, "*"),
}


@pytest.mark.parametrize("case", RESOURCES)
def test_resource_of_a_right_is_named(case: str) -> None:
    arguments, resource = RESOURCES[case]
    assert resource_of(arguments, expected()) == resource


def test_missing_right_is_a_finding_with_the_statement_to_add() -> None:
    missing = NotPermitted(whose=Whose.AUDITOR, action="iam:GetRole", resource=ROLE)
    finding = missing.finding("role")
    assert finding.id == "role.no-permission"
    assert finding.what == "Could not look: the auditor needs iam:GetRole."
    assert finding.change.endswith(
        f'\n{{"Effect": "Allow", "Action": "iam:GetRole", "Resource": "{ROLE}"}}'
    )
