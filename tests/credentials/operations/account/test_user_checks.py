"""What the revoker's policies must be, with the auditor's look answered in the place of a store."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from builds.models import Store
from credentials.operations.account import identities
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import (
    NotLookedAt,
    NotPermitted,
    NotSupported,
    Obstacle,
)
from credentials.operations.account.requirements import wanted_account
from credentials.operations.account.user_checks import (
    NO_REVOKER,
    revoker_policies,
    vendor_policies,
)
from credentials.operations.findings import Finding, Severity
from credentials.rules.account_documents import WantedAccount

pytestmark = pytest.mark.django_db
ROLE = "arn:aws:iam::123456789012:role/upload"
ACCOUNT = "arn:aws:iam::123456789012"


@pytest.fixture
def account() -> WantedAccount:
    store = Store.objects.create(name="main", bucket="docs", region="eu-west-1", role_arn=ROLE)
    return wanted_account(store)


def statement(action: str, **rest: Any) -> str:
    given = {"Effect": "Allow", "Action": action, "Resource": ROLE}
    return json.dumps({"Statement": given | rest})


def found(
    account: WantedAccount,
    documents: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    arn: str = f"{ACCOUNT}:user/ltdkeeper-revoker",
    has_boundaries: bool = True,
    refusal: Obstacle | None = None,
    check: Callable[[Examination], Iterator[Finding]] = revoker_policies,
) -> list[str]:
    def require() -> None:
        if not has_boundaries:
            raise NotSupported(reason="no policies")

    def policies_of(*_: Any) -> dict[str, str]:
        if refusal:
            raise refusal
        if not documents:
            raise NotLookedAt(reason="IAM knows no ltdkeeper-revoker")
        return documents

    monkeypatch.setattr(identities, "policies_of", policies_of)
    examined = SimpleNamespace(
        account=account,
        auditor=None,
        revoker=SimpleNamespace(session=None),
        revoker_arn=arn,
        vendor_arn=f"{ACCOUNT}:user/ltdkeeper-vendor",
        require_managed_policies=require,
        set_up="manage.py bootstrap_store --apply",
    )
    return [each.change for each in check(cast(Examination, examined))]


def test_wanted_document_is_right(account: WantedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(account, {"upload": account.revoker_document}, monkeypatch) == []


MORE = {
    "another action": statement("iam:CreateUser"),
    "another role": statement("iam:GetRolePolicy", Resource="*"),
    "no condition": statement("iam:PutRolePolicy"),
}


@pytest.mark.parametrize("case", MORE)
def test_revoker_that_holds_more_is_found(
    case: str, account: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = {"upload": account.revoker_document, "more": MORE[case]}
    [change] = found(account, documents, monkeypatch)
    assert "upload, more" in change


def test_revoker_that_cannot_write_is_found(
    account: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = {"upload": statement("iam:GetRolePolicy")}
    assert len(found(account, documents, monkeypatch)) == 1


def test_store_without_boundaries_wants_no_condition(
    account: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    [change] = found(
        account, {"upload": account.revoker_document}, monkeypatch, has_boundaries=False
    )
    assert change.endswith("--with-revoker")


def test_nobody_to_look_at_says_what_to_do(
    account: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotLookedAt, match=NO_REVOKER):
        found(account, {}, monkeypatch)


def test_revoker_of_another_account_is_not_looked_at(
    account: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotLookedAt, match="another account"):
        found(account, {"x": "{}"}, monkeypatch, arn="arn:aws:iam::999999999999:user/revoker")


@pytest.mark.parametrize("kind", ["root", "federated-user/revoker"])
def test_revoker_that_has_no_policies_is_not_looked_at(
    kind: str, account: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotLookedAt, match="no user and no role"):
        found(account, {"x": "{}"}, monkeypatch, arn=f"{ACCOUNT}:{kind}")


def test_only_a_revoker_that_nobody_named_may_be_missing(
    account: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor is always there: that its policies may not be read is a finding."""
    refused = NotPermitted(action="iam:ListUserPolicies")
    with pytest.raises(NotLookedAt, match=NO_REVOKER):
        found(account, {}, monkeypatch, has_boundaries=False, refusal=refused)
    with pytest.raises(NotPermitted) as caught:
        found(
            account, {}, monkeypatch, has_boundaries=False, refusal=refused, check=vendor_policies
        )
    assert caught.value.severity == Severity.WARNING
