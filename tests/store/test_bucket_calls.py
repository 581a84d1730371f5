"""Calls about a whole bucket, its own and another: refused but for one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.store.answers import REFUSED, answer_to, answers_to
from tests.store.calls import Hand
from tests.store.differences import Expectations
from tests.store.stage import Account

OPEN_POLICY = (
    '{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*",'
    '"Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}}]}}'
)
EVERYTHING_AT_ONCE = {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""},
                                 "Expiration": {"Days": 1}}]}  # fmt: skip
ANY_ORIGIN = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
NO_BLOCK = {"BlockPublicAcls": False, "IgnorePublicAcls": False}
WEBSITE = {"IndexDocument": {"Suffix": "index.html"}}
TAGS = {"TagSet": [{"Key": "seen", "Value": "1"}]}

BucketCall = Callable[[Any, str], Any]
READS: dict[str, BucketCall] = {
    "head": lambda s3, b: s3.head_bucket(Bucket=b),
    "get ACL": lambda s3, b: s3.get_bucket_acl(Bucket=b),
    "get policy": lambda s3, b: s3.get_bucket_policy(Bucket=b),
    "get policy status": lambda s3, b: s3.get_bucket_policy_status(Bucket=b),
    "get public access block": lambda s3, b: s3.get_public_access_block(Bucket=b),
    "get ownership": lambda s3, b: s3.get_bucket_ownership_controls(Bucket=b),
    "get versioning": lambda s3, b: s3.get_bucket_versioning(Bucket=b),
    "get life cycle": lambda s3, b: s3.get_bucket_lifecycle_configuration(Bucket=b),
    "get CORS": lambda s3, b: s3.get_bucket_cors(Bucket=b),
    "get website": lambda s3, b: s3.get_bucket_website(Bucket=b),
    "get tags": lambda s3, b: s3.get_bucket_tagging(Bucket=b),
    "get encryption": lambda s3, b: s3.get_bucket_encryption(Bucket=b),
    "get logging": lambda s3, b: s3.get_bucket_logging(Bucket=b),
    "get notifications": lambda s3, b: s3.get_bucket_notification_configuration(Bucket=b),
    "get replication": lambda s3, b: s3.get_bucket_replication(Bucket=b),
    "get object lock": lambda s3, b: s3.get_object_lock_configuration(Bucket=b),
    "get request payer": lambda s3, b: s3.get_bucket_request_payment(Bucket=b),
}
WRITES: dict[str, BucketCall] = {
    "delete": lambda s3, b: s3.delete_bucket(Bucket=b),
    "put ACL": lambda s3, b: s3.put_bucket_acl(Bucket=b, ACL="public-read"),
    "put policy": lambda s3, b: s3.put_bucket_policy(Bucket=b, Policy=OPEN_POLICY.format(bucket=b)),
    "delete policy": lambda s3, b: s3.delete_bucket_policy(Bucket=b),
    "put public access block": lambda s3, b: s3.put_public_access_block(
        Bucket=b, PublicAccessBlockConfiguration=NO_BLOCK
    ),
    "delete public access block": lambda s3, b: s3.delete_public_access_block(Bucket=b),
    "put ownership": lambda s3, b: s3.put_bucket_ownership_controls(
        Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ),
    "put versioning": lambda s3, b: s3.put_bucket_versioning(
        Bucket=b, VersioningConfiguration={"Status": "Suspended"}
    ),
    "put life cycle": lambda s3, b: s3.put_bucket_lifecycle_configuration(
        Bucket=b, LifecycleConfiguration=EVERYTHING_AT_ONCE
    ),
    "delete life cycle": lambda s3, b: s3.delete_bucket_lifecycle(Bucket=b),
    "put CORS": lambda s3, b: s3.put_bucket_cors(Bucket=b, CORSConfiguration=ANY_ORIGIN),
    "put website": lambda s3, b: s3.put_bucket_website(Bucket=b, WebsiteConfiguration=WEBSITE),
    "put tags": lambda s3, b: s3.put_bucket_tagging(Bucket=b, Tagging=TAGS),
    "put request payer": lambda s3, b: s3.put_bucket_request_payment(
        Bucket=b, RequestPaymentConfiguration={"Payer": "Requester"}
    ),
}
CALLS = READS | WRITES


def settings_of(admin: Any, bucket: str) -> list[object]:
    """What the operator sees of a bucket that the writes above would have changed."""
    readers = [READS[name] for name in ("get ACL", "get versioning", "get public access block")]
    found = [reader(admin, bucket) for reader in readers]
    contents = [{k: v for k, v in each.items() if k != "ResponseMetadata"} for each in found]
    return [answers_to(READS, admin, bucket), *contents]


@pytest.mark.parametrize("which", ["own", "another"])
def test_every_call_about_a_bucket_is_refused(
    which: str, hand: Hand, account: Account, expect: Expectations
) -> None:
    bucket = account.bucket if which == "own" else account.elsewhere
    before = settings_of(account.admin, bucket)
    assert answers_to(CALLS, hand.s3, bucket) == expect.refusals(CALLS, where="bucket")
    assert settings_of(account.admin, bucket) == before


def test_location_of_another_bucket_is_refused(hand: Hand, account: Account) -> None:
    call = hand.s3.get_bucket_location
    assert answer_to(lambda: call(Bucket=account.elsewhere)) == REFUSED


def test_buckets_are_not_listed(hand: Hand, account: Account, expect: Expectations) -> None:
    assert answer_to(hand.s3.list_buckets) == expect.of("list buckets", REFUSED)


def test_no_bucket_is_made(hand: Hand, account: Account, expect: Expectations) -> None:
    name = f"{account.bucket}-more"
    assert answer_to(lambda: hand.s3.create_bucket(Bucket=name)) == REFUSED
    assert answer_to(lambda: account.admin.head_bucket(Bucket=name)).status == 404
