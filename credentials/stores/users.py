"""Users of the store's account: one inline policy each, and a key that is shown once."""

import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from credentials.rules.secret import Secret
from credentials.stores.operator import AccessKey
from credentials.stores.outcomes import Outcome, Status
from credentials.stores.plan import Plan
from credentials.stores.setting import NOT_FOUND, Setting, settle, told
from credentials.vending.store_errors import http_status

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ENDED = {Status.NOT_SUPPORTED, Status.FAILED}


def settle_user(
    iam: "IAMClient", plan: Plan, kind: str, *, why: str, apply: bool
) -> tuple[list[Outcome], AccessKey | None]:
    """A user, its policy and its key; the key only where it was made now."""
    name = plan.user_name(kind)
    user = settle(_existence(iam, plan, kind, why), apply=apply)
    if user.status in ENDED:
        return [user], None
    policy = settle(_policy(iam, plan, kind, why), apply=apply)
    outcome, key = _settle_key(iam, name, apply=apply)
    return [user, policy, outcome], key


def _existence(iam: "IAMClient", plan: Plan, kind: str, why: str) -> Setting:
    name = plan.user_name(kind)
    return Setting(
        what=f"user {name}",
        why=why,
        wanted=plan.user_arn(kind),
        look=lambda: iam.get_user(UserName=name)["User"]["Arn"],
        put=lambda: iam.create_user(UserName=name),
        unsupported=f"Make the {kind} with the store's own tools, with the document named {kind}.",
    )


def _policy(iam: "IAMClient", plan: Plan, kind: str, why: str) -> Setting:
    # Named by the role, so that the users serve several roles of one account.
    user, name, document = plan.user_name(kind), plan.role_name, plan.documents[kind]
    return Setting(
        what=f"policy of {user} for {plan.role_name}",
        why=why,
        wanted=json.loads(document),
        look=lambda: iam.get_user_policy(UserName=user, PolicyName=name)["PolicyDocument"],
        put=lambda: iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=document),
    )


def _settle_key(iam: "IAMClient", user: str, *, apply: bool) -> tuple[Outcome, AccessKey | None]:
    """A user with a key keeps it: its secret cannot be read back, and it may be in use."""

    def outcome(status: Status, detail: str = "") -> Outcome:
        why = "What its holder signs requests with. The secret is shown once."
        return Outcome(what=f"access key of {user}", why=why, status=status, detail=detail)

    try:
        if _has_key(iam, user):
            return outcome(Status.UNCHANGED), None
        if not apply:
            return outcome(Status.WOULD_MAKE), None
        return outcome(Status.MADE), new_key(iam, user)
    except (ClientError, BotoCoreError) as err:
        return outcome(Status.FAILED, told(err)), None


def new_key(iam: "IAMClient", user: str) -> AccessKey:
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(
        access_key_id=made["AccessKeyId"], secret_access_key=Secret(made["SecretAccessKey"])
    )


def _has_key(iam: "IAMClient", user: str) -> bool:
    try:
        return bool(iam.list_access_keys(UserName=user)["AccessKeyMetadata"])
    except ClientError as err:
        if http_status(err) == NOT_FOUND:
            return False
        raise
