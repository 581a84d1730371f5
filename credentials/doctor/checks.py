"""The checks, in the order in which they are made: each builds on those before it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from credentials.doctor import (
    bucket_checks,
    role_checks,
    session_checks,
    vendor_attempts,
    vendor_checks,
)
from credentials.doctor.findings import Finding
from credentials.doctor.scene import Scene


@dataclass(frozen=True, kw_only=True)
class Check:
    """What must be right, and how it is looked at. `act` may raise an Obstacle at any point.

    Nothing else can be looked at while a vital one is wrong.
    """

    id: str
    title: str
    act: Callable[[Scene], Iterator[Finding]]
    is_vital: bool = False


def _check(check_id: str, title: str, act: Callable[[Scene], Iterator[Finding]]) -> Check:
    return Check(id=check_id, title=title, act=act)


CHECKS = (
    Check(id="row", title="The store is legal", act=bucket_checks.row, is_vital=True),
    _check("endpoint", "Endpoints, region and role are of one place", bucket_checks.endpoint),
    _check("clock", "The clock agrees with the store's", vendor_checks.clock),
    _check("vendor", "The service has credentials of its own", vendor_checks.vendor),
    _check("role", "The role exists", role_checks.role),
    _check("assuming", "The vendor can assume the role", session_checks.assuming),
    _check("writing", "A session can write its build", session_checks.writing),
    _check("vendor-s3", "The vendor has no right in S3 (tried)", vendor_attempts.vendor_s3),
    _check("vendor-iam", "The vendor has no right in IAM (tried)", vendor_attempts.vendor_iam),
    _check(
        "vendor-policies",
        "The vendor's policies allow AssumeRole only",
        vendor_checks.vendor_policies,
    ),
    _check("trust", "The role trusts the vendor and nobody else", role_checks.trust),
    _check("lifetimes", "Sessions can live as long as set", role_checks.lifetimes),
    _check("role-policies", "The role reaches builds and no more", role_checks.role_policies),
    _check("boundary", "The role has its boundary", role_checks.boundary),
    _check("bucket", "The bucket exists, in the store's region", bucket_checks.bucket),
    _check("bucket-policy", "The bucket gives no rights away", bucket_checks.bucket_policy),
    _check("public-access", "Public access is blocked", bucket_checks.public_access),
    _check("acls", "The bucket takes no ACLs", bucket_checks.acls),
    _check(
        "unfinished-uploads", "Unfinished uploads are removed", bucket_checks.unfinished_uploads
    ),
    _check("encryption", "The bucket's key is the store's", bucket_checks.encryption),
    _check("kms-key", "The store's KMS key can be used", bucket_checks.kms_key),
    _check("cleaning", "Test objects are removed", session_checks.cleaning),
)
