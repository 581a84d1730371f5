"""botocore's exceptions -> what keeps the doctor from looking. Pure but for botocore's classes."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from credentials.doctor.expected import Expected
from credentials.doctor.obstacles import (
    KeyRefused,
    NoBucket,
    NotPermitted,
    NotSupported,
    Obstacle,
    Unclear,
    Whose,
)
from credentials.stores.setting import NOT_FOUND, is_unsupported
from credentials.vending.store_errors import VENDOR_REFUSED, error_code, http_status

FORBIDDEN = {401, 403}
NO_ACLS = frozenset({"AccessControlListNotSupported"})
# KMS answers 400 to everything, also in these two cases.
DENIED_CODES = {"AccessDenied", "AccessDeniedException"}
NO_BUCKET = "NoSuchBucket"
MISSING_CODES = {"NotFoundException", "NoSuchEntity"}
# Where the name of a right is not that of the call (AWS service authorization reference, S3).
S3_RIGHTS = {
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
}


def obstacle_of(err: ClientError, *, whose: Whose, action: str, resource: str) -> Obstacle | None:
    """What a refused call means for a check; None where what it names is not there."""
    status, code = http_status(err), error_code(err)
    if code in VENDOR_REFUSED:
        return KeyRefused(whose=whose, answer=code)
    if status in FORBIDDEN or code in DENIED_CODES:
        return NotPermitted(whose=whose, action=action, resource=resource)
    if is_unsupported(err, NO_ACLS):
        return NotSupported(f"this store does not know {action}")
    if code == NO_BUCKET:
        return NoBucket("there is no bucket")
    if status == NOT_FOUND or code in MISSING_CODES:
        return None
    return Unclear(action=action, answer=f"{status} {code}")


def action_of(client: Any, method: str) -> str:
    """The right that a call of a client needs: `iam:GetRole`."""
    call = client.meta.method_to_api_mapping[method]
    service = client.meta.service_model.service_name
    return f"{service}:{S3_RIGHTS.get(call, call) if service == 's3' else call}"


def resource_of(arguments: Mapping[str, Any], expected: Expected) -> str:
    """The resource that a call with these arguments needs the right on."""
    account = f"arn:{expected.partition}:iam::{expected.account}"
    if arguments.get("RoleName") == expected.role_name:
        return expected.role_arn
    forms = {
        "RoleName": f"{account}:role/{{}}",
        "UserName": f"{account}:user/{{}}",
        "GroupName": f"{account}:group/{{}}",
        "Bucket": f"arn:{expected.partition}:s3:::{{}}",
        "PolicyArn": "{}",
        "KeyId": "{}",
    }
    named = (form.format(arguments[name]) for name, form in forms.items() if name in arguments)
    return next(named, "*")
