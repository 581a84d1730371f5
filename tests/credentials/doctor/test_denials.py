"""What a role must deny: the headers by which an upload makes a build public."""

import json
from typing import Any

import pytest

from credentials.doctor.denials import judge_denials
from tests.credentials.doctor.aws_account import (
    BUCKET,
    ROLE,
    UPLOAD,
    expected,
    faults,
    policy,
    role_with,
)


def deny(condition: dict[str, Any], action: Any = "s3:PutObject", to: str = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": to, "Condition": condition}


def headers(**operators: Any) -> dict[str, Any]:
    """The own denials, with that of `x-amz-acl` replaced."""
    others = [each for each in UPLOAD if "s3:x-amz-acl" not in json.dumps(each)]
    return policy(*others, *([deny(operators)] if operators else []))


def assuming_denied(
    *, action: str = "sts:AssumeRole", to: str = "*", condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The own policy, with another statement in the place of the one about assuming."""
    others = [each for each in UPLOAD if each["Action"] != "sts:AssumeRole"]
    return policy(*others, deny(condition or {}, action, to))


ACL = "s3:x-amz-acl"
DENIALS: dict[str, tuple[dict[str, Any], str]] = {
    "own": (policy(*UPLOAD), ""),
    "any ACL": (headers(StringLike={ACL: "?*"}), ""),
    "all ACLs": (headers(StringLike={ACL: "*"}), ""),
    "key in capitals": (headers(StringLike={"S3:X-AMZ-ACL": "?*"}), ""),
    "all but private": (headers(StringNotEqualsIfExists={ACL: "private"}), ""),
    "none": (headers(), ACL),
    "one value of four": (headers(StringEquals={ACL: "public-read"}), ACL),
    "all but public": (headers(StringNotLikeIfExists={ACL: ["private", "public-*"]}), ACL),
    "with a further condition": (
        headers(StringLike={ACL: "*"}, Bool={"aws:SecureTransport": "false"}),
        ACL,
    ),
    "other operator": (headers(Null={ACL: "false"}), ACL),
    "other action": (
        policy(*headers()["Statement"], deny({"StringLike": {ACL: "*"}}, "s3:PutObjectAcl")),
        ACL,
    ),
    "wildcard action": (
        policy(*headers()["Statement"], deny({"StringLike": {ACL: "*"}}, "s3:Put*")),
        "",
    ),
    "other resource": (
        policy(*headers()["Statement"], deny({"StringLike": {ACL: "*"}}, to=f"{BUCKET}/x/*")),
        ACL,
    ),
    "no grants": (
        policy(*[each for each in UPLOAD if 's3:x-amz-grant-read"' not in json.dumps(each)]),
        "s3:x-amz-grant-read",
    ),
}


@pytest.mark.parametrize("case", DENIALS)
def test_role_denies_what_makes_a_build_public(case: str) -> None:
    document, missing = DENIALS[case]
    found = [finding.what for finding in judge_denials(role_with(document), expected())]
    assert found == (
        [f"The role does not deny uploads with these headers: {missing}."] * bool(missing)
    )


ASSUMING = {
    "own": (policy(*UPLOAD), set()),
    "everything of STS": (assuming_denied(action="sts:*"), set()),
    "this role only": (assuming_denied(to=ROLE), set()),
    "not at all": (assuming_denied(action="s3:GetBucketAcl"), {"assuming-not-denied"}),
    "another role": (assuming_denied(to=f"{ROLE}-2"), {"assuming-not-denied"}),
    "at times": (
        assuming_denied(condition={"Bool": {"aws:SecureTransport": "false"}}),
        {"assuming-not-denied"},
    ),
}


@pytest.mark.parametrize("case", ASSUMING)
def test_role_denies_its_sessions_to_assume_again(case: str) -> None:
    document, found = ASSUMING[case]
    assert faults(judge_denials(role_with(document), expected())) == found


def test_store_that_takes_acls_may_be_sent_the_public_one() -> None:
    values = ["public-read-write", "authenticated-read", "aws-exec-read"]
    document = headers(StringEquals={ACL: values})
    assert judge_denials(role_with(document), expected(takes_acls=True)) == []
