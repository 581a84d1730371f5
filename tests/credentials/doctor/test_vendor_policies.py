"""The vendor's own policies: to assume the upload roles, nothing else."""

from typing import Any

import pytest

from credentials.doctor.vendor_policies import judge_vendor_policies
from tests.credentials.doctor.aws_account import ROLE, allow, expected, faults, policy

SECOND = ROLE + "-2"
ASSUME = "sts:AssumeRole"

POLICIES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "own": (allow(ASSUME, ROLE), set()),
    "own, in lists, other case": (allow(["STS:assumerole"], [ROLE, SECOND]), set()),
    "with tags": (allow([ASSUME, "sts:TagSession"], ROLE), set()),
    "asking who it is": (allow("sts:GetCallerIdentity", "*"), set()),
    "denied": (allow("s3:*", "*") | {"Effect": "Deny"}, set()),
    "any role": (allow(ASSUME, "*"), {"other-role"}),
    "roles that begin so": (allow(ASSUME, ROLE + "*"), {"other-role"}),
    "one role more": (allow(ASSUME, [ROLE, ROLE + "-3"]), {"other-role"}),
    "all but a role": (
        {"Effect": "Allow", "Action": ASSUME, "NotResource": ROLE},
        {"other-role"},
    ),
    "all of STS": (allow("sts:*", ROLE), {"other-action"}),
    "S3": (allow([ASSUME, "s3:GetObject"], ROLE), {"other-action"}),
    "everything": (allow("*", "*"), {"other-action"}),
    "all but an action": (
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {"other-action"},
    ),
}


@pytest.mark.parametrize("case", POLICIES)
def test_vendor_may_only_assume_upload_roles(case: str) -> None:
    statement, found = POLICIES[case]
    documents = {"own": policy(statement)}
    assert faults(judge_vendor_policies(documents, expected(upload_roles=(ROLE, SECOND)))) == found


WIDE = policy(allow("s3:*", "*"))
REMOVALS = {
    "inline": ("more", "aws iam delete-user-policy --user-name vendor --policy-name more"),
    "attached": (
        "arn:aws:iam::aws:policy/x",
        "aws iam detach-user-policy --user-name vendor --policy-arn arn:aws:iam::aws:policy/x",
    ),
    "of a group": (
        "staff: more",
        "aws iam remove-user-from-group --user-name vendor --group-name staff",
    ),
}


@pytest.mark.parametrize("case", REMOVALS)
def test_policy_that_is_too_wide_is_taken_away(case: str) -> None:
    name, command = REMOVALS[case]
    [finding] = judge_vendor_policies({name: WIDE}, expected())
    assert finding.change.endswith(f"\n{command}")


def test_policy_that_is_replaced_is_not_removed() -> None:
    [finding] = judge_vendor_policies({"upload": WIDE}, expected())
    assert "delete-user-policy" not in finding.change
