"""Who may assume the role, and what is done where a session may assume it again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from credentials.rules.secret import Secret
from credentials.stores import trust as trust_module
from credentials.stores.assuming import Again, Trial
from credentials.stores.operator import AccessKey, Operator
from credentials.stores.outcomes import Status
from credentials.stores.plan import Plan
from credentials.stores.trust import Trust, settle_trust

KEY = AccessKey(access_key_id="AKIAVENDOR", secret_access_key=Secret("x"))
ROLE_VENDOR = "arn:aws:iam::123456789012:role/ecs-task"
Settle = Callable[..., Trust]


class Trials:
    """Answers in the place of a store; it goes by the trust policy in force, unless told not to."""

    def __init__(self) -> None:
        self.plain, self.strict = Again.REFUSED, Again.REFUSED
        self.keys: list[AccessKey] = []

    def __call__(self, operator: Operator, plan: Plan, key: AccessKey) -> Trial:
        self.keys.append(key)
        role = operator.iam.get_role(RoleName=plan.role_name)["Role"]
        is_strict = "TokenIssueTime" in str(role["AssumeRolePolicyDocument"])
        return Trial(again=self.strict if is_strict else self.plain, detail="so it says")


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Trials:
    trials = Trials()
    monkeypatch.setattr(trust_module, "try_assuming_again", trials)
    return trials


def again_of(
    operator: Operator, plan: Plan, key: AccessKey | None = KEY, *, apply: bool = True
) -> Any:
    trust = settle_trust(operator, plan, vendor_key=key, apply=apply)
    return trust.outcomes[-1].status, trust.refuses_sessions


@pytest.mark.parametrize("runs", [1, 2])
def test_store_that_refuses_needs_no_condition(
    runs: int, operator: Operator, plan: Plan, trials: Trials
) -> None:
    for _ in range(runs):
        assert again_of(operator, plan) == (Status.CONFIRMED, False)


def test_store_that_accepts_is_given_the_condition(
    operator: Operator, plan: Plan, trials: Trials
) -> None:
    trials.plain = Again.ACCEPTED
    assert again_of(operator, plan) == (Status.CHANGED, True)
    assert again_of(operator, plan) == (Status.CONFIRMED, True)


def test_condition_that_does_not_help_is_a_failure(
    operator: Operator, plan: Plan, trials: Trials
) -> None:
    trials.plain = trials.strict = Again.ACCEPTED
    assert again_of(operator, plan) == (Status.FAILED, True)
    assert again_of(operator, plan) == (Status.FAILED, True)


def test_vendor_under_a_role_is_never_locked_out(
    operator: Operator, make_plan: Callable[..., Plan], trials: Trials
) -> None:
    trials.plain = Again.ACCEPTED
    assert again_of(operator, make_plan(vendor_arn=ROLE_VENDOR)) == (Status.FAILED, False)


def test_vendor_that_cannot_assume_is_a_failure(
    operator: Operator, plan: Plan, trials: Trials
) -> None:
    trials.plain = Again.UNKNOWN
    assert again_of(operator, plan) == (Status.FAILED, False)


def test_without_a_key_aws_is_not_tried(
    operator: Operator, make_plan: Callable[..., Plan], trials: Trials
) -> None:
    plan = make_plan(vendor_arn=ROLE_VENDOR)
    assert again_of(operator, plan, None) == (Status.NOT_TRIED, False)
    assert trials.keys == []


def test_without_a_key_another_store_is_not_trusted(
    operator: Operator, make_plan: Callable[..., Plan], trials: Trials
) -> None:
    fields = {"endpoint_url": "http://x", "vendor_arn": "arn:aws:iam::1:user/vendor"}
    assert again_of(operator, make_plan(**fields), None) == (Status.FAILED, False)


def test_looking_tries_nothing(operator: Operator, plan: Plan, trials: Trials) -> None:
    assert again_of(operator, plan, apply=False) == (Status.NOT_TRIED, False)
    assert trials.keys == []


def test_key_made_for_the_trial_is_removed_after_it(
    operator: Operator, make_plan: Callable[..., Plan], trials: Trials
) -> None:
    plan = make_plan(endpoint_url="http://x")
    operator.iam.create_user(UserName="ltdkeeper-vendor")
    assert again_of(operator, plan, None) == (Status.CONFIRMED, False)
    assert len(trials.keys) == 1
    keys = operator.iam.list_access_keys(UserName="ltdkeeper-vendor")
    assert keys["AccessKeyMetadata"] == []


def test_vendor_with_all_its_keys_is_not_tried(
    operator: Operator, make_plan: Callable[..., Plan], trials: Trials
) -> None:
    operator.iam.create_user(UserName="ltdkeeper-vendor")
    for _ in range(2):
        operator.iam.create_access_key(UserName="ltdkeeper-vendor")
    assert again_of(operator, make_plan(endpoint_url="http://x"), None)[0] is Status.FAILED


def test_foreign_trust_policy_is_replaced(operator: Operator, plan: Plan, trials: Trials) -> None:
    settle_trust(operator, plan, vendor_key=KEY, apply=True)
    foreign = plan.trust(refuse_sessions=False).replace("-vendor", "-stranger")
    operator.iam.update_assume_role_policy(RoleName=plan.role_name, PolicyDocument=foreign)
    trust = settle_trust(operator, plan, vendor_key=KEY, apply=True)
    assert [o.status for o in trust.outcomes][1] is Status.CHANGED


def test_role_that_cannot_be_made_ends_it(operator: Operator, plan: Plan, trials: Trials) -> None:
    wrong = "arn:aws:iam::999999999999:role/ltdkeeper-upload"
    settle_trust(operator, plan, vendor_key=KEY, apply=True)
    trust = settle_trust(operator, replace(plan, role_arn=wrong), vendor_key=KEY, apply=True)
    assert [o.status for o in trust.outcomes] == [Status.FAILED]
