"""The role's rights in a managed policy, as on AWS: that one exactly, and nothing inline."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builds.models import Store
from credentials.operations.account import examination, identities, requirements
from credentials.operations.account.bootstrap import IN_FORCE, Report, Run
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.doctor import findings_of
from credentials.operations.findings import Severity
from credentials.rules.account_documents import WantedAccount, upload_policy
from credentials.rules.revocation import POLICY_NAME
from tests.credentials.operations.account.doctor.conftest import Examine, rules
from tests.credentials.operations.account.doctor.embedded_account import Account, allow, as_document

pytestmark = [pytest.mark.loopback, pytest.mark.slow]
WRITING = "arn:aws:s3:::*"
DENYING = as_document(
    {
        "Effect": "Deny",
        "Action": "s3:DeleteBucket",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
)


def wanted_as_on_aws(store: Store, **options: Any) -> WantedAccount:
    return replace(requirements.wanted_account(store, **options), is_aws=True)


@pytest.fixture
def administrator(account: Account, row: Store) -> StoreClients:
    return StoreClients(store=row, session=account.administrator_session())


@pytest.fixture
def managed(
    account: Account, administrator: StoreClients, monkeypatch: pytest.MonkeyPatch
) -> Account:
    """The account after its inline policy was moved."""
    monkeypatch.setattr(examination, "wanted_account", wanted_as_on_aws)
    set_up(account, administrator)
    return account


def set_up(account: Account, administrator: StoreClients) -> None:
    """As `bootstrap_store` does, but for what is right already."""
    names = {"prefix": account.name, "vendor_arn": account.vendor_arn}
    wanted = wanted_as_on_aws(administrator.store, **names)
    report = Report(store_name=account.name, applied=True)
    run = Run(clients=administrator, account=wanted, apply=True, report=report)
    assert run.in_turn(identities.role_rights(administrator, wanted)) in IN_FORCE


def attach(account: Account, document: str) -> None:
    made = account.iam.create_policy(PolicyName=f"{account.name}-more", PolicyDocument=document)
    account.iam.attach_role_policy(RoleName=account.role, PolicyArn=made["Policy"]["Arn"])


def own_policy(account: Account) -> str:
    return upload_policy(role_arn=account.role_arn, bucket=account.bucket)


def attach_another_in_its_place(account: Account) -> None:
    arn = account.role_arn.replace(":role/", ":policy/")
    account.iam.detach_role_policy(RoleName=account.role, PolicyArn=arn)
    attach(account, own_policy(account))


def change_its_document(account: Account) -> None:
    account.iam.create_policy_version(
        PolicyArn=account.role_arn.replace(":role/", ":policy/"),
        PolicyDocument=allow("s3:*", "*"),
        SetAsDefault=True,
    )


Plant = Callable[[Account], object]
WARNED, WRONG = "role-policies.not-managed", "role-policies.differs"
FORMS: dict[str, tuple[Plant, set[str]]] = {
    "as it is made": (lambda account: None, set()),
    "revocations": (lambda account: account.put_role_policy(DENYING, name=POLICY_NAME), set()),
    "attached denial": (lambda account: attach(account, DENYING), set()),
    "inline one left": (lambda account: account.put_role_policy(own_policy(account)), {WARNED}),
    "inline denial": (lambda account: account.put_role_policy(DENYING, name="tls"), {WARNED}),
    "another in its place": (attach_another_in_its_place, {WARNED}),
    "foreign one": (lambda account: attach(account, allow("s3:PutObject", WRITING)), {WRONG}),
    "another document": (change_its_document, {WRONG}),
}


def test_auditor_s_document_is_enough_to_look(
    managed: Account, row: Store, examine: Examine
) -> None:
    wanted = wanted_as_on_aws(row, vendor_arn=managed.vendor_arn, prefix=managed.name)
    managed.put_auditor_policy(wanted.documents["auditor"])
    assert rules(examine()) == set()


@pytest.mark.parametrize("form", FORMS)
def test_rights_are_in_the_managed_policy_alone(
    form: str, managed: Account, examine: Examine
) -> None:
    plant, found = FORMS[form]
    plant(managed)
    assert rules(examine()) & {WARNED, WRONG} == found


def test_inline_policy_from_before_is_a_warning_that_the_set_up_mends(
    managed: Account, administrator: StoreClients, examine: Examine
) -> None:
    managed.put_role_policy(own_policy(managed))
    [finding] = findings_of(examine())
    assert (finding.rule, finding.severity) == (WARNED, Severity.WARNING)
    set_up(managed, administrator)
    assert rules(examine()) == set()
