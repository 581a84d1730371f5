"""Who may assume the role, and what is done where a session may assume it again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from credentials.operations.account import assuming
from credentials.operations.account.assuming import Again, Trial, Trust, settle_trust
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import Status
from credentials.rules.account_documents import WantedAccount
from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey

KEY = AccessKey(access_key_id="AKIAVENDOR", secret_access_key=Secret("x"))
ROLE_VENDOR = "arn:aws:iam::123456789012:role/ecs-task"
Settle = Callable[..., Trust]


class Trials:
    """Answers in the place of a store; it goes by the trust policy in force, unless told not to."""

    def __init__(self) -> None:
        self.plain, self.strict = Again.REFUSED, Again.REFUSED
        self.keys: list[AccessKey] = []

    def __call__(self, clients: StoreClients, wanted: WantedAccount, key: AccessKey) -> Trial:
        self.keys.append(key)
        role = clients.iam.get_role(RoleName=wanted.role_name)["Role"]
        is_strict = "TokenIssueTime" in str(role["AssumeRolePolicyDocument"])
        return Trial(again=self.strict if is_strict else self.plain, detail="so it says")


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Trials:
    trials = Trials()
    monkeypatch.setattr(assuming, "try_assuming_again", trials)
    return trials


def again_of(
    clients: StoreClients, wanted: WantedAccount, key: AccessKey | None = KEY, *, apply: bool = True
) -> Any:
    trust = settle_trust(clients, wanted, vendor_key=key, apply=apply)
    return trust.steps[-1].status, trust.refuses_sessions


@pytest.mark.parametrize("runs", [1, 2])
def test_store_that_refuses_needs_no_condition(
    runs: int, clients: StoreClients, wanted: WantedAccount, trials: Trials
) -> None:
    for _ in range(runs):
        assert again_of(clients, wanted) == (Status.CONFIRMED, False)


def test_store_that_accepts_is_given_the_condition(
    clients: StoreClients, wanted: WantedAccount, trials: Trials
) -> None:
    trials.plain = Again.ACCEPTED
    assert again_of(clients, wanted) == (Status.CHANGED, True)
    assert again_of(clients, wanted) == (Status.CONFIRMED, True)


def test_condition_that_does_not_help_is_a_failure(
    clients: StoreClients, wanted: WantedAccount, trials: Trials
) -> None:
    trials.plain = trials.strict = Again.ACCEPTED
    assert again_of(clients, wanted) == (Status.FAILED, True)
    assert again_of(clients, wanted) == (Status.FAILED, True)


def test_vendor_under_a_role_is_never_locked_out(
    clients: StoreClients, make_wanted: Callable[..., WantedAccount], trials: Trials
) -> None:
    trials.plain = Again.ACCEPTED
    assert again_of(clients, make_wanted(vendor_arn=ROLE_VENDOR)) == (Status.FAILED, False)


def test_vendor_that_cannot_assume_is_a_failure(
    clients: StoreClients, wanted: WantedAccount, trials: Trials
) -> None:
    trials.plain = Again.UNKNOWN
    assert again_of(clients, wanted) == (Status.FAILED, False)


def test_without_a_key_aws_is_not_tried(
    clients: StoreClients, make_wanted: Callable[..., WantedAccount], trials: Trials
) -> None:
    wanted = make_wanted(vendor_arn=ROLE_VENDOR)
    assert again_of(clients, wanted, None) == (Status.NOT_TRIED, False)
    assert trials.keys == []


def test_without_a_key_another_store_is_not_trusted(
    clients: StoreClients, make_wanted: Callable[..., WantedAccount], trials: Trials
) -> None:
    fields = {"endpoint_url": "http://x", "vendor_arn": "arn:aws:iam::1:user/vendor"}
    assert again_of(clients, make_wanted(**fields), None) == (Status.FAILED, False)


def test_looking_tries_nothing(
    clients: StoreClients, wanted: WantedAccount, trials: Trials
) -> None:
    assert again_of(clients, wanted, apply=False) == (Status.NOT_TRIED, False)
    assert trials.keys == []


def test_key_made_for_the_trial_is_removed_after_it(
    clients: StoreClients, make_wanted: Callable[..., WantedAccount], trials: Trials
) -> None:
    wanted = make_wanted(endpoint_url="http://x")
    clients.iam.create_user(UserName="ltdkeeper-vendor")
    assert again_of(clients, wanted, None) == (Status.CONFIRMED, False)
    assert len(trials.keys) == 1
    keys = clients.iam.list_access_keys(UserName="ltdkeeper-vendor")
    assert keys["AccessKeyMetadata"] == []


def test_vendor_with_all_its_keys_is_not_tried(
    clients: StoreClients, make_wanted: Callable[..., WantedAccount], trials: Trials
) -> None:
    clients.iam.create_user(UserName="ltdkeeper-vendor")
    for _ in range(2):
        clients.iam.create_access_key(UserName="ltdkeeper-vendor")
    assert again_of(clients, make_wanted(endpoint_url="http://x"), None)[0] is Status.FAILED


def test_foreign_trust_policy_is_replaced(
    clients: StoreClients, wanted: WantedAccount, trials: Trials
) -> None:
    settle_trust(clients, wanted, vendor_key=KEY, apply=True)
    foreign = wanted.trust(refuse_sessions=False).replace("-vendor", "-stranger")
    clients.iam.update_assume_role_policy(RoleName=wanted.role_name, PolicyDocument=foreign)
    trust = settle_trust(clients, wanted, vendor_key=KEY, apply=True)
    assert [step.status for step in trust.steps][1] is Status.CHANGED


def test_role_that_cannot_be_made_ends_it(
    clients: StoreClients, wanted: WantedAccount, trials: Trials
) -> None:
    wrong = "arn:aws:iam::999999999999:role/ltdkeeper-upload"
    settle_trust(clients, wanted, vendor_key=KEY, apply=True)
    trust = settle_trust(clients, replace(wanted, role_arn=wrong), vendor_key=KEY, apply=True)
    assert [step.status for step in trust.steps] == [Status.FAILED]
