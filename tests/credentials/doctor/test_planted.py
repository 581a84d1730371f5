"""Every misconfiguration that is planted in a healthy account is found; before, it was not."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from builds.models import Product, Store
from credentials.identities import boundary_policy, upload_policy
from demo.store import ACCOUNT
from tests.credentials.doctor.conftest import Examine, finding_ids
from tests.credentials.doctor.embedded_account import (
    UNFINISHED,
    Account,
    allow,
    as_document,
    block_public_access,
)
from tests.credentials.doctor.pasting import commands_of, paste

pytestmark = pytest.mark.loopback
Plant = Callable[[Account, Store], object]


def trusting(principal: Any, **rest: Any) -> Plant:
    """Somebody is trusted besides the vendor."""

    def plant(account: Account, row: Store) -> None:
        account.put_trust(
            [assuming({"AWS": account.vendor_arn}), assuming(principal) | {"Sid": "more"} | rest]
        )

    return plant


def assuming(principal: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}


TRUST: dict[str, Plant] = {
    "trust.anyone": trusting({"AWS": ["*"]}),
    "trust.account": trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    "trust.other-principal": trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:user/somebody"}),
    "trust.federated": trusting({"Federated": "accounts.google.com"}),
    "trust.service": trusting({"Service": "ec2.amazonaws.com"}),
    "trust.vendor-missing": lambda account, row: account.put_trust(assuming({"AWS": "*"})),
    "trust.external-id-missing": lambda account, row: change(row, external_id="agreed"),
    "trust.external-id-unknown": lambda account, row: account.put_trust(
        assuming({"AWS": account.vendor_arn})
        | {"Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}
    ),
    "assuming.refused": lambda account, row: account.put_trust(
        assuming({"AWS": f"arn:aws:iam::{ACCOUNT}:user/somebody"})
    ),
}


def allowing(action: Any, *resources: str) -> Plant:
    """The upload role carries one more policy. `BUCKET` stands for the bucket's ARN."""

    def plant(account: Account, row: Store) -> None:
        account.put_role_policy(allow(action, arns(account, resources)), name="more")

    return plant


def arns(account: Account, resources: tuple[str, ...]) -> list[str]:
    return [each.replace("BUCKET", f"arn:aws:s3:::{account.bucket}") for each in resources]


def attach_everything(account: Account, row: Store) -> None:
    made = account.iam.create_policy(
        PolicyName=f"{account.name}-wide", PolicyDocument=allow("s3:*", "*")
    )
    account.iam.attach_role_policy(RoleName=account.role, PolicyArn=made["Policy"]["Arn"])


def without_denials(account: Account, row: Store) -> None:
    account.put_role_policy(allowing_only(account))


def allowing_only(account: Account) -> str:
    """The upload policy without what it denies."""
    document = json.loads(upload_policy(role_arn=account.role_arn, bucket=account.bucket))
    return as_document([each for each in document["Statement"] if each["Effect"] == "Allow"])


def denying(account: Account, row: Store) -> None:
    statement = {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}
    account.put_role_policy(as_document(statement), name="more")


ROLE: dict[str, Plant] = {
    "role.missing": lambda account, row: remove_role(account),
    "role-policies.action-wide": attach_everything,
    "role-policies.resource-wide": allowing("s3:PutObject", "BUCKET/*"),
    "role-policies.reading": allowing("s3:GetObject", "BUCKET/*/builds/*"),
    "role-policies.other-bucket": allowing("s3:PutObject", "arn:aws:s3:::elsewhere/*/builds/*"),
    "role-policies.listing-wide": allowing("s3:ListBucket", "BUCKET"),
    "role-policies.not-resource": lambda account, row: account.put_role_policy(
        as_document({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::x"}),
        name="more",
    ),
    "role-policies.not-action": lambda account, row: account.put_role_policy(
        as_document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), name="more"
    ),
    "role-policies.action-missing": lambda account, row: account.iam.delete_role_policy(
        RoleName=account.role, PolicyName=account.role
    ),
    "role-policies.denial-missing": without_denials,
    "role-policies.assuming-not-denied": without_denials,
    "role-policies.denies-uploads": denying,
    "writing.refused": denying,
    "boundary.missing": lambda account, row: account.iam.delete_role_permissions_boundary(
        RoleName=account.role
    ),
    "boundary.action-wide": lambda account, row: account.put_boundary(allow("*", "*")),
    "boundary.reading": lambda account, row: account.put_boundary(
        boundary_policy(role_arn=account.role_arn, bucket=account.bucket, with_sync=True)
    ),
    "boundary.denial-missing": lambda account, row: account.put_boundary(allowing_only(account)),
    "boundary.assuming-not-denied": lambda account, row: account.put_boundary(
        allowing_only(account)
    ),
    "boundary.action-missing": lambda account, row: account.put_boundary(
        allow("s3:PutObject", f"arn:aws:s3:::{account.bucket}/*/builds/*")
    ),
    "lifetimes.role-shorter": lambda account, row: change(row, role_max_seconds=7200),
    "lifetimes.product-capped": lambda account, row: Product.objects.create(
        slug="long", store=row, surrogate_key="a" * 32, session_seconds=7200
    ),
}


def remove_role(account: Account) -> None:
    account.iam.delete_role_policy(RoleName=account.role, PolicyName=account.role)
    account.iam.delete_role(RoleName=account.role)


VENDOR: dict[str, Plant] = {
    "vendor-s3.allowed": lambda account, row: account.put_vendor_policy(
        allow("s3:PutObject", "arn:aws:s3:::*")
    ),
    "vendor-iam.allowed": lambda account, row: account.put_vendor_policy(
        allow("iam:ListRoles", "*")
    ),
    "vendor-policies.other-action": lambda account, row: account.put_vendor_policy(
        allow("s3:DeleteBucket", "*")
    ),
    "vendor-policies.other-role": lambda account, row: account.put_vendor_policy(
        allow("sts:AssumeRole", "*")
    ),
}


def opened_to(principal: Any, action: Any, **rest: Any) -> Plant:
    """The bucket's policy gives a right away."""

    def plant(account: Account, row: Store) -> None:
        statement = {"Effect": "Allow", "Principal": principal, "Action": action, **rest}
        account.put_bucket_policy(statement | {"Resource": f"arn:aws:s3:::{account.bucket}/*"})

    return plant


def put_names_of_role(form: str) -> Plant:
    def plant(account: Account, row: Store) -> None:
        opened_to({"AWS": form.format(account.role)}, "s3:GetObject")(account, row)

    return plant


BUCKET: dict[str, Plant] = {
    "bucket-policy.public-write": opened_to("*", "s3:putobject*"),
    "bucket-policy.names-session": put_names_of_role(
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{{}}/somebody"
    ),
    "bucket-policy.names-role": put_names_of_role(f"arn:aws:iam::{ACCOUNT}:role/{{}}"),
    "public-access.off": lambda account, row: block_public_access(
        account.s3, account.bucket, RestrictPublicBuckets=False
    ),
    "acls.on": lambda account, row: account.s3.put_bucket_ownership_controls(
        Bucket=account.bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ),
    "unfinished-uploads.kept": lambda account, row: account.s3.put_bucket_lifecycle_configuration(
        Bucket=account.bucket,
        LifecycleConfiguration={"Rules": [UNFINISHED | {"Status": "Disabled"}]},
    ),
    "encryption.other-key": lambda account, row: account.s3.put_bucket_encryption(
        Bucket=account.bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234",
                    }
                }
            ]
        },
    ),
    "bucket.other-region": lambda account, row: move_bucket(account, "eu-west-1"),
    "bucket.missing": lambda account, row: account.s3.delete_bucket(Bucket=account.bucket),
}


def move_bucket(account: Account, region: Any) -> None:
    account.s3.delete_bucket(Bucket=account.bucket)
    place: Any = {"LocationConstraint": region}
    account.s3.create_bucket(Bucket=account.bucket, CreateBucketConfiguration=place)


def change(row: Store, **fields: Any) -> None:
    Store.objects.filter(pk=row.pk).update(**fields)


PLANTED = TRUST | ROLE | VENDOR | BUCKET
# Those whose change is a sentence, or only a part of what there is to do.
NOT_PASTED = {
    "trust.external-id-unknown",
    "role.missing",
    "writing.refused",
    "boundary.missing",
    "lifetimes.product-capped",
    "vendor-s3.allowed",
    "vendor-iam.allowed",
    "encryption.other-key",
    "bucket.other-region",
    "bucket.missing",
}


@pytest.mark.parametrize("finding_id", sorted(NOT_PASTED))
def test_planted_misconfiguration_is_found(
    finding_id: str, account: Account, row: Store, examine: Examine
) -> None:
    assert finding_ids(examine()) == set()
    PLANTED[finding_id](account, row)
    assert finding_id in finding_ids(examine())


CHANGING = {
    "iam:DeleteRolePolicy": "to change the role's policies",
    "iam:DeleteUser": "to remove users",
}


@pytest.mark.parametrize("action", CHANGING)
def test_vendor_that_may_change_something_is_found_by_trying(
    action: str, account: Account, examine: Examine
) -> None:
    account.put_vendor_policy(allow(action, "*"))
    [finding] = [f for result in examine() for f in result.findings if f.id == "vendor-iam.allowed"]
    assert finding.what == f"The vendor was allowed {CHANGING[action]}."
    names = account.iam.list_role_policies(RoleName=account.role)["PolicyNames"]
    assert names == [account.role]


@pytest.mark.parametrize("finding_id", sorted(PLANTED.keys() - NOT_PASTED))
def test_planted_misconfiguration_is_found_and_its_change_mends_it(
    finding_id: str, account: Account, row: Store, examine: Examine
) -> None:
    assert finding_ids(examine()) == set()
    PLANTED[finding_id](account, row)
    found = {finding.id: finding for result in examine() for finding in result.findings}
    for command in commands_of(found[finding_id]):
        paste(command, account)
    assert finding_ids(examine()) == set()
