"""Policy documents of the identities around the upload role: auditor and revoker. Pure.

Those of vendor, upload role and boundary are in `credentials/identities.py`. Compact JSON for the
same reason as there.
"""

import json
import re

from builds.arns import is_bucket_name, is_role_arn, partition_of
from credentials.identities import UnsafeIdentityError
from credentials.policy import POLICY_VERSION, Statement

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

_BOUNDARY_ARN = re.compile(r"arn:aws[a-z-]*:iam::[\w-]*:policy/[\w+=,.@/-]+\Z", re.ASCII)


def auditor_policy(*, role_arn: str, boundary_arn: str, bucket: str) -> str:
    """Look at the bucket, its objects and settings, and at the upload role; change nothing."""
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
        ]
    )


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
