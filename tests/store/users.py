"""Users that were set up on the store: their keys, made by its own tools where IAM makes none."""

import json
from pathlib import Path

from credentials.vending.store_clients import AccessKey
from tests.store.differences import Expectations
from tests.store.stage import Account


def user_key(account: Account, kind: str, expect: Expectations) -> AccessKey:
    """The key of a user that was set up, by the store's own tools where its IAM makes none."""
    if kind in account.report.keys:
        return account.report.keys[kind]
    assert account.store.make_user, f"{account.store.kind} makes no users that this suite knows of"
    user = account.store.make_user(account.plan.user_name(kind))
    document = without(account.plan.documents[kind], expect.of("unknown actions", set()))
    account.iam.put_user_policy(UserName=user.name, PolicyName=kind, PolicyDocument=document)
    return user.key


def auditor_environment(key: AccessKey, folder: Path) -> dict[str, str]:
    """The variables that name a profile with the auditor's key, for commands."""
    file = folder / "auditor-credentials"
    file.write_text(
        f"[auditor]\naws_access_key_id = {key.access_key_id}\n"
        f"aws_secret_access_key = {key.secret_access_key.reveal()}\n"
    )
    return {"AWS_SHARED_CREDENTIALS_FILE": str(file), "LTD_AUDITOR_PROFILE": "auditor"}


def without(document: str, actions: set[str]) -> str:
    """A policy less the actions for which a store would refuse the whole of it."""
    policy = json.loads(document)
    for statement in policy["Statement"]:
        statement["Action"] = [a for a in statement["Action"] if a not in actions]
    policy["Statement"] = [s for s in policy["Statement"] if s["Action"]]
    return json.dumps(policy, separators=(",", ":"))
