"""Keeps the vendor from objects that its sessions wrote, where a store gives them to it.

Without ownership controls an object belongs to whoever's session wrote it, here the vendor, and its
owner may read it and change its ACL without any policy that says so (measured on Ceph 16.2.15).
"""

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from credentials.rules.policy import POLICY_VERSION
from credentials.stores.documents import vendor_denial
from credentials.stores.outcomes import Outcome
from credentials.stores.plan import Plan
from credentials.stores.setting import NOT_FOUND, Setting, settle
from credentials.vending.store_errors import http_status

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def settle_vendors_objects(s3: "S3Client", plan: Plan, *, apply: bool) -> Outcome:
    """A statement in the bucket's policy; those that are there are kept."""
    denial = vendor_denial(vendor_arn=plan.vendor, bucket_arn=plan.bucket_arn)

    def put() -> object:
        others = [each for each in _statements(s3, plan.bucket) if each.get("Sid") != denial["Sid"]]
        document = {"Version": POLICY_VERSION, "Statement": [*others, denial]}
        # Compact: Ceph's gateway reads no other.
        text = json.dumps(document, separators=(",", ":"))
        return s3.put_bucket_policy(Bucket=plan.bucket, Policy=text)

    setting = Setting(
        what=f"nothing in the bucket for {plan.vendor}",
        why="Here it owns what its sessions write, and could read it and change its ACLs.",
        wanted=True,
        look=lambda: denial in _statements(s3, plan.bucket) or None,
        put=put,
        unsupported="Whoever has the vendor's key can read the builds.",
    )
    return settle(setting, apply=apply)


def _statements(s3: "S3Client", bucket: str) -> list[Any]:
    try:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as err:
        if http_status(err) == NOT_FOUND:
            return []
        raise
    found = policy["Statement"]
    return list(found) if isinstance(found, list) else [found]
