"""The bucket's public access block."""

from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from credentials.stores.outcomes import Outcome, Status
from credentials.stores.plan import Plan
from credentials.stores.setting import FORBIDDEN, Setting, settle
from credentials.vending.store_errors import http_status

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ALL_BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
NEW_ACLS_ALLOWED = ALL_BLOCKED | {"BlockPublicAcls": False}
IN_FORCE = {Status.MADE, Status.CHANGED, Status.UNCHANGED}
PROBE_KEY = "ltdkeeper-bootstrap-probe"


def settle_public_access(s3: "S3Client", plan: Plan, *, apply: bool) -> Outcome:
    """Block public access; where uploads then fail, all of it but `BlockPublicAcls`.

    Ceph 16 refuses every PUT under that one, also of the bucket's owner (measured, and told in
    Ceph's pull request 30033). Whether a store does is found by writing and removing an object.
    """
    blocking = _blocking(s3, plan, ALL_BLOCKED)
    outcome = settle(blocking, apply=apply)
    if plan.is_aws or not apply or outcome.status not in IN_FORCE:
        return outcome
    if not _refuses_uploads(s3, plan.bucket):
        return outcome
    narrower = settle(_blocking(s3, plan, NEW_ACLS_ALLOWED), apply=True)
    if _refuses_uploads(s3, plan.bucket):  # so that was not the reason
        settle(replace(blocking, tolerated=None), apply=True)
        detail = "The operator may not write to the bucket: whether uploads still work is unknown."
        return replace(outcome, detail=detail)
    if narrower.status is Status.FAILED:
        return narrower
    return replace(narrower, status=Status.NOT_SUPPORTED, detail=blocking.tolerance)


def _blocking(s3: "S3Client", plan: Plan, wanted: dict[str, bool]) -> Setting:
    bucket = plan.bucket
    return Setting(
        what="public access block",
        why="No policy and no ACL can make the bucket public.",
        wanted=wanted,
        look=lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        put=lambda: s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration=wanted,  # type: ignore[arg-type]
        ),
        tolerated=None if plan.is_aws else NEW_ACLS_ALLOWED,
        tolerance="BlockPublicAcls stays off: with it, stores like this one refuse every "
        "upload. The rest is on, so that public ACLs have no effect.",
        unsupported="Nothing was set: keep the bucket from being public with the store's own "
        "tools.",
    )


def _refuses_uploads(s3: "S3Client", bucket: str) -> bool:
    """Whether it says so: no answer is not a refusal, and loosens nothing."""
    try:
        s3.put_object(Bucket=bucket, Key=PROBE_KEY, Body=b"")
        s3.delete_object(Bucket=bucket, Key=PROBE_KEY)
    except ClientError as err:
        return http_status(err) == FORBIDDEN
    except BotoCoreError:
        return False
    return False
