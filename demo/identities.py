"""Sets the embedded store's account up: by `bootstrap_store`, as an operator would."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from credentials.rules.secret import Secret
from credentials.stores.bootstrap import bootstrap_store
from credentials.stores.operator import AccessKey, Operator
from credentials.stores.outcomes import Status
from credentials.stores.plan import Plan
from demo.errors import DemoError
from demo.store import ACCOUNT, REGION, EmbeddedStore

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

BUCKET = "demo-docs"
OTHER_BUCKET = "demo-elsewhere"
OTHER_OBJECT = "notes/minutes.txt"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ltdkeeper-upload"
READER = "demo-reader"
ADMINISTRATOR = "administrator"


@dataclass(frozen=True, kw_only=True)
class Identities:
    """What the service and the demo need of the account."""

    vendor: AccessKey
    reader: AccessKey


def apply_identities(*, store: EmbeddedStore) -> Identities:
    """Make the demo's buckets, users and upload role in a fresh store. Raises DemoError."""
    s3: S3Client = store.admin_client("s3")
    iam: IAMClient = store.admin_client("iam")
    s3.create_bucket(Bucket=OTHER_BUCKET)
    s3.put_object(Bucket=OTHER_BUCKET, Key=OTHER_OBJECT, Body=b"Nobody's documentation.\n")
    vendor = _bootstrap(store, new_user(iam, ADMINISTRATOR, policy=everything_policy()))
    reader = new_user(iam, READER, policy=reader_policy(bucket=BUCKET))
    return Identities(vendor=vendor, reader=reader)


def new_user(iam: "IAMClient", name: str, *, policy: str) -> AccessKey:
    """The key of a user that is made now, with one inline policy."""
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return AccessKey(
        access_key_id=made["AccessKeyId"], secret_access_key=Secret(made["SecretAccessKey"])
    )


def everything_policy() -> str:
    """Who sets an account up may do everything in it."""
    return _document([{"Effect": "Allow", "Action": ["s3:*", "iam:*", "sts:*"], "Resource": "*"}])


def reader_policy(*, bucket: str) -> str:
    """A key for looking at what arrived: read and list one bucket."""
    bucket_arn = f"arn:aws:s3:::{bucket}"
    allowed = {
        "s3:GetObject": f"{bucket_arn}/*",
        "s3:ListBucket": bucket_arn,
        "s3:GetBucketLocation": bucket_arn,
    }
    return _document([{"Effect": "Allow", "Action": a, "Resource": r} for a, r in allowed.items()])


def _bootstrap(store: EmbeddedStore, administrator: AccessKey) -> AccessKey:
    """Set the account up; the vendor's key."""
    session = boto3.session.Session(
        aws_access_key_id=administrator.access_key_id,
        aws_secret_access_key=administrator.secret_access_key.reveal(),
    )
    report = bootstrap_store(
        operator=Operator(
            store_name=BUCKET,
            endpoint_url=store.endpoint_url,
            region=REGION,
            addressing="path",
            session=session,
        ),
        plan=Plan(
            bucket=BUCKET,
            region=REGION,
            role_arn=ROLE_ARN,
            role_max_seconds=3600,
            with_sync=True,
            is_aws=False,
        ),
        vendor_key=None,
        apply=True,
    )
    failed = [f"{o.what}: {o.detail}" for o in report.outcomes if o.status is Status.FAILED]
    if failed:
        raise DemoError(f"The store could not be set up. {' '.join(failed)}")
    return report.keys["vendor"]


def _document(statements: list[dict[str, object]]) -> str:
    # Compact: Ceph's gateway, which the tests start as well, reads no other.
    document = {"Version": "2012-10-17", "Statement": statements}
    return json.dumps(document, separators=(",", ":"))
