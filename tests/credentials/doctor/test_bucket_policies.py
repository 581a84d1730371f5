"""Bucket policies: no rights to anybody that change anything, none to the role's sessions."""

import json
from typing import Any

import pytest

from credentials.doctor.bucket_policies import judge_bucket_policy
from credentials.doctor.findings import Severity
from tests.credentials.doctor.aws_account import ACCOUNT, ROLE, expected, faults, policy

OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/upload/01h-guide"


def giving(principal: Any, action: Any, **rest: Any) -> dict[str, Any]:
    given = {"Effect": "Allow", "Principal": principal, "Action": action}
    return given | {"Resource": "arn:aws:s3:::docs/*"} | rest


GIVEN: dict[str, tuple[dict[str, Any], set[str]]] = {
    "reading": (giving("*", "s3:GetObject"), set()),
    "reading of all kinds": (giving("*", ["s3:Get*", "s3:ListBucket"]), set()),
    "writing": (giving("*", "s3:PutObject"), {"public-write"}),
    "writing, other spelling": (giving({"AWS": "*"}, "S3:PUTOBJECT"), {"public-write"}),
    "writing, in lists": (giving({"AWS": [OTHER, "*"]}, ["s3:PutObject"]), {"public-write"}),
    "reading and writing": (giving("*", ["s3:GetObject", "s3:DeleteObject"]), {"public-write"}),
    "wildcard": (giving("*", "s3:Put*"), {"public-write"}),
    "wildcard that reads and writes": (giving("*", "s3:*Object"), {"public-write"}),
    "everything": (giving("*", "*"), {"public-write"}),
    "settings": (giving("*", "s3:PutBucketPolicy"), {"public-write"}),
    "under a condition": (
        giving("*", "s3:PutObject", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        {"public-write"},
    ),
    "all but an action": (
        {"Effect": "Allow", "Principal": "*", "NotAction": "s3:GetObject", "Resource": "*"},
        {"public-write"},
    ),
    "all but a principal": (
        {"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}, "Action": "s3:*", "Resource": "*"},
        {"public-write"},
    ),
    "denied": (giving("*", "s3:*") | {"Effect": "Deny"}, set()),
    "denied to all but one": (
        {"Effect": "Deny", "NotPrincipal": {"AWS": OTHER}, "Action": "s3:*", "Resource": "*"},
        set(),
    ),
    "another role": (giving({"AWS": OTHER}, "s3:*"), set()),
    "a service": (giving({"Service": "logging.s3.amazonaws.com"}, "s3:PutObject"), set()),
    "session of the role": (giving({"AWS": SESSION}, "s3:GetObject"), {"names-session"}),
    "session of another": (giving({"AWS": SESSION.replace("/upload", "/x")}, "s3:*"), set()),
    "the role": (giving({"AWS": ROLE}, "s3:GetObject"), {"names-role"}),
}


@pytest.mark.parametrize("case", GIVEN)
def test_given_rights_are_judged(case: str) -> None:
    statement, found = GIVEN[case]
    assert faults(judge_bucket_policy(policy(statement), expected())) == found


def test_policy_is_read_from_text() -> None:
    text = json.dumps({"Statement": giving("*", "s3:PutObject")})
    assert faults(judge_bucket_policy(text, expected())) == {"public-write"}


def test_session_of_a_role_with_a_path_is_known() -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/docs/upload"
    document = policy(giving({"AWS": SESSION}, "s3:GetObject"))
    assert faults(judge_bucket_policy(document, expected(role_arn=role))) == {"names-session"}


def test_finding_names_action_and_conditions() -> None:
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    document = policy(giving("*", "s3:PutObject", Condition=condition))
    [finding] = judge_bucket_policy(document, expected())
    assert "s3:PutObject for * (if IpAddress aws:sourceip 10.0.0.0/8)" in finding.what


def test_right_of_the_role_itself_is_limited_by_the_session_policy() -> None:
    [finding] = judge_bucket_policy(policy(giving({"AWS": ROLE}, "s3:*")), expected())
    assert finding.severity is Severity.WARNING


def test_change_leaves_the_other_statements() -> None:
    reading, writing = giving("*", "s3:GetObject"), giving("*", "s3:PutObject")
    [finding] = judge_bucket_policy(policy(reading, writing), expected())
    assert finding.change.startswith("aws s3api put-bucket-policy --bucket docs --policy ")
    assert "s3:GetObject" in finding.change
    assert "s3:PutObject" not in finding.change


def test_policy_of_which_nothing_is_left_is_deleted() -> None:
    [finding] = judge_bucket_policy(policy(giving("*", "s3:PutObject")), expected())
    assert finding.change.startswith("aws s3api delete-bucket-policy --bucket docs ")
