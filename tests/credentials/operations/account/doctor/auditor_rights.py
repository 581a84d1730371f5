"""The auditor's policy of the tests: every right that the doctor needs to look, and no other."""

import json
from typing import Any

BUCKET_RIGHTS = (
    "s3:GetBucketLocation",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketOwnershipControls",
    "s3:GetLifecycleConfiguration",
    "s3:GetEncryptionConfiguration",
)
ROLE_RIGHTS = (
    "iam:GetRole",
    "iam:ListRolePolicies",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
)
POLICY_RIGHTS = ("iam:GetPolicy", "iam:GetPolicyVersion")
USER_RIGHTS = (
    "iam:ListUserPolicies",
    "iam:GetUserPolicy",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
)
GROUP_RIGHTS = (
    "iam:ListGroupPolicies",
    "iam:GetGroupPolicy",
    "iam:ListAttachedGroupPolicies",
)
ALL_RIGHTS = (*BUCKET_RIGHTS, *ROLE_RIGHTS, *POLICY_RIGHTS, *USER_RIGHTS, *GROUP_RIGHTS)


def auditor_policy(role_arn: str, bucket: str, vendor_arn: str, *, without: str = "") -> str:
    """All of them, or all but one."""
    account = role_arn.partition(":role/")[0]
    allowed = {
        f"arn:aws:s3:::{bucket}": BUCKET_RIGHTS,
        role_arn: ROLE_RIGHTS,
        f"{account}:policy/*": POLICY_RIGHTS,
        vendor_arn: USER_RIGHTS,
        f"{vendor_arn.removesuffix('-vendor')}-revoker": USER_RIGHTS,
        f"{account}:group/*": GROUP_RIGHTS,
    }
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                _allow([right for right in rights if right != without], resource)
                for resource, rights in allowed.items()
            ],
        }
    )


def _allow(actions: list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}
