"""The bucket and what is set on it: no ACLs, nothing public, no uploads that never end."""

import json
from collections.abc import Mapping
from typing import Any

from credentials.operations.account.clients import StoreClients
from credentials.operations.account.obstacles import NotSupported
from credentials.operations.account.requirements import Requirement
from credentials.rules.account_documents import WantedAccount, vendor_denial
from credentials.rules.policy import POLICY_VERSION
from credentials.rules.policy_comparison import Statement, difference, statements_of

DEFAULT_REGION = "us-east-1"
ACLS_OFF = "ACLs off"
NO_ACLS = "BucketOwnerEnforced"
ALL_BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
NEW_ACLS_ALLOWED = ALL_BLOCKED | {"BlockPublicAcls": False}
# No upload lasts longer than the longest upload window, seven days.
UNFINISHED_DAYS = 7
UNFINISHED_RULE: Any = {
    "ID": "ltdkeeper-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
}
# Beside the rules; AWS sets what a call does not name back to its default (S3 API reference).
LIFECYCLE_DEFAULTS = ("TransitionDefaultMinimumObjectSize",)


def bucket(clients: StoreClients, account: WantedAccount) -> Requirement:
    return Requirement(
        what=f"bucket {account.bucket}",
        why="Builds are uploaded to it.",
        wanted=True,
        look=lambda: clients.ask("s3", "head_bucket", Bucket=account.bucket) and True,
        put=lambda: clients.s3.create_bucket(Bucket=account.bucket, **placement(account)),
    )


def placement(account: WantedAccount) -> dict[str, Any]:
    """Where a new bucket is made, as `CreateBucket` takes it.

    AWS's first region must not be named; other stores know no regions to place a bucket in.
    """
    if not account.is_aws or account.region == DEFAULT_REGION:
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": account.region}}


def ownership(clients: StoreClients, account: WantedAccount) -> Requirement:
    rules: Any = {"Rules": [{"ObjectOwnership": NO_ACLS}]}

    def look() -> Any:
        answer = clients.ask("s3", "get_bucket_ownership_controls", Bucket=account.bucket)
        # Ceph 16 answers this as if it were a listing: with success, and without a rule.
        if answer and not answer.get("OwnershipControls", {}).get("Rules"):
            raise NotSupported(reason="this store does not know ownership controls")
        return answer and answer["OwnershipControls"]

    refused = "The upload role's policy refuses public ACLs and grants instead."
    owned = (
        "Objects belong to the vendor: who reads them, the bucket's owner too, needs a policy for "
        "it."
    )
    return Requirement(
        what=ACLS_OFF,
        why="No upload can make an object public.",
        wanted=rules,
        look=look,
        put=lambda: clients.s3.put_bucket_ownership_controls(
            Bucket=account.bucket, OwnershipControls=rules
        ),
        unsupported=refused if account.is_ceph_account else f"{refused} {owned}",
        # Ceph 16 takes the call for one that makes the bucket again, with a body of another kind.
        unsupported_codes=frozenset({"InvalidArgument"}),
    )


def public_access_block(
    clients: StoreClients, account: WantedAccount, wanted: Mapping[str, bool] = ALL_BLOCKED
) -> Requirement:
    def look() -> Any:
        answer = clients.ask("s3", "get_public_access_block", Bucket=account.bucket)
        return answer and answer["PublicAccessBlockConfiguration"]

    return Requirement(
        what="public access block",
        why="No policy and no ACL can make the bucket public.",
        wanted=wanted,
        look=look,
        put=lambda: clients.s3.put_public_access_block(
            Bucket=account.bucket,
            PublicAccessBlockConfiguration=wanted,  # type: ignore[arg-type]
        ),
        tolerated=None if account.is_aws else NEW_ACLS_ALLOWED,
        tolerance="BlockPublicAcls stays off: with it, stores like this one refuse every "
        "upload. The rest is on, so that public ACLs have no effect.",
        unsupported="Nothing was set: keep the bucket from being public with the store's own "
        "tools.",
    )


def unfinished_uploads(clients: StoreClients, account: WantedAccount) -> Requirement:
    """Some rule ends unfinished uploads of the whole bucket in time; other rules are kept."""

    def found() -> Any:
        answer = clients.ask("s3", "get_bucket_lifecycle_configuration", Bucket=account.bucket)
        return answer or {"Rules": []}

    def put() -> object:
        there = found()
        others = [rule for rule in there["Rules"] if rule.get("ID") != UNFINISHED_RULE["ID"]]
        return clients.s3.put_bucket_lifecycle_configuration(
            Bucket=account.bucket,
            LifecycleConfiguration={"Rules": [*others, UNFINISHED_RULE]},
            **{name: there[name] for name in LIFECYCLE_DEFAULTS if name in there},
        )

    return Requirement(
        what=f"unfinished uploads end after {UNFINISHED_DAYS} days",
        why="Parts of incomplete uploads are stored and paid for unnoticed.",
        wanted=True,
        look=lambda: any(map(_ends_in_time, found()["Rules"])) or None,
        put=put,
        unsupported="Remove unfinished uploads from time to time.",
    )


def _ends_in_time(rule: Mapping[str, Any]) -> bool:
    is_whole = rule.get("Filter") in (None, {}, {"Prefix": ""}) and not rule.get("Prefix")
    days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation", 0)
    return rule.get("Status") == "Enabled" and is_whole and 0 < days <= UNFINISHED_DAYS


def nothing_for_the_vendor(clients: StoreClients, account: WantedAccount) -> Requirement:
    """A statement in the bucket's policy; those that are there are kept.

    Without ownership controls an object belongs to whoever's session wrote it, here the vendor,
    and its owner may read it and change its ACL without any policy that says so (measured on
    Ceph 16.2.15).
    """
    denial = vendor_denial(vendor_arn=account.vendor, bucket_arn=account.bucket_arn)

    def statements() -> list[Statement]:
        answer = clients.ask("s3", "get_bucket_policy", Bucket=account.bucket)
        return statements_of(answer["Policy"]) if answer else []

    def put() -> object:
        others = [each for each in statements() if each.get("Sid") != denial["Sid"]]
        document = {"Version": POLICY_VERSION, "Statement": [*others, denial]}
        # Compact: Ceph's gateway reads no other.
        text = json.dumps(document, separators=(",", ":"))
        return clients.s3.put_bucket_policy(Bucket=account.bucket, Policy=text)

    return Requirement(
        what=f"nothing in the bucket for {account.vendor}",
        why="Here it owns what its sessions write, and could read it and change its ACLs.",
        wanted=True,
        look=lambda: not difference([denial], statements()).extra or None,
        put=put,
        unsupported="The vendor's key can read the builds.",
    )
