"""IAM and STS with a session: it cannot widen itself, and cannot shed its policy."""

from collections.abc import Callable
from typing import Any

import pytest

from credentials.vending.store_clients import AccessKey
from tests.store.answers import answers_to
from tests.store.differences import Expectations
from tests.store.documents import ANYBODY, EVERYTHING
from tests.store.stage import Account
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import RegisteredBuild, Uploader

AccountCall = Callable[[Any, str], Any]
IAM_CALLS: dict[str, AccountCall] = {
    "get role": lambda iam, role: iam.get_role(RoleName=role),
    "list roles": lambda iam, role: iam.list_roles(),
    "get role policy": lambda iam, role: iam.get_role_policy(RoleName=role, PolicyName=role),
    "put role policy": lambda iam, role: iam.put_role_policy(
        RoleName=role, PolicyName="more", PolicyDocument=EVERYTHING
    ),
    "delete role policy": lambda iam, role: iam.delete_role_policy(RoleName=role, PolicyName=role),
    "update trust policy": lambda iam, role: iam.update_assume_role_policy(
        RoleName=role, PolicyDocument=ANYBODY
    ),
    "create role": lambda iam, role: iam.create_role(
        RoleName=f"{role}-more", AssumeRolePolicyDocument=ANYBODY
    ),
    "delete role": lambda iam, role: iam.delete_role(RoleName=role),
    "delete boundary": lambda iam, role: iam.delete_role_permissions_boundary(RoleName=role),
    "attach role policy": lambda iam, role: iam.attach_role_policy(
        RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "create user": lambda iam, role: iam.create_user(UserName=f"{role}-user"),
    "create access key": lambda iam, role: iam.create_access_key(UserName="administrator"),
    "put user policy": lambda iam, role: iam.put_user_policy(
        UserName="vendor", PolicyName="more", PolicyDocument=EVERYTHING
    ),
    "list users": lambda iam, role: iam.list_users(),
}
STS_CALLS: dict[str, AccountCall] = {
    "assume again": lambda sts, arn: sts.assume_role(RoleArn=arn, RoleSessionName="again"),
    "assume again, with a policy": lambda sts, arn: sts.assume_role(
        RoleArn=arn, RoleSessionName="again", Policy=EVERYTHING
    ),
    "get session token": lambda sts, arn: sts.get_session_token(),
    "get federation token": lambda sts, arn: sts.get_federation_token(
        Name="again", Policy=EVERYTHING
    ),
}


@pytest.fixture(scope="module")
def session_key(uploader: Uploader, build: RegisteredBuild) -> AccessKey:
    return uploader.session(build)


def documents_of(account: Account) -> tuple[Any, Any]:
    """The role's trust policy and inline policies, as the operator sees them."""
    iam, role = account.iam, account.plan.role_name
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert names == [role]
    policy = iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
    return iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"], policy


def test_every_call_of_iam_is_refused(
    session_key: AccessKey, store: StoreUnderTest, account: Account, expect: Expectations
) -> None:
    iam, role = store.client("iam", session_key), account.plan.role_name
    before = documents_of(account)
    assert answers_to(IAM_CALLS, iam, role) == expect.refusals(IAM_CALLS, where="IAM")
    assert documents_of(account) == before


def test_no_other_session_is_had_from_a_session(
    session_key: AccessKey, store: StoreUnderTest, account: Account, expect: Expectations
) -> None:
    sts, arn = store.client("sts", session_key), account.row.role_arn
    assert answers_to(STS_CALLS, sts, arn) == expect.refusals(STS_CALLS, where="STS")
