"""The upload role's limits and rights, as calls to IAM."""

import json
from collections.abc import Callable

import pytest

from credentials.stores.operator import Operator
from credentials.stores.outcomes import Status
from credentials.stores.plan import Plan
from credentials.stores.role import (
    boundary_policy_setting,
    boundary_setting,
    duration_setting,
    upload_policy_setting,
)
from credentials.stores.setting import Setting, settle

SETTINGS: list[Callable[..., Setting]] = [
    boundary_policy_setting,
    boundary_setting,
    upload_policy_setting,
    duration_setting,
]


@pytest.fixture
def role(operator: Operator, plan: Plan) -> Operator:
    """An operator whose role exists, with nothing to it."""
    operator.iam.create_role(
        RoleName=plan.role_name,
        AssumeRolePolicyDocument=plan.trust(refuse_sessions=False),
        MaxSessionDuration=7200,
    )
    return operator


def settle_all(operator: Operator, plan: Plan) -> list[Status]:
    return [settle(make(operator.iam, plan), apply=True).status for make in SETTINGS]


def test_role_is_given_boundary_rights_and_duration(role: Operator, plan: Plan) -> None:
    assert settle_all(role, plan) == [Status.MADE, Status.MADE, Status.MADE, Status.CHANGED]
    found = role.iam.get_role(RoleName=plan.role_name)["Role"]
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == plan.boundary_arn
    assert found["MaxSessionDuration"] == 3600


def test_second_run_changes_nothing(role: Operator, plan: Plan) -> None:
    settle_all(role, plan)
    assert settle_all(role, plan) == [Status.UNCHANGED] * 4


@pytest.mark.parametrize("times", [1, 7])
def test_changed_boundary_is_put_right_however_often(
    times: int, role: Operator, plan: Plan
) -> None:
    """AWS keeps five versions of a policy at most."""
    settle_all(role, plan)
    for _ in range(times):
        for version in role.iam.list_policy_versions(PolicyArn=plan.boundary_arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                role.iam.delete_policy_version(
                    PolicyArn=plan.boundary_arn, VersionId=version["VersionId"]
                )
        role.iam.create_policy_version(
            PolicyArn=plan.boundary_arn,
            PolicyDocument=plan.documents["auditor"],
            SetAsDefault=True,
        )
        assert settle(boundary_policy_setting(role.iam, plan), apply=True).status is Status.CHANGED
    version = role.iam.get_policy(PolicyArn=plan.boundary_arn)["Policy"]["DefaultVersionId"]
    found = role.iam.get_policy_version(PolicyArn=plan.boundary_arn, VersionId=version)
    assert found["PolicyVersion"]["Document"] == json.loads(plan.documents["boundary"])
