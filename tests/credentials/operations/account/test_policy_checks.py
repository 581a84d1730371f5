"""Bucket policies: no rights to anybody that change anything, none to the role's sessions."""

from typing import Any

from credentials.operations.account.policy_checks import given_away

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/upload"
OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/upload/01h-guide"


def giving(principal: Any, action: Any, **rest: Any) -> dict[str, Any]:
    given = {"Effect": "Allow", "Principal": principal, "Action": action}
    return given | {"Resource": "arn:aws:s3:::docs/*"} | rest


GIVEN: dict[str, tuple[dict[str, Any], set[str]]] = {
    "reading of all kinds": (giving("*", ["s3:Get*", "s3:ListBucket"]), set()),
    "writing, other spelling": (giving({"AWS": "*"}, "S3:PUTOBJECT"), {"public-write"}),
    "writing, in lists": (giving({"AWS": [OTHER, "*"]}, ["s3:PutObject"]), {"public-write"}),
    "reading and writing": (giving("*", ["s3:GetObject", "s3:DeleteObject"]), {"public-write"}),
    "wildcard that reads and writes": (giving("*", "s3:*Object"), {"public-write"}),
    "everything": (giving("*", "*"), {"public-write"}),
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
    "another role": (giving({"AWS": OTHER}, "s3:*"), set()),
    "a service": (giving({"Service": "logging.s3.amazonaws.com"}, "s3:PutObject"), set()),
    "session of the role": (giving({"AWS": SESSION}, "s3:GetObject"), {"names-session"}),
    "session of another": (giving({"AWS": SESSION.replace("/upload", "/x")}, "s3:*"), set()),
    "the role": (giving({"AWS": ROLE}, "s3:GetObject"), {"names-role"}),
}


def test_given_rights_are_judged() -> None:
    for case, (statement, faults) in GIVEN.items():
        assert given_away(statement, ROLE) == faults, case
