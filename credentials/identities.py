"""Policy documents of the identities in a store's account: who may what. Pure.

The vendor may assume the upload role and nothing else. The upload role reaches the builds of its
bucket, under a permissions boundary that says the same, and is narrowed further by every session's
own policy (`credentials/rules/policy.py`). Whoever sets a store up applies these documents as they are:
compact JSON, since Ceph's gateway reads no other.

`*` crosses `/` in ARNs, so `BUCKET/*/builds/*` is every key below any product's builds (AWS IAM
user guide, Resource element).
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from builds.names import is_bucket_name, is_kms_key_arn, is_role_arn, partition_of
from credentials.rules.policy import (
    KMS_ACTIONS,
    POLICY_VERSION,
    SYNC_ACTIONS,
    WRITE_ACTIONS,
    Statement,
)

EVERY_BUILD = "*/builds/*"
WRITES = ("s3:PutObject", "s3:PutObjectAcl")

# Listed one by one: several uploaders always send `private`, which is harmless. A negated
# condition would not do, since stores disagree about what it means when the header is absent.
PUBLIC_ACLS = ("public-*", "authenticated-read", "aws-exec-read")
GRANT_HEADERS = ("read", "write", "read-acp", "write-acp", "full-control")
ANY_VALUE = "?*"
ASSUMING = "sts:AssumeRole"
READING = "s3:GetObject"

_PRINCIPAL_ARN = re.compile(r"arn:aws[a-z-]*:iam::[\w-]*:(?:user|role)/[\w+=,.@/-]+\Z", re.ASCII)


class UnsafeIdentityError(ValueError):
    """A name from which no document is made: a wildcard in it would widen the document."""


def is_principal_arn(text: str) -> bool:
    """Whether it is the whole ARN of one user or role."""
    return _PRINCIPAL_ARN.match(text) is not None


def vendor_policy(*, role_arns: Sequence[str]) -> str:
    """The vendor's own policy: assume these upload roles, nothing else."""
    if not role_arns or not all(is_role_arn(arn) for arn in role_arns):
        raise UnsafeIdentityError("the vendor's policy names whole role ARNs, at least one")
    return _document([_allow("sts:AssumeRole", list(role_arns))])


def trust_policy(*, vendor_arn: str, external_id: str = "", refuse_sessions: bool = False) -> str:
    """Who may assume the upload role: exactly the vendor.

    `refuse_sessions` also refuses callers that are sessions themselves. Ceph's gateway needs it,
    or a session assumes the role again without its policy; on AWS it would lock out a vendor that
    runs under a role.
    """
    if not is_principal_arn(vendor_arn):
        raise UnsafeIdentityError("the vendor is not the whole ARN of a user or role")
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"AWS": vendor_arn},
        "Action": "sts:AssumeRole",
    }
    condition: dict[str, dict[str, str]] = {}
    if external_id:
        condition["StringEquals"] = {"sts:ExternalId": external_id}
    if refuse_sessions:
        condition["Null"] = {"aws:TokenIssueTime": "true"}
    return _document([statement | ({"Condition": condition} if condition else {})])


def upload_policy(
    *, role_arn: str, bucket: str, kms_key_arn: str = "", with_sync: bool = False
) -> str:
    """The upload role's own policy: the builds of its bucket, never made public or redirected.

    Only sync products need to read objects. Purging needs `s3:DeleteObject` in any store.
    """
    bucket_arn = _bucket_arn(role_arn, bucket)
    actions = [*WRITE_ACTIONS, *SYNC_ACTIONS]
    if not with_sync:
        actions.remove(READING)
    return _document([*_denied(bucket_arn), *_allowed(bucket_arn, actions, kms_key_arn)])


def boundary_policy(
    *, role_arn: str, bucket: str, kms_key_arn: str = "", with_sync: bool = False
) -> str:
    """The upload role's permissions boundary: the most that any policy put on it can mean.

    Revoking rewrites policies of that role, and may replace its own one. With this, it can neither
    widen the role nor take its denials away: so they are in here as well. AWS takes 6,144
    characters of it (IAM quotas: managed policies).
    """
    return upload_policy(
        role_arn=role_arn, bucket=bucket, kms_key_arn=kms_key_arn, with_sync=with_sync
    )


def post_signer_policy(
    *, role_arn: str, bucket: str, kms_key_arn: str = "", signer_arn: str = ""
) -> str:
    """The policy of an identity that signs POSTs for a store that takes none of a session.

    What it signs reaches one directory of one build; its key would reach every build. With
    `signer_arn` the same as the bucket's policy: Ceph 16 asks only that one about a POST, not the
    user's own (measured on 16.2.15).
    """
    bucket_arn = _bucket_arn(role_arn, bucket)
    writing = _allow("s3:PutObject", f"{bucket_arn}/{EVERY_BUILD}")
    if signer_arn:
        if not _PRINCIPAL_ARN.match(signer_arn):
            raise UnsafeIdentityError("the signer is not the whole ARN of a user or role")
        return _document([writing | {"Principal": {"AWS": signer_arn}}])
    statements = [writing]
    if kms_key_arn:
        if not is_kms_key_arn(kms_key_arn):
            raise UnsafeIdentityError("not a KMS key's ARN")
        statements.append(_allow("kms:GenerateDataKey", kms_key_arn))
    return _document(statements)


def _bucket_arn(role_arn: str, bucket: str) -> str:
    if not is_role_arn(role_arn) or not is_bucket_name(bucket):
        raise UnsafeIdentityError("not a role's ARN and a bucket's name")
    return f"arn:{partition_of(role_arn)}:s3:::{bucket}"


def _allowed(bucket_arn: str, actions: list[str], kms_key_arn: str) -> list[Statement]:
    listing = _allow("s3:ListBucket", bucket_arn)
    listing["Condition"] = {"StringLike": {"s3:prefix": EVERY_BUILD}}
    statements = [
        _allow(actions, f"{bucket_arn}/{EVERY_BUILD}"),
        listing,
        _allow("s3:GetBucketLocation", bucket_arn),
    ]
    if kms_key_arn:
        if not is_kms_key_arn(kms_key_arn):
            raise UnsafeIdentityError("not a KMS key's ARN")
        statements.append(_allow(list(KMS_ACTIONS), kms_key_arn))
    return statements


def _denied(bucket_arn: str) -> list[Statement]:
    """One statement per header: conditions within one statement must all hold.

    Nor may a session assume a role, this one again least of all, whoever trusts it.
    """
    refused: dict[str, str | list[str]] = {"s3:x-amz-acl": list(PUBLIC_ACLS)}
    refused |= {f"s3:x-amz-grant-{name}": ANY_VALUE for name in GRANT_HEADERS}
    refused |= {"s3:x-amz-website-redirect-location": ANY_VALUE}
    denials = [_deny_write(f"{bucket_arn}/*", header, values) for header, values in refused.items()]
    return [*denials, {"Effect": "Deny", "Action": ASSUMING, "Resource": "*"}]


def _allow(actions: str | list[str], resources: str | list[str]) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _deny_write(resource: str, header: str, values: str | list[str]) -> Statement:
    return {
        "Effect": "Deny",
        "Action": list(WRITES),
        "Resource": resource,
        "Condition": {"StringLike": {header: values}},
    }


def _document(statements: list[dict[str, Any]]) -> str:
    document = {"Version": POLICY_VERSION, "Statement": statements}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)
