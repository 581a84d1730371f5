"""What an operator does so that a store takes presigned POSTs: find out, and name who signs."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from credentials.stores.operator import AccessKey
from tests.clients.scene import Scene
from tests.store.stage import DATABASE, Account

PROFILE = "posts"


def signer_settings(account: Account, folder: Path) -> dict[str, str]:
    """A profile of the service's own, with a key that may put objects of builds and no more.

    Empty for stores that take what a session signs.
    """
    if account.store.make_user is None:
        return {}
    user = account.store.make_user("poster")
    allow_posts(account, f"arn:aws:iam:::user/{user.name}")
    file = folder / "aws-credentials"
    file.write_text(profile_of(user.key))
    return {"AWS_SHARED_CREDENTIALS_FILE": str(file)}


def allow_posts(account: Account, arn: str) -> None:
    """As docs/clients.rst has it for Ceph.

    For POSTs it looks at the bucket's policy, not at the user's, and while public policies are
    blocked it takes no policy that allows anything.
    """
    admin, bucket = account.admin, account.bucket
    block = admin.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    open_block = block | {"BlockPublicPolicy": False}
    admin.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=open_block)
    policy = json.dumps(policy_for(bucket, arn), separators=(",", ":"))
    admin.put_bucket_policy(Bucket=bucket, Policy=policy)
    admin.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)


def policy_for(bucket: str, arn: str) -> dict[str, Any]:
    """The bucket's policy: one more identity, which may put objects of builds."""
    allowed = {
        "Effect": "Allow",
        "Principal": {"AWS": [arn]},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*/builds/*",
    }
    return {"Version": "2012-10-17", "Statement": [allowed]}


def profile_of(key: AccessKey) -> str:
    """A section of a shared credentials file."""
    return (
        f"[{PROFILE}]\n"
        f"aws_access_key_id = {key.access_key_id}\n"
        f"aws_secret_access_key = {key.secret_access_key.reveal()}\n"
    )


def take_posts(scene: Scene) -> None:
    """Say how the store takes presigned POSTs, and name the profile that signs where it must."""
    signs = scene.account.store.make_user is not None
    support, profile = ("broken", PROFILE) if signs else ("works", "")
    query = "UPDATE builds_store SET post_support = ?, post_signer_profile = ?"
    with closing(sqlite3.connect(scene.counter.folder / DATABASE)) as database, database:
        database.execute(query, [support, profile])
