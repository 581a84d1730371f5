"""Takes away what a run made, so that a store that goes on running is left as it was."""

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from credentials.operations.account.clients import StoreClients
from credentials.operations.account.obstacles import NOT_FOUND, is_unsupported
from credentials.rules.account_documents import WantedAccount
from credentials.vending.store_errors import http_status

KINDS = ("vendor", "auditor", "revoker", "signer")


def remove_everything(operator: StoreClients, plan: WantedAccount, *, buckets: list[str]) -> None:
    """Buckets with all that is in them, role, boundary, users. What is missing is passed over."""
    for bucket in buckets:
        _if_there(partial(_remove_bucket, operator.s3, bucket))
    iam: Any = operator.iam
    role = plan.role_name
    _if_there(partial(_remove_role, iam, role))
    _if_there(lambda: iam.delete_policy(PolicyArn=plan.boundary_arn))
    for kind in KINDS:
        _if_there(partial(_remove_user, iam, plan.user_name(kind), role))


def _remove_bucket(s3: Any, bucket: str) -> None:
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def _remove_role(iam: Any, role: str) -> None:
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    iam.delete_role(RoleName=role)


def _remove_user(iam: Any, name: str, policy: str) -> None:
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    _if_there(lambda: iam.delete_user_policy(UserName=name, PolicyName=policy))
    iam.delete_user(UserName=name)


def _if_there(remove: Callable[[], object]) -> None:
    try:
        remove()
    except ClientError as err:
        if http_status(err) != NOT_FOUND and not is_unsupported(err):
            raise
