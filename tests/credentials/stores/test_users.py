"""Users, their one policy, and the key that is shown once."""

import json
from collections.abc import Callable
from typing import NoReturn

import pytest
from botocore.exceptions import ClientError

from credentials.stores.operator import Operator
from credentials.stores.outcomes import Status
from credentials.stores.plan import Plan
from credentials.stores.users import settle_user
from tests.credentials.stores.refusals import refusal


def settled(operator: Operator, plan: Plan, *, apply: bool = True) -> tuple[list[Status], bool]:
    outcomes, key = settle_user(operator.iam, plan, "auditor", why="so", apply=apply)
    return [outcome.status for outcome in outcomes], key is not None


def test_user_is_made_with_policy_and_key(operator: Operator, plan: Plan) -> None:
    assert settled(operator, plan) == ([Status.MADE] * 3, True)
    name = plan.user_name("auditor")
    policy = operator.iam.get_user_policy(UserName=name, PolicyName=plan.role_name)
    assert policy["PolicyDocument"] == json.loads(plan.documents["auditor"])


def test_second_run_makes_no_second_key(operator: Operator, plan: Plan) -> None:
    settled(operator, plan)
    assert settled(operator, plan) == ([Status.UNCHANGED] * 3, False)
    keys = operator.iam.list_access_keys(UserName=plan.user_name("auditor"))
    assert len(keys["AccessKeyMetadata"]) == 1


def test_looking_makes_nothing(operator: Operator, plan: Plan) -> None:
    assert settled(operator, plan, apply=False) == ([Status.WOULD_MAKE] * 3, False)
    assert operator.iam.list_users()["Users"] == []


def test_widened_policy_is_put_right(operator: Operator, plan: Plan) -> None:
    settled(operator, plan)
    operator.iam.put_user_policy(
        UserName=plan.user_name("auditor"),
        PolicyName=plan.role_name,
        PolicyDocument=plan.documents["upload"],
    )
    assert settled(operator, plan)[0] == [Status.UNCHANGED, Status.CHANGED, Status.UNCHANGED]


def failing(error: ClientError) -> Callable[..., NoReturn]:
    def call(**_request: object) -> NoReturn:
        raise error

    return call


def test_store_that_makes_no_users_is_asked_once(
    operator: Operator, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator.iam, "get_user", failing(refusal(405, "MethodNotAllowed")))
    assert settled(operator, plan) == ([Status.NOT_SUPPORTED], False)


@pytest.mark.parametrize("call", ["list_access_keys", "create_access_key"])
def test_refused_key_is_a_failed_step(
    call: str, operator: Operator, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator.iam, call, failing(refusal(403)))
    assert settled(operator, plan) == ([Status.MADE, Status.MADE, Status.FAILED], False)
