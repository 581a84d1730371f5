"""Every action there is to try: botocore's operations of the services that matter, and the
permissions that bear no operation's name (AWS service authorization reference).
"""

from itertools import chain

import botocore.session

SERVICES = ("s3", "s3control", "sts", "iam", "kms")
PERMISSIONS = [
    "s3:PutObjectVersionAcl", "s3:PutObjectVersionTagging", "s3:GetObjectVersion",
    "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:DeleteObjectVersion",
    "s3:DeleteObjectVersionTagging", "s3:BypassGovernanceRetention", "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts", "s3:ListAllMyBuckets",
    "s3:PutLifecycleConfiguration", "s3:PutEncryptionConfiguration", "s3:ReplicateObject",
    "s3:PutBucketPublicAccessBlock", "s3:PutReplicationConfiguration", "s3:ReplicateDelete",
    "s3:PutAccelerateConfiguration", "s3:PutInventoryConfiguration", "s3:ReplicateTags",
    "s3:ObjectOwnerOverrideToBucketOwner", "s3:InitiateReplication", "s3:CreateJob",
]  # fmt: skip


def _operations(service: str) -> list[str]:
    """As IAM names them: S3's own permissions and those of its control plane share a prefix."""
    model = botocore.session.Session().get_service_model(service)
    prefix = "s3" if service == "s3control" else service
    return [f"{prefix}:{name}" for name in model.operation_names]


# `s3:ListObjects` and the like are operations without a permission of that name.
EVERY_ACTION = sorted({*chain(*map(_operations, SERVICES)), *PERMISSIONS, "s3:ListBucket"})
