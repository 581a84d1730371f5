"""Every fault that is planted in a healthy account is found, and mended as the doctor says."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from builds.models import Product, Store
from credentials.operations.account.bootstrap import bootstrap_store
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.doctor import findings_of
from credentials.operations.account.requirements import wanted_account
from credentials.operations.findings import Finding, Severity
from credentials.rules.account_documents import (
    boundary_policy,
    unbounded_revoker_policy,
    upload_policy,
)
from demo.store import ACCOUNT
from tests.credentials.operations.account.doctor.conftest import Examine, rules
from tests.credentials.operations.account.doctor.embedded_account import (
    UNFINISHED,
    Account,
    allow,
    as_document,
    block_public_access,
)

pytestmark = [pytest.mark.loopback, pytest.mark.slow]
Plant = Callable[[Account, Store], object]
SOMEBODY = f"arn:aws:iam::{ACCOUNT}:user/somebody"


def trusting(principal: Any) -> Plant:
    """Somebody is trusted besides the vendor."""
    return lambda account, row: account.put_trust(
        [assuming({"AWS": account.vendor_arn}), assuming(principal) | {"Sid": "more"}]
    )


def assuming(principal: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}


def trusting_vendor(**rest: Any) -> Plant:
    return lambda account, row: account.put_trust(assuming({"AWS": account.vendor_arn}) | rest)


TRUST: dict[str, tuple[Plant, str]] = {
    "anyone": (trusting({"AWS": ["*"]}), "trust.differs"),
    "a whole account": (trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), "trust.differs"),
    "somebody else": (trusting({"AWS": SOMEBODY}), "trust.differs"),
    "an identity provider": (trusting({"Federated": "accounts.google.com"}), "trust.differs"),
    "a service": (trusting({"Service": "ec2.amazonaws.com"}), "trust.differs"),
    "anyone but no vendor": (
        lambda account, row: account.put_trust(assuming({"AWS": "*"})),
        "trust.differs",
    ),
    "no external id": (lambda account, row: change(row, external_id="agreed"), "trust.differs"),
    "an unknown external id": (
        trusting_vendor(Condition={"StringEquals": {"sts:ExternalId": "agreed"}}),
        "trust.differs",
    ),
    "more than assuming": (trusting_vendor(Action="sts:*"), "trust.differs"),
    "another vendor": (
        lambda account, row: account.put_trust(assuming({"AWS": SOMEBODY})),
        "assuming.refused",
    ),
}


def allowing(action: Any, *resources: str) -> Plant:
    """The upload role carries one more policy. `BUCKET` stands for the bucket's ARN."""

    def plant(account: Account, row: Store) -> None:
        named = [each.replace("BUCKET", f"arn:aws:s3:::{account.bucket}") for each in resources]
        account.put_role_policy(allow(action, named), name="more")

    return plant


def more(**statement: Any) -> Plant:
    return lambda account, row: account.put_role_policy(as_document(statement), name="more")


def attach_everything(account: Account, row: Store) -> None:
    made = account.iam.create_policy(
        PolicyName=f"{account.name}-wide", PolicyDocument=allow("s3:*", "*")
    )
    account.iam.attach_role_policy(RoleName=account.role, PolicyArn=made["Policy"]["Arn"])


def allowing_only(account: Account) -> str:
    """The upload policy without what it denies."""
    document = json.loads(upload_policy(role_arn=account.role_arn, bucket=account.bucket))
    return as_document([each for each in document["Statement"] if each["Effect"] == "Allow"])


def without_assuming_denied(account: Account) -> str:
    document = json.loads(upload_policy(role_arn=account.role_arn, bucket=account.bucket))
    return as_document([s for s in document["Statement"] if s["Action"] != "sts:AssumeRole"])


def bounded(document: Callable[[Account], str]) -> Plant:
    return lambda account, row: account.put_boundary(document(account))


DENYING = more(Effect="Deny", Action="s3:Put*", Resource="*")
ROLE: dict[str, tuple[Plant, str]] = {
    "no role": (lambda account, row: remove_role(account), "role.missing"),
    "role, more actions": (attach_everything, "role-policies.differs"),
    "role, more resources": (allowing("s3:PutObject", "BUCKET/*"), "role-policies.differs"),
    "role, reading": (allowing("s3:GetObject", "BUCKET/*/builds/*"), "role-policies.differs"),
    "role, another bucket": (
        allowing("s3:PutObject", "arn:aws:s3:::elsewhere/*/builds/*"),
        "role-policies.differs",
    ),
    "role, lists all": (allowing("s3:ListBucket", "BUCKET"), "role-policies.differs"),
    "role, all but a resource": (
        more(Effect="Allow", Action="s3:GetObject", NotResource="arn:aws:s3:::x"),
        "role-policies.differs",
    ),
    "role, all but an action": (
        more(Effect="Allow", NotAction="iam:*", Resource="*"),
        "role-policies.differs",
    ),
    "role without a policy": (
        lambda account, row: account.iam.delete_role_policy(
            RoleName=account.role, PolicyName=account.role
        ),
        "role-policies.differs",
    ),
    "role without denials": (
        lambda account, row: account.put_role_policy(allowing_only(account)),
        "role-policies.differs",
    ),
    "role may assume": (
        lambda account, row: account.put_role_policy(without_assuming_denied(account)),
        "role-policies.differs",
    ),
    "role, uploads denied": (DENYING, "role-policies.differs"),
    "uploads denied": (DENYING, "writing.refused"),
    "no boundary": (
        lambda account, row: account.iam.delete_role_permissions_boundary(RoleName=account.role),
        "boundary.missing",
    ),
    "boundary, everything": (bounded(lambda _: allow("*", "*")), "boundary.differs"),
    "boundary, reading": (
        bounded(
            lambda account: boundary_policy(
                role_arn=account.role_arn, bucket=account.bucket, with_sync=True
            )
        ),
        "boundary.differs",
    ),
    "boundary without denials": (bounded(allowing_only), "boundary.differs"),
    "boundary, may assume": (bounded(without_assuming_denied), "boundary.differs"),
    "boundary, too little": (
        bounded(lambda account: allow("s3:PutObject", f"arn:aws:s3:::{account.bucket}/*")),
        "boundary.differs",
    ),
    "shorter sessions": (
        lambda account, row: change(row, role_max_seconds=7200),
        "lifetimes.role-shorter",
    ),
    "a product's longer sessions": (
        lambda account, row: Product.objects.create(
            slug="long", store=row, surrogate_key="a" * 32, session_seconds=7200
        ),
        "lifetimes.product-capped",
    ),
}


def remove_role(account: Account) -> None:
    account.iam.delete_role_policy(RoleName=account.role, PolicyName=account.role)
    account.iam.delete_role(RoleName=account.role)


def permitting(action: str, resource: str) -> Plant:
    """The vendor is allowed something of its own."""
    return lambda account, row: account.put_vendor_policy(allow(action, resource))


VENDOR: dict[str, tuple[Plant, str]] = {
    "vendor writes": (permitting("s3:PutObject", "arn:aws:s3:::*"), "vendor-s3.allowed"),
    "vendor looks": (permitting("iam:ListRoles", "*"), "vendor-iam.allowed"),
    "vendor changes the role": (permitting("iam:DeleteRolePolicy", "*"), "vendor-iam.allowed"),
    "vendor changes users": (permitting("iam:DeleteUserPolicy", "*"), "vendor-iam.allowed"),
    "vendor, another action": (permitting("s3:DeleteBucket", "*"), "vendor-policies.more"),
    "vendor, another role": (permitting("sts:AssumeRole", "*"), "vendor-policies.more"),
}


def revoker_may(action: str, resource: str) -> Plant:
    return lambda account, row: account.put_revoker_policy(allow(action, resource))


def revoker_holds(document: Callable[[Account], str]) -> Plant:
    """This document alone."""
    return lambda account, row: account.put_revoker_policy(document(account), name="revoker")


REVOKER: dict[str, tuple[Plant, str]] = {
    "revoker writes": (revoker_may("s3:PutObject", "arn:aws:s3:::*"), "revoker.allowed"),
    "revoker looks": (revoker_may("iam:ListRoles", "*"), "revoker.allowed"),
    "revoker removes policies": (revoker_may("iam:DeleteRolePolicy", "*"), "revoker.allowed"),
    "revoker, another action": (revoker_may("iam:CreateUser", "*"), "revoker-policies.differs"),
    "revoker, another role": (revoker_may("iam:GetRolePolicy", "*"), "revoker-policies.differs"),
    "revoker without the boundary's condition": (
        revoker_holds(lambda account: unbounded_revoker_policy(role_arn=account.role_arn)),
        "revoker-policies.differs",
    ),
    "revoker that may only read": (
        revoker_holds(lambda account: allow("iam:GetRolePolicy", account.role_arn)),
        "revoker-policies.differs",
    ),
    "revoker that may not read": (
        revoker_holds(lambda account: allow("iam:PutRolePolicy", account.role_arn)),
        "revoker.refused",
    ),
    "revoker, revoking denied": (
        lambda account, row: account.put_revoker_policy(
            as_document({"Effect": "Deny", "Action": "iam:PutRolePolicy", "Resource": "*"})
        ),
        "revoker-policies.differs",
    ),
}


def opened_to(principal: str, action: str) -> Plant:
    """The bucket's policy gives a right away. `ROLE` stands for the upload role's name."""

    def plant(account: Account, row: Store) -> None:
        named = "*" if principal == "*" else {"AWS": principal.replace("ROLE", account.role)}
        statement = {"Effect": "Allow", "Principal": named, "Action": action}
        account.put_bucket_policy(statement | {"Resource": f"arn:aws:s3:::{account.bucket}/*"})

    return plant


def encrypt_with_another_key(account: Account, row: Store) -> None:
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234"
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    account.s3.put_bucket_encryption(
        Bucket=account.bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )


def move_bucket(account: Account, row: Store) -> None:
    account.s3.delete_bucket(Bucket=account.bucket)
    place: Any = {"LocationConstraint": "eu-west-1"}
    account.s3.create_bucket(Bucket=account.bucket, CreateBucketConfiguration=place)


BUCKET: dict[str, tuple[Plant, str]] = {
    "anybody writes": (opened_to("*", "s3:putobject*"), "bucket-policy.public-write"),
    "a session is named": (
        opened_to(f"arn:aws:sts::{ACCOUNT}:assumed-role/ROLE/somebody", "s3:GetObject"),
        "bucket-policy.names-session",
    ),
    "the role is named": (
        opened_to(f"arn:aws:iam::{ACCOUNT}:role/ROLE", "s3:GetObject"),
        "bucket-policy.names-role",
    ),
    "public access": (
        lambda account, row: block_public_access(
            account.s3, account.bucket, RestrictPublicBuckets=False
        ),
        "public-access.off",
    ),
    "ACLs": (
        lambda account, row: account.s3.put_bucket_ownership_controls(
            Bucket=account.bucket,
            OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        ),
        "acls.on",
    ),
    "unfinished uploads": (
        lambda account, row: account.s3.put_bucket_lifecycle_configuration(
            Bucket=account.bucket,
            LifecycleConfiguration={"Rules": [UNFINISHED | {"Status": "Disabled"}]},
        ),
        "unfinished-uploads.kept",
    ),
    "another key": (encrypt_with_another_key, "encryption.other-key"),
    "another region": (move_bucket, "bucket.other-region"),
    "no bucket": (
        lambda account, row: account.s3.delete_bucket(Bucket=account.bucket),
        "bucket.missing",
    ),
}


def change(row: Store, **fields: Any) -> None:
    Store.objects.filter(pk=row.pk).update(**fields)


PLANTED = TRUST | ROLE | VENDOR | REVOKER | BUCKET
WARNINGS = {
    "role, uploads denied",
    "revoker, revoking denied",
    "a product's longer sessions",
    "the role is named",
    "unfinished uploads",
    "another region",
}


# What no run of `bootstrap_store` can mend: somebody has to decide, or to take something away.
BY_HAND = {
    *("an unknown external id", "a product's longer sessions", "another key", "another region"),
    *(each for each in ROLE if each.startswith("role, ")),
    *("uploads denied", "anybody writes", "a session is named", "the role is named"),
    *VENDOR,
    *REVOKER,
}


def mend(account: Account, row: Store, findings: list[Finding]) -> None:
    """As somebody would who runs the command of the findings."""
    command = f"manage.py bootstrap_store --store {row.name} --prefix {account.name} --apply"
    assert any(finding.change.endswith(command) for finding in findings)
    row.refresh_from_db()
    clients = StoreClients(store=row, session=account.administrator_session())
    wanted = wanted_account(row, prefix=account.name)
    bootstrap_store(clients=clients, account=wanted, vendor_key=None, apply=True)


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_fault_is_found_and_its_command_mends_it(
    fault: str, account: Account, row: Store, examine: Examine
) -> None:
    plant, rule = PLANTED[fault]
    plant(account, row)
    findings = findings_of(examine())
    found = {finding.rule: finding for finding in findings}
    severity = Severity.WARNING if fault in WARNINGS else Severity.ERROR
    assert found[rule].severity is severity
    assert all((found[rule].what, found[rule].why, found[rule].change))
    if fault not in BY_HAND:
        mend(account, row, findings)
        assert rules(examine()) == set()
