"""The upload role's limits and rights, and the users, as calls to IAM."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from credentials.operations.account import identities
from credentials.operations.account.bootstrap import Report, Run
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import Requirement, Status, settle
from credentials.rules.account_documents import WantedAccount
from tests.credentials.operations.account.refusals import failing, refusal

ROLE: list[Callable[..., Requirement]] = [
    identities.boundary_policy,
    identities.role_boundary,
    identities.upload_policy,
    identities.longest_session,
]


@pytest.fixture
def role(clients: StoreClients, wanted: WantedAccount) -> StoreClients:
    """An clients whose role exists, with nothing to it."""
    clients.iam.create_role(
        RoleName=wanted.role_name,
        AssumeRolePolicyDocument=wanted.trust(refuse_sessions=False),
        MaxSessionDuration=7200,
    )
    return clients


def settle_all(clients: StoreClients, wanted: WantedAccount) -> list[Status]:
    return [settle(make(clients, wanted), apply=True).status for make in ROLE]


def test_role_is_given_boundary_rights_and_duration(
    role: StoreClients, wanted: WantedAccount
) -> None:
    assert settle_all(role, wanted) == [Status.MADE, Status.MADE, Status.MADE, Status.CHANGED]
    found = role.iam.get_role(RoleName=wanted.role_name)["Role"]
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == wanted.boundary_arn
    assert found["MaxSessionDuration"] == 3600


def test_second_run_changes_nothing(role: StoreClients, wanted: WantedAccount) -> None:
    settle_all(role, wanted)
    assert settle_all(role, wanted) == [Status.UNCHANGED] * 4


@pytest.mark.parametrize("times", [1, 7])
def test_changed_boundary_is_put_right_however_often(
    times: int, role: StoreClients, wanted: WantedAccount
) -> None:
    """AWS keeps five versions of a policy at most."""
    settle_all(role, wanted)
    for _ in range(times):
        for version in role.iam.list_policy_versions(PolicyArn=wanted.boundary_arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                role.iam.delete_policy_version(
                    PolicyArn=wanted.boundary_arn, VersionId=version["VersionId"]
                )
        role.iam.create_policy_version(
            PolicyArn=wanted.boundary_arn,
            PolicyDocument=wanted.documents["auditor"],
            SetAsDefault=True,
        )
        step = settle(identities.boundary_policy(role, wanted), apply=True)
        assert step.status is Status.CHANGED
    version = role.iam.get_policy(PolicyArn=wanted.boundary_arn)["Policy"]["DefaultVersionId"]
    found = role.iam.get_policy_version(PolicyArn=wanted.boundary_arn, VersionId=version)
    assert found["PolicyVersion"]["Document"] == json.loads(wanted.documents["boundary"])


def settle_rights(clients: StoreClients, wanted: WantedAccount) -> list[Status]:
    return [settle(each, apply=True).status for each in identities.role_rights(clients, wanted)]


def test_inline_policy_gives_way_to_the_managed_one(
    role: StoreClients, wanted: WantedAccount
) -> None:
    settle(identities.upload_policy(role, wanted), apply=True)
    assert settle_rights(role, wanted) == [Status.MADE, Status.MADE, Status.CHANGED]
    assert role.iam.list_role_policies(RoleName=wanted.role_name)["PolicyNames"] == []
    attached = role.iam.list_attached_role_policies(RoleName=wanted.role_name)["AttachedPolicies"]
    assert [each["PolicyArn"] for each in attached] == [wanted.upload_policy_arn]
    assert settle_rights(role, wanted) == [Status.UNCHANGED] * 3


def test_inline_policy_goes_when_the_managed_one_is_attached(
    role: StoreClients, wanted: WantedAccount
) -> None:
    settle(identities.upload_policy(role, wanted), apply=True)
    calls: list[str] = []
    note = lambda model, **_kwargs: calls.append(model.name)  # noqa: E731
    role.iam.meta.events.register("before-call.iam", note)
    settle_rights(role, wanted)
    writes = [each for each in calls if not each.startswith(("Get", "List"))]
    assert writes == ["CreatePolicy", "AttachRolePolicy", "DeleteRolePolicy"]


@pytest.mark.parametrize("call", ["create_policy", "attach_role_policy"])
def test_inline_policy_stays_while_the_managed_one_is_not_in_force(
    call: str, role: StoreClients, wanted: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(identities.upload_policy(role, wanted), apply=True)
    monkeypatch.setattr(role.iam, call, failing(refusal(403)))
    report = Report(store_name="main", applied=True)
    run = Run(clients=role, account=wanted, apply=True, report=report)
    assert run.in_turn(identities.role_rights(role, wanted)) is Status.FAILED
    names = role.iam.list_role_policies(RoleName=wanted.role_name)["PolicyNames"]
    assert names == [wanted.role_name]


def test_sixth_version_takes_the_place_of_the_oldest(
    clients: StoreClients, wanted: WantedAccount
) -> None:
    policy, arn = identities.managed_upload_policy(clients, wanted), wanted.upload_policy_arn
    settle(policy, apply=True)
    for _ in range(4):
        clients.iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=wanted.documents["auditor"], SetAsDefault=True
        )
    assert settle(policy, apply=True).status is Status.CHANGED
    versions = clients.iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert {each["VersionId"] for each in versions} == {"v2", "v3", "v4", "v5", "v6"}


def test_other_stores_keep_the_role_s_policy_inline(
    role: StoreClients, make_wanted: Callable[..., WantedAccount]
) -> None:
    elsewhere = make_wanted(endpoint_url="https://s3.example.org")
    assert settle_rights(role, elsewhere) == [Status.MADE]
    names = role.iam.list_role_policies(RoleName=elsewhere.role_name)["PolicyNames"]
    assert names == [elsewhere.role_name]


def settled(
    clients: StoreClients, wanted: WantedAccount, *, apply: bool = True
) -> tuple[list[Status], bool]:
    report = Report(store_name="main", applied=apply)
    key = Run(clients=clients, account=wanted, apply=apply, report=report).user("revoker")
    return [step.status for step in report.steps], key is not None


def test_user_is_made_with_policy_and_key(clients: StoreClients, wanted: WantedAccount) -> None:
    assert settled(clients, wanted) == ([Status.MADE] * 3, True)
    name = wanted.user_name("revoker")
    policy = clients.iam.get_user_policy(UserName=name, PolicyName=wanted.role_name)
    assert policy["PolicyDocument"] == json.loads(wanted.documents["revoker"])


def test_second_run_makes_no_second_key(clients: StoreClients, wanted: WantedAccount) -> None:
    settled(clients, wanted)
    assert settled(clients, wanted) == ([Status.UNCHANGED] * 3, False)
    keys = clients.iam.list_access_keys(UserName=wanted.user_name("revoker"))
    assert len(keys["AccessKeyMetadata"]) == 1


def test_looking_makes_nothing(clients: StoreClients, wanted: WantedAccount) -> None:
    assert settled(clients, wanted, apply=False) == ([Status.WOULD_MAKE] * 3, False)
    assert clients.iam.list_users()["Users"] == []


def test_widened_policy_is_put_right(clients: StoreClients, wanted: WantedAccount) -> None:
    settled(clients, wanted)
    clients.iam.put_user_policy(
        UserName=wanted.user_name("revoker"),
        PolicyName=wanted.role_name,
        PolicyDocument=wanted.documents["upload"],
    )
    assert settled(clients, wanted)[0] == [Status.UNCHANGED, Status.CHANGED, Status.UNCHANGED]


def test_auditor_of_aws_has_a_managed_policy(clients: StoreClients, wanted: WantedAccount) -> None:
    """Its own documents of two stores are more than AWS takes inline."""
    name = wanted.user_name("auditor")
    clients.iam.create_user(UserName=name)
    settle(identities.user_policy(clients, wanted, "auditor"), apply=True)  # from before

    def statuses() -> list[Status]:
        rights = identities.user_rights(clients, wanted, "auditor")
        return [settle(each, apply=True).status for each in rights]

    assert statuses() == [Status.MADE, Status.MADE, Status.CHANGED]
    assert identities.policies_of(clients, "user", name) == {
        wanted.auditor_policy_arn: json.loads(wanted.documents["auditor"])
    }
    assert statuses() == [Status.UNCHANGED] * 3


def test_auditor_of_another_store_has_an_inline_policy(
    clients: StoreClients, wanted: WantedAccount
) -> None:
    elsewhere = replace(wanted, is_aws=False)
    [requirement] = identities.user_rights(clients, elsewhere, "auditor")
    clients.iam.create_user(UserName=elsewhere.user_name("auditor"))
    assert settle(requirement, apply=True).status is Status.MADE
    names = clients.iam.list_user_policies(UserName=elsewhere.user_name("auditor"))["PolicyNames"]
    assert names == [elsewhere.role_name]


def test_store_that_makes_no_users_is_asked_once(
    clients: StoreClients, wanted: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients.iam, "get_user", failing(refusal(405, "MethodNotAllowed")))
    assert settled(clients, replace(wanted, is_aws=False)) == ([Status.NOT_SUPPORTED], False)


@pytest.mark.parametrize("call", ["list_access_keys", "create_access_key"])
def test_refused_key_is_a_failed_step(
    call: str, clients: StoreClients, wanted: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients.iam, call, failing(refusal(403)))
    assert settled(clients, wanted) == ([Status.MADE, Status.MADE, Status.FAILED], False)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.MADE),
        ({"is_aws": False}, Status.FAILED),
        ({"vendor_arn": "arn:aws:iam::123456789012:user/old"}, Status.FAILED),
    ],
    ids=["new user of AWS", "another store", "user from before"],
)
def test_user_whom_aws_does_not_know_yet_is_waited_for(
    changes: Any,
    status: Status,
    clients: StoreClients,
    wanted: WantedAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create, late = clients.iam.create_role, [refusal(400, "MalformedPolicyDocument")]

    def create_role(**request: Any) -> Any:
        if late:
            raise late.pop()
        return create(**request)

    monkeypatch.setattr(clients.iam, "create_role", create_role)
    requirement = identities.role(clients, replace(wanted, **changes))
    assert settle(requirement, apply=True).status is status
