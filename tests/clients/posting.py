"""What an operator does so that a store takes presigned POSTs: name who signs, and find out."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.clients.scene import Scene
from tests.store.posting import PROFILE, profile_of, signer_key
from tests.store.stage import DATABASE, Account


def needs_signer(account: Account) -> bool:
    """Whether the store takes no POST that a session with a policy signed."""
    return account.store.kind == "ceph"


def signer_settings(account: Account, folder: Path) -> dict[str, str]:
    """A profile of the service's own, with a key that may put objects of builds and no more.

    Empty for stores that take what a session signs.
    """
    if not needs_signer(account):
        return {}
    file = folder / "aws-credentials"
    file.write_text(profile_of(signer_key(account, by_bucket=True)))
    return {"AWS_SHARED_CREDENTIALS_FILE": str(file)}


def take_posts(scene: Scene) -> None:
    """Name the profile where it is needed, as in the admin, and let `check_isolation` find out."""
    if needs_signer(scene.account):
        query = "UPDATE builds_store SET post_signer_profile = ?"
        with closing(sqlite3.connect(scene.counter.folder / DATABASE)) as database, database:
            database.execute(query, [PROFILE])
    scene.service.manage("check_isolation")
