"""Puts the identities of a store's account into the embedded store, as an operator would on AWS.

Safe to run again: names are kept, documents are replaced, keys are made anew (a secret key is
shown once and cannot be read back).
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from credentials.identities import boundary_policy, trust_policy, upload_policy, vendor_policy
from demo.store import ACCOUNT, EmbeddedStore

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

BUCKET = "demo-docs"
OTHER_BUCKET = "demo-elsewhere"
OTHER_OBJECT = "notes/minutes.txt"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ltdkeeper-upload"
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/ltdkeeper-upload-boundary"
VENDOR = "ltdkeeper-vendor"
READER = "demo-reader"


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """A user's long-lived key in the embedded store."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Identities:
    """What the service and the demo need of the account."""

    vendor: AccessKey
    reader: AccessKey


def apply_identities(*, store: EmbeddedStore) -> Identities:
    """Make the demo's buckets, users and upload role, or bring them up to date."""
    s3: S3Client = store.admin_client("s3")
    iam: IAMClient = store.admin_client("iam")
    for bucket in (BUCKET, OTHER_BUCKET):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=OTHER_BUCKET, Key=OTHER_OBJECT, Body=b"Nobody's documentation.\n")
    vendor_arn = _ensure_user(iam, VENDOR, vendor_policy(role_arns=[ROLE_ARN]))
    _ensure_user(iam, READER, reader_policy(bucket=BUCKET))
    _ensure_upload_role(iam, trust=trust_policy(vendor_arn=vendor_arn))
    return Identities(vendor=_new_key(iam, VENDOR), reader=_new_key(iam, READER))


def reader_policy(*, bucket: str) -> str:
    """A key for looking at what arrived: read and list one bucket."""
    bucket_arn = f"arn:aws:s3:::{bucket}"
    allowed = {
        "s3:GetObject": f"{bucket_arn}/*",
        "s3:ListBucket": bucket_arn,
        "s3:GetBucketLocation": bucket_arn,
    }
    statements = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in allowed.items()]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _ensure_user(iam: "IAMClient", name: str, policy: str) -> str:
    """A user with one inline policy; its ARN."""
    with _unless_it_exists():
        iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    return iam.get_user(UserName=name)["User"]["Arn"]


def _new_key(iam: "IAMClient", user: str) -> AccessKey:
    for old in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=old["AccessKeyId"])
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(access_key_id=made["AccessKeyId"], secret_access_key=made["SecretAccessKey"])


def _ensure_upload_role(iam: "IAMClient", *, trust: str) -> None:
    scope: dict[str, Any] = {"role_arn": ROLE_ARN, "bucket": BUCKET}
    role = _name(ROLE_ARN)
    _ensure_managed_policy(iam, BOUNDARY_ARN, boundary_policy(**scope))
    with _unless_it_exists():
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=BOUNDARY_ARN)
    iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=upload_policy(**scope))


def _ensure_managed_policy(iam: "IAMClient", arn: str, document: str) -> None:
    with _unless_it_exists():
        iam.create_policy(PolicyName=_name(arn), PolicyDocument=document)
        return
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


@contextlib.contextmanager
def _unless_it_exists() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise
