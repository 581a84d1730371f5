"""Policy documents of the identities around the upload role: auditor and revoker. Pure.

Those of vendor, upload role and boundary are in `credentials/identities.py`. Compact JSON for the
same reason as there.
"""

import json
import re

from builds.names import is_bucket_name, is_kms_key_arn, is_role_arn, partition_of
from credentials.identities import UnsafeIdentityError, is_principal_arn
from credentials.rules.policy import POLICY_VERSION, Statement

# `s3:GetBucket*` is every setting of a bucket but these two, and reads no object (AWS service
# authorization reference, Amazon S3).
BUCKET_READS = (
    "s3:GetBucket*",
    "s3:GetLifecycleConfiguration",
    "s3:GetEncryptionConfiguration",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
)
OBJECT_READS = ("s3:GetObject", "s3:GetObjectAcl", "s3:ListMultipartUploadParts")
ROLE_READS = (
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListRolePolicies",
    "iam:ListAttachedRolePolicies",
)
BOUNDARY_READS = ("iam:GetPolicy", "iam:GetPolicyVersion")
USER_READS = (
    "iam:ListUserPolicies",
    "iam:GetUserPolicy",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
)
KEY_READS = ("kms:DescribeKey",)

_BOUNDARY_ARN = re.compile(r"arn:aws[a-z-]*:iam::[\w-]*:policy/[\w+=,.@/-]+\Z", re.ASCII)


def auditor_policy(
    *,
    role_arn: str,
    boundary_arn: str,
    bucket: str,
    vendor_arn: str = "",
    kms_key_arn: str = "",
) -> str:
    """Look at the bucket, its objects and settings, the upload role, the vendor; change nothing.

    `vendor_arn` is that of a user or role of the same account; one of another cannot be looked at.
    """
    _require_role(role_arn)
    _require_boundary(boundary_arn)
    if not is_bucket_name(bucket):
        raise UnsafeIdentityError("not a bucket's name")
    bucket_arn = f"arn:{partition_of(role_arn)}:s3:::{bucket}"
    return _document(
        [
            _allow(BUCKET_READS, bucket_arn),
            _allow(OBJECT_READS, f"{bucket_arn}/*"),
            _allow(ROLE_READS, role_arn),
            _allow(BOUNDARY_READS, boundary_arn),
            *_vendor_reads(vendor_arn, role_arn),
            *_key_reads(kms_key_arn),
        ]
    )


def _vendor_reads(vendor_arn: str, role_arn: str) -> list[Statement]:
    account = role_arn.partition(":role/")[0]
    if not vendor_arn.startswith((f"{account}:user/", f"{account}:role/")):
        return []
    if not is_principal_arn(vendor_arn):
        raise UnsafeIdentityError("the vendor is not the whole ARN of a user or role")
    is_user = vendor_arn.startswith(f"{account}:user/")
    return [_allow(USER_READS if is_user else ROLE_READS, vendor_arn)]


def _key_reads(kms_key_arn: str) -> list[Statement]:
    if not kms_key_arn:
        return []
    if not is_kms_key_arn(kms_key_arn):
        raise UnsafeIdentityError("not a KMS key's ARN")
    return [_allow(KEY_READS, kms_key_arn)]


def vendor_denial(*, vendor_arn: str, bucket_arn: str) -> Statement:
    """For the bucket's policy: the vendor's own key reaches nothing in it, its sessions do.

    Without the condition it would refuse the sessions too (measured on Ceph 16.2.15).
    """
    return {
        "Sid": "LtdkeeperVendorHasNoObjects",
        "Effect": "Deny",
        "Principal": {"AWS": vendor_arn},
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Null": {"aws:TokenIssueTime": "true"}},
    }


def revoker_policy(*, role_arn: str, boundary_arn: str) -> str:
    """Rewrite the upload role's inline policies, as long as the role carries the boundary.

    Without the condition it could write itself any right that the role's account has.
    """
    _require_role(role_arn)
    _require_boundary(boundary_arn)
    statement = _allow(("iam:PutRolePolicy",), role_arn)
    statement["Condition"] = {"StringEquals": {"iam:PermissionsBoundary": boundary_arn}}
    return _document([statement])


def _require_role(arn: str) -> None:
    if not is_role_arn(arn):
        raise UnsafeIdentityError("not the whole ARN of a role")


def _require_boundary(arn: str) -> None:
    if not _BOUNDARY_ARN.match(arn):
        raise UnsafeIdentityError("the boundary is not the whole ARN of a policy")


def _allow(actions: tuple[str, ...], resource: str) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def _document(statements: list[Statement]) -> str:
    document = {"Version": POLICY_VERSION, "Statement": statements}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)
