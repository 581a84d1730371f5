"""Accounts of the embedded store as an operator sets them up, each with names of its own."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

import boto3

from builds.models import Store
from credentials.rules.account_documents import (
    boundary_policy,
    revoker_policy,
    trust_policy,
    upload_policy,
    vendor_policy,
)
from demo.store import ACCOUNT, REGION, EmbeddedStore
from tests.credentials.operations.account.doctor.auditor_rights import auditor_policy

ALL_BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
UNFINISHED: Any = {
    "ID": "unfinished",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


@dataclass(frozen=True, kw_only=True)
class Account:
    """What lies in the store under one name; `s3` and `iam` are its administrator's."""

    embedded: EmbeddedStore
    name: str
    s3: Any
    iam: Any
    vendor_key: dict[str, str]
    auditor_key: dict[str, str]
    revoker_key: dict[str, str]

    @property
    def bucket(self) -> str:
        return f"{self.name}-docs"

    @property
    def role(self) -> str:
        return f"{self.name}-upload"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{self.role}"

    @property
    def boundary_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:policy/{self.role}-boundary"

    @property
    def vendor(self) -> str:
        return f"{self.name}-vendor"

    @property
    def auditor(self) -> str:
        return f"{self.name}-auditor"

    @property
    def revoker(self) -> str:
        return f"{self.name}-revoker"

    @property
    def vendor_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:user/{self.vendor}"

    def auditor_session(self) -> boto3.session.Session:
        return boto3.session.Session(**self.auditor_key)

    def revoker_session(self) -> boto3.session.Session:
        return boto3.session.Session(**self.revoker_key)

    def administrator_session(self) -> boto3.session.Session:
        """Of a user who may do everything, as an operator is."""
        user = f"{self.name}-administrator"
        self.iam.create_user(UserName=user)
        self.iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=allow("*", "*"))
        return boto3.session.Session(**_key(self.iam, user))

    def assume(self, role_arn: str) -> dict[str, str]:
        """A session's key, as the vendor gets it."""
        sts = self.embedded.client(
            "sts",
            access_key_id=self.vendor_key["aws_access_key_id"],
            secret_access_key=self.vendor_key["aws_secret_access_key"],
        )
        made = sts.assume_role(RoleArn=role_arn, RoleSessionName="web")["Credentials"]
        return {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }

    def row(self, **fields: Any) -> Store:
        """The store as this service knows it, saved."""
        known: dict[str, Any] = {
            "name": self.name,
            "bucket": self.bucket,
            "region": REGION,
            "endpoint_url": self.embedded.endpoint_url,
            "role_arn": self.role_arn,
            "addressing": Store.Addressing.PATH,
        }
        return Store.objects.create(**(known | fields))

    def put_trust(self, statement: Any) -> None:
        """Replace the role's trust policy by one statement's rest, or by several."""
        self.iam.update_assume_role_policy(
            RoleName=self.role, PolicyDocument=as_document(statement)
        )

    def put_role_policy(self, document: str, name: str = "") -> None:
        self.iam.put_role_policy(
            RoleName=self.role, PolicyName=name or self.role, PolicyDocument=document
        )

    def put_vendor_policy(self, document: str, name: str = "more") -> None:
        self.iam.put_user_policy(UserName=self.vendor, PolicyName=name, PolicyDocument=document)

    def put_revoker_policy(self, document: str, name: str = "more") -> None:
        self.iam.put_user_policy(UserName=self.revoker, PolicyName=name, PolicyDocument=document)

    def put_auditor_policy(self, document: str) -> None:
        self.iam.put_user_policy(
            UserName=self.auditor, PolicyName=self.auditor, PolicyDocument=document
        )

    def put_boundary(self, document: str) -> None:
        self.iam.create_policy_version(
            PolicyArn=self.boundary_arn, PolicyDocument=document, SetAsDefault=True
        )

    def put_bucket_policy(self, statement: dict[str, Any]) -> None:
        """Also one that the public access block would refuse: it is lifted for that moment."""
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=as_document(statement))
        block_public_access(self.s3, self.bucket)


def healthy_account(embedded: EmbeddedStore) -> Account:
    """A bucket and identities, everything as it must be."""
    name = f"ltd-{secrets.token_hex(4)}"
    s3, iam = embedded.admin_client("s3"), embedded.admin_client("iam")
    for user in ("vendor", "auditor", "revoker"):
        iam.create_user(UserName=f"{name}-{user}")
    account = Account(
        embedded=embedded,
        name=name,
        s3=s3,
        iam=iam,
        vendor_key=_key(iam, f"{name}-vendor"),
        auditor_key=_key(iam, f"{name}-auditor"),
        revoker_key=_key(iam, f"{name}-revoker"),
    )
    _set_up_bucket(account)
    _set_up_role(account)
    account.put_vendor_policy(vendor_policy(role_arns=[account.role_arn]), name="vendor")
    account.put_revoker_policy(
        revoker_policy(role_arn=account.role_arn, boundary_arn=account.boundary_arn), name="revoker"
    )
    account.put_auditor_policy(auditor_policy(account.role_arn, account.bucket, account.vendor_arn))
    return account


def as_document(statement: Any) -> str:
    """One statement, or a list of them, as the text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def allow(action: Any, resource: Any, **rest: Any) -> str:
    """The text of a policy with one Allow."""
    return as_document({"Effect": "Allow", "Action": action, "Resource": resource, **rest})


def block_public_access(s3: Any, bucket: str, **changes: bool) -> None:
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=ALL_BLOCKED | changes)


def _set_up_bucket(account: Account) -> None:
    s3, bucket = account.s3, account.bucket
    s3.create_bucket(Bucket=bucket)
    block_public_access(s3, bucket)
    rules: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [UNFINISHED]}
    )


def _set_up_role(account: Account) -> None:
    iam, scope = account.iam, {"role_arn": account.role_arn, "bucket": account.bucket}
    name = account.boundary_arn.rpartition("/")[2]
    iam.create_policy(PolicyName=name, PolicyDocument=boundary_policy(**scope))
    iam.create_role(
        RoleName=account.role,
        AssumeRolePolicyDocument=trust_policy(vendor_arn=account.vendor_arn),
        PermissionsBoundary=account.boundary_arn,
    )
    account.put_role_policy(upload_policy(**scope))


def _key(iam: Any, user: str) -> dict[str, str]:
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
    }
