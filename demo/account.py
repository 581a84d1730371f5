"""Users of the embedded store's account: who sets it up, and who looks at what arrived."""

import json

from demo.store import ACCOUNT, EmbeddedStore, Key

BUCKET = "demo-docs"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ltdkeeper-upload"
READER = "demo-reader"
ADMINISTRATOR = "administrator"


def new_user(store: EmbeddedStore, name: str, *, policy: str) -> Key:
    """The key of a user that is made now, with one inline policy."""
    iam = store.admin_client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def administrator_policy() -> str:
    """Who sets an account up may do everything in it."""
    return _document({"s3:*": "*", "iam:*": "*", "sts:*": "*"})


def reader_policy(*, bucket: str) -> str:
    """A key for looking at what arrived: read and list one bucket."""
    arn = f"arn:aws:s3:::{bucket}"
    return _document(
        {"s3:GetObject": f"{arn}/*", "s3:ListBucket": arn, "s3:GetBucketLocation": arn}
    )


def _document(allowed: dict[str, str]) -> str:
    """A policy that allows each action on its resource."""
    statements = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in allowed.items()]
    document = {"Version": "2012-10-17", "Statement": statements}
    # Compact: Ceph's gateway, which the tests start as well, reads no other.
    return json.dumps(document, separators=(",", ":"))
