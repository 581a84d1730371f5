"""The bucket and what is set on it: no ACLs, nothing public, no uploads that never end."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from credentials.stores.outcomes import Outcome, Status
from credentials.stores.plan import Plan
from credentials.stores.public_access import settle_public_access
from credentials.stores.setting import NOT_FOUND, Setting, settle
from credentials.vending.store_errors import http_status

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_REGION = "us-east-1"
ACLS_OFF = "ACLs off"
NO_ACLS = "BucketOwnerEnforced"
# No upload lasts longer than the longest upload window, seven days.
UNFINISHED_DAYS = 7
UNFINISHED_RULE: Any = {
    "ID": "ltdkeeper-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
}


def settle_bucket(s3: "S3Client", plan: Plan, *, apply: bool) -> list[Outcome]:
    """The bucket first, then its settings."""
    return [
        settle(_existence(s3, plan), apply=apply),
        settle(_ownership(s3, plan.bucket), apply=apply),
        settle_public_access(s3, plan, apply=apply),
        settle(_unfinished(s3, plan.bucket), apply=apply),
    ]


def has_owners(outcomes: Iterable[Outcome]) -> bool:
    """Whether objects belong to who wrote them: the store knows no other way."""
    return any(
        outcome.what == ACLS_OFF and outcome.status is Status.NOT_SUPPORTED for outcome in outcomes
    )


def _existence(s3: "S3Client", plan: Plan) -> Setting:
    return Setting(
        what=f"bucket {plan.bucket}",
        why="Builds are uploaded to it.",
        wanted=True,
        look=lambda: bool(s3.head_bucket(Bucket=plan.bucket)),
        put=lambda: s3.create_bucket(Bucket=plan.bucket, **placement(plan)),
    )


def placement(plan: Plan) -> dict[str, Any]:
    """Where a new bucket is made, as `CreateBucket` takes it.

    AWS's first region must not be named; other stores know no regions to place a bucket in.
    """
    if not plan.is_aws or plan.region == DEFAULT_REGION:
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": plan.region}}


def _ownership(s3: "S3Client", bucket: str) -> Setting:
    rules: Any = {"Rules": [{"ObjectOwnership": NO_ACLS}]}
    return Setting(
        what=ACLS_OFF,
        why="No upload can make an object public, whatever it asks for.",
        wanted=rules,
        look=lambda: s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] or None,
        put=lambda: s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules),
        unsupported="The upload role's policy refuses public ACLs and grants instead. Objects "
        "belong to the vendor: who reads them, the bucket's owner too, needs a policy for it.",
        # Ceph 16 takes the call for one that makes the bucket again, with a body of another kind.
        unsupported_codes=frozenset({"InvalidArgument"}),
    )


def _unfinished(s3: "S3Client", bucket: str) -> Setting:
    def add() -> object:
        others = [rule for rule in _rules(s3, bucket) if rule.get("ID") != UNFINISHED_RULE["ID"]]
        return s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [*others, UNFINISHED_RULE]}
        )

    return Setting(
        what=f"unfinished uploads end after {UNFINISHED_DAYS} days",
        why="Parts of uploads that nobody completed are stored, and paid for, unseen.",
        wanted=True,
        look=lambda: any(_ends_in_time(rule) for rule in _rules(s3, bucket)) or None,
        put=add,
        unsupported="Remove unfinished uploads from time to time.",
    )


def _rules(s3: "S3Client", bucket: str) -> list[Any]:
    try:
        return list(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])
    except ClientError as err:
        if http_status(err) == NOT_FOUND:
            return []
        raise


def _ends_in_time(rule: Mapping[str, Any]) -> bool:
    return 0 < unfinished_days(rule) <= UNFINISHED_DAYS


def unfinished_days(rule: Mapping[str, Any]) -> int:
    """After how many days a rule ends unfinished uploads of the whole bucket; 0 is never."""
    is_whole = rule.get("Filter") in (None, {}, {"Prefix": ""}) and not rule.get("Prefix")
    if rule.get("Status") != "Enabled" or not is_whole:
        return 0
    return int(rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation", 0))
