"""Users of the store and their keys."""

from pathlib import Path

from credentials.operations.account.assuming import new_key
from credentials.vending.store_clients import AccessKey
from tests.store.stage import Account
from tests.store.under_test import User


def user_key(account: Account, kind: str) -> AccessKey:
    """The key of a user that was set up; it is made here where `bootstrap_store` makes none."""
    if kind in account.report.keys:
        return account.report.keys[kind]
    user = new_user(account, account.plan.user_name(kind))
    account.iam.put_user_policy(
        UserName=user.name,
        PolicyName=account.plan.role_name,
        PolicyDocument=account.plan.documents[kind],
    )
    return user.key


def new_user(account: Account, name: str) -> User:
    """Somebody without rights, made by the store's own tools where its IAM makes nobody."""
    if account.store.make_user:
        return account.store.make_user(name)
    account.iam.create_user(UserName=name)
    return User(name=name, key=new_key(account.operator, name))


def auditor_environment(key: AccessKey, folder: Path) -> dict[str, str]:
    """The variables that name a profile with the auditor's key, for commands."""
    file = folder / "auditor-credentials"
    file.write_text(
        f"[auditor]\naws_access_key_id = {key.access_key_id}\n"
        f"aws_secret_access_key = {key.secret_access_key.reveal()}\n"
    )
    return {"AWS_SHARED_CREDENTIALS_FILE": str(file), "LTD_AUDITOR_PROFILE": "auditor"}
