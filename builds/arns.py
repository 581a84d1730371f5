"""The forms of bucket names and ARNs. Pure.

Role ARNs of S3-compatible stores may have an empty account (Ceph: `arn:aws:iam:::role/upload`).
"""

import re

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z", re.ASCII)
_IPV4 = re.compile(r"[0-9]+(\.[0-9]+){3}\Z", re.ASCII)
_ROLE_ARN = re.compile(r"arn:(aws[a-z-]*):iam::[\w-]*:role/[\w+=,.@/-]{1,190}\Z", re.ASCII)
_KMS_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]{1,64}\Z", re.ASCII)
_PARTITION = re.compile(r"aws[a-z-]*\Z", re.ASCII)
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z", re.ASCII)


def is_bucket_name(text: str) -> bool:
    """S3's rule for new buckets: 3 to 63 of `a-z0-9.-`, letters or digits at the ends; no IP."""
    return bool(_BUCKET.match(text)) and ".." not in text and not _IPV4.match(text)


def is_role_arn(text: str) -> bool:
    """Whether a text is the ARN of an IAM role, in any partition."""
    return _ROLE_ARN.match(text) is not None


def is_kms_key_arn(text: str) -> bool:
    """Whether a text is the ARN of a KMS key. Aliases are not: policies do not match them."""
    return _KMS_KEY_ARN.match(text) is not None


def is_partition(text: str) -> bool:
    """Whether a text has the form of an ARN partition: `aws`, `aws-cn`, `aws-us-gov`, ..."""
    return _PARTITION.match(text) is not None


def is_region(text: str) -> bool:
    """Whether a text looks like a region's name."""
    return _REGION.match(text) is not None


def partition_of(role_arn: str) -> str:
    """The partition of a role ARN: `aws`, `aws-cn`, `aws-us-gov`, ...

    Raises ValueError when the text is no role ARN.
    """
    if (match := _ROLE_ARN.match(role_arn)) is None:
        raise ValueError("not the ARN of a role")
    return match.group(1)
