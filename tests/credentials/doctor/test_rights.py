"""What a role is allowed: builds of its bucket and no more."""

import json
from typing import Any

import pytest

from credentials.doctor import subjects
from credentials.doctor.rights import judge_width
from credentials.identities import boundary_policy, upload_policy
from tests.credentials.doctor.aws_account import (
    BUCKET,
    BUILDS,
    KEY,
    ROLE,
    allow,
    expected,
    faults,
    policy,
    role_with,
)

LISTING = {"Condition": {"StringLike": {"s3:prefix": "*/builds/*"}}}
SCOPE = {"role_arn": ROLE, "bucket": "docs"}


WIDTH: dict[str, tuple[dict[str, Any], set[str]]] = {
    "own policy": (json.loads(upload_policy(**SCOPE)), set()),
    "boundary": (json.loads(boundary_policy(**SCOPE)), set()),
    "one product": (policy(allow("s3:PutObject", f"{BUCKET}/guide/builds/*")), set()),
    "other case": (policy(allow("S3:putobject", BUILDS)), set()),
    "lists that cross": (
        policy(allow(["s3:PutObject", "s3:ListBucket"], [BUCKET, BUILDS], **LISTING)),
        set(),
    ),
    "denied": (policy(allow("*", "*") | {"Effect": "Deny"}), set()),
    "everything": (policy(allow("*", "*")), {"action-wide"}),
    "all of S3": (policy(allow("s3:*", BUILDS)), {"action-wide"}),
    "wildcard in the action": (policy(allow("s3:PutObject*", BUILDS)), {"action-wide"}),
    "ACLs": (policy(allow(["s3:PutObject", "s3:PutObjectAcl"], BUILDS)), {"action-wide"}),
    "another service": (policy(allow("iam:PassRole", ROLE)), {"action-wide"}),
    "any service": (policy(allow("*:*", BUILDS)), {"action-wide"}),
    "whole bucket": (policy(allow("s3:PutObject", f"{BUCKET}/*")), {"resource-wide"}),
    "bucket and what begins so": (policy(allow("s3:PutObject", f"{BUCKET}*")), {"resource-wide"}),
    "reading": (policy(allow("s3:GetObject", BUILDS)), {"reading"}),
    "every resource": (policy(allow("s3:PutObject", "*")), {"resource-wide"}),
    "every bucket": (policy(allow("s3:PutObject", "arn:aws:s3:::*")), {"resource-wide"}),
    "no builds": (policy(allow("s3:PutObject", f"{BUCKET}/*/build*")), {"resource-wide"}),
    "another bucket": (
        policy(allow("s3:PutObject", "arn:aws:s3:::other/*/builds/*")),
        {"other-bucket"},
    ),
    "listing of another": (
        policy(allow("s3:ListBucket", "arn:aws:s3:::other", **LISTING)),
        {"other-bucket"},
    ),
    "listing of all": (policy(allow("s3:ListBucket", BUCKET)), {"listing-wide"}),
    "wider prefix": (
        policy(allow("s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": "*"}})),
        {"listing-wide"},
    ),
    "one prefix of two": (
        policy(
            allow(
                "s3:ListBucket",
                BUCKET,
                Condition={"StringLike": {"s3:prefix": ["a/builds/*", "secret/*"]}},
            )
        ),
        {"listing-wide"},
    ),
    "prefix where there is one": (
        policy(
            allow(
                "s3:ListBucket",
                BUCKET,
                Condition={"StringLikeIfExists": {"s3:prefix": "*/builds/*"}},
            )
        ),
        {"listing-wide"},
    ),
    "all but": (
        policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": BUILDS}),
        {"not-action"},
    ),
    "everywhere but": (
        policy({"Effect": "Allow", "Action": "s3:PutObject", "NotResource": "x"}),
        {"not-resource"},
    ),
    "key that is not the store's": (policy(allow("kms:Decrypt", KEY)), {"action-wide"}),
}


@pytest.mark.parametrize("case", WIDTH)
def test_role_is_allowed_no_more_than_builds(case: str) -> None:
    document, found = WIDTH[case]
    assert faults(judge_width(role_with(document), expected())) == found


def test_role_may_read_builds_where_the_store_is_set_up_for_sync_products() -> None:
    document = json.loads(upload_policy(**SCOPE, with_sync=True))
    assert judge_width(role_with(document), expected(with_sync=True)) == []


def test_store_s_own_key_may_be_used() -> None:
    document = json.loads(upload_policy(**SCOPE, kms_key_arn=KEY))
    assert judge_width(role_with(document), expected(kms_key_arn=KEY)) == []


def test_another_key_may_not() -> None:
    document = policy(allow("kms:Decrypt", KEY[:-1] + "*"))
    assert faults(judge_width(role_with(document), expected(kms_key_arn=KEY))) == {"resource-wide"}


def test_all_of_one_fault_are_one_finding_that_removes_its_policies_only() -> None:
    subject = role_with(
        policy(allow("s3:*", BUILDS)),
        json.loads(upload_policy(**SCOPE)),
        policy(allow("iam:*", "*"), allow("sts:*", "*")),
    )
    [finding] = judge_width(subject, expected())
    assert "s3:* on" in finding.what
    assert "iam:* on *, sts:* on * (policy policy2)" in finding.what
    commands = [line.rpartition(" ")[2] for line in finding.change.split("\n")[1:]]
    assert commands == ["policy0", "policy2"]


def test_attached_policy_is_detached() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    subject = subjects.role_policies({arn: policy(allow("*", "*"))}, expected())
    [finding] = judge_width(subject, expected())
    assert finding.change.endswith(
        f"aws iam detach-role-policy --role-name upload --policy-arn {arn}"
    )


def test_boundary_is_mended_by_a_new_version() -> None:
    arn = "arn:aws:iam::123456789012:policy/b"
    subject = subjects.boundary(policy(allow("*", "*")), arn=arn, expected=expected())
    [finding] = judge_width(subject, expected())
    assert finding.id == "boundary.action-wide"
    assert finding.change.startswith(f"aws iam create-policy-version --policy-arn {arn} ")
    assert finding.change.endswith(" --set-as-default")
