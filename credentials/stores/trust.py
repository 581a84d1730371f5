"""The upload role and who may assume it: the vendor, and no session."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from credentials.stores.assuming import Again, Trial, try_assuming_again
from credentials.stores.operator import AccessKey, Operator
from credentials.stores.outcomes import Outcome, Status
from credentials.stores.plan import Plan
from credentials.stores.setting import Setting, holds, settle
from credentials.stores.users import new_key

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

SHEDS_ITS_POLICY = (
    "This store lets a session assume the role again, without its policy; the trust policy now "
    "refuses callers that are sessions."
)
UNTRIED = "Give --vendor-profile, so that it can be tried."


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What became of the role and its trust policy, and whether that refuses sessions."""

    outcomes: list[Outcome]
    refuses_sessions: bool


def settle_trust(
    operator: Operator, plan: Plan, *, vendor_key: AccessKey | None, apply: bool
) -> Trust:
    """Make the role trust exactly the vendor; refuse sessions where trying shows the need.

    A trust policy that refuses sessions already stays: an earlier run found it necessary.
    """
    iam = operator.iam
    role = settle(_existence(iam, plan), apply=apply)
    if role.status in {Status.FAILED, Status.NOT_SUPPORTED}:
        return Trust(outcomes=[role], refuses_sessions=False)
    is_strict = plan.may_refuse_sessions and holds(_trust(iam, plan, refuse_sessions=True))
    trust = settle(_trust(iam, plan, refuse_sessions=is_strict), apply=apply)
    again = _again(Status.NOT_TRIED, "It is tried with --apply.")
    if apply:
        with _some_key(operator, plan, vendor_key) as key:
            again, is_strict = _settle_again(operator, plan, key, is_strict=is_strict)
    return Trust(outcomes=[role, trust, again], refuses_sessions=is_strict)


def _settle_again(
    operator: Operator, plan: Plan, key: AccessKey | None, *, is_strict: bool
) -> tuple[Outcome, bool]:
    """The outcome, and whether the trust policy refuses sessions now."""
    trial = _try(operator, plan, key)
    if trial.again is Again.ACCEPTED and plan.may_refuse_sessions and not is_strict:
        settle(_trust(operator.iam, plan, refuse_sessions=True), apply=True)
        after = _try(operator, plan, key)
        if after.again is Again.REFUSED:
            return _again(Status.CHANGED, SHEDS_ITS_POLICY), True
        return _again(Status.FAILED, f"Refusing sessions did not help. {after.detail}"), True
    if trial.again is Again.REFUSED:
        return _again(Status.CONFIRMED), is_strict
    if trial.again is Again.ACCEPTED:
        return _again(Status.FAILED, "A session has the whole role for the asking."), is_strict
    if key is None and (plan.is_aws or is_strict):
        return _again(Status.NOT_TRIED, UNTRIED), is_strict
    return _again(Status.FAILED, trial.detail), is_strict


def _try(operator: Operator, plan: Plan, key: AccessKey | None) -> Trial:
    if key is None:
        return Trial(again=Again.UNKNOWN, detail=UNTRIED)
    return try_assuming_again(operator, plan, key)


@contextmanager
def _some_key(
    operator: Operator, plan: Plan, vendor_key: AccessKey | None
) -> Iterator[AccessKey | None]:
    """The vendor's key, or one that is made for the trial and removed after it.

    On AWS none is made: how it decides is documented, and new keys take long to be known.
    """
    if vendor_key or plan.is_aws or not plan.makes_vendor:
        yield vendor_key
        return
    user = plan.user_name("vendor")
    try:
        key = new_key(operator.iam, user)
    except (ClientError, BotoCoreError):  # it has all the keys that it may have
        yield None
        return
    try:
        yield key
    finally:
        operator.iam.delete_access_key(UserName=user, AccessKeyId=key.access_key_id)


def _existence(iam: "IAMClient", plan: Plan) -> Setting:
    return Setting(
        what=f"role {plan.role_name}",
        why="Every session is one of this role, narrowed to one build.",
        wanted=plan.role_arn,
        unsupported="Make it with the store's own tools, with the document named trust.",
        look=lambda: iam.get_role(RoleName=plan.role_name)["Role"]["Arn"],
        put=lambda: iam.create_role(
            RoleName=plan.role_name,
            Path=plan.role_path,
            MaxSessionDuration=plan.session_seconds,
            AssumeRolePolicyDocument=plan.trust(refuse_sessions=False),
        ),
    )


def _trust(iam: "IAMClient", plan: Plan, *, refuse_sessions: bool) -> Setting:
    document = plan.trust(refuse_sessions=refuse_sessions)
    return Setting(
        what=f"trust policy of {plan.role_name}",
        why=f"Only {plan.vendor} may assume the role.",
        wanted=json.loads(document),
        look=lambda: iam.get_role(RoleName=plan.role_name)["Role"]["AssumeRolePolicyDocument"],
        put=lambda: iam.update_assume_role_policy(RoleName=plan.role_name, PolicyDocument=document),
    )


def _again(status: Status, detail: str = "") -> Outcome:
    return Outcome(
        what="sessions cannot assume the role again",
        why="One that could would shed its policy and have the whole role.",
        status=status,
        detail=detail,
    )
