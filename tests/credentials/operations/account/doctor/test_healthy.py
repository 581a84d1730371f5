"""An account in which everything is right, in each form that it may have."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from django.utils import timezone

from builds.models import Build, Product, Store
from credentials.models import IssuedSession
from credentials.operations.account.bootstrap import Report, bootstrap_store
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.doctor import (
    CHECKS,
    Result,
    Verdict,
    examine_store,
    findings_of,
)
from credentials.operations.account.requirements import wanted_account
from credentials.operations.findings import Severity, count
from credentials.rules.account_documents import (
    boundary_policy,
    trust_policy,
    upload_policy,
    vendor_policy,
)
from credentials.rules.revocation import POLICY_NAME, RevokedSession, revocation_document
from demo.store import ACCOUNT
from tests.credentials.operations.account.doctor.conftest import Examine, rules
from tests.credentials.operations.account.doctor.embedded_account import Account, allow, as_document

pytestmark = [pytest.mark.loopback, pytest.mark.slow]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_every_check_of_a_healthy_account_is_ok(examine: Examine) -> None:
    results = examine()
    assert [result.check for result in results] == list(CHECKS)
    verdicts = {result.check: result.verdict for result in results}
    assert verdicts.pop("trail") is Verdict.NOT_LOOKED_AT  # it is AWS's
    assert set(verdicts.values()) == {Verdict.OK}


def test_results_are_told_as_they_are_known(account: Account, row: Store) -> None:
    told: list[Result] = []
    results = examine_store(
        store=row, auditor=account.auditor_session(), revoker=None, on_result=told.append
    )
    assert told == results


def test_sessions_of_the_doctor_are_in_the_ledger(examine: Examine) -> None:
    examine()
    rows = IssuedSession.objects.issued().order_by("id")
    assert list(rows.values_list("delivery", flat=True)) == ["probe", "clean"]
    assert {row.caller_agent for row in rows} == {"ltdkeeper doctor"}


def test_doctor_leaves_no_object_and_no_open_build(account: Account, examine: Examine) -> None:
    examine()
    assert account.s3.list_objects_v2(Bucket=account.bucket)["KeyCount"] == 0
    assert not Build.objects.open(timezone.now()).exists()


def agreed_external_id(account: Account, row: Store) -> None:
    Store.objects.filter(pk=row.pk).update(external_id="agreed")
    trust = trust_policy(vendor_arn=account.vendor_arn, external_id="agreed")
    account.put_trust(json.loads(trust)["Statement"])


def product_that_syncs(account: Account, row: Store) -> None:
    row.with_sync = True
    row.save()
    scope = {"role_arn": account.role_arn, "bucket": account.bucket}
    account.put_boundary(boundary_policy(**scope, with_sync=True))
    account.put_role_policy(upload_policy(**scope, with_sync=True))
    Product.objects.create(slug="mirror", store=row, surrogate_key="a" * 32, access="sync")


def role_that_has_revoked(account: Account, row: Store) -> None:
    """One session, all of a product, and all of the store before a time."""
    old = NOW - timedelta(hours=2)
    names = [f"{number:026}" for number in range(20)]
    sessions = [RevokedSession(ledger_id=x, product_slug="guide", issued_by=old) for x in names]
    last = RevokedSession(ledger_id="z" * 26, product_slug="other", issued_by=NOW)
    document = revocation_document(
        sessions=[*sessions, last], bystanders={}, cut_off=old - timedelta(hours=1), now=NOW
    )
    assert len(json.loads(document.text)["Statement"]) == 3
    account.put_role_policy(document.text, name=POLICY_NAME)


def second_store(account: Account, row: Store) -> None:
    other = f"arn:aws:iam::{ACCOUNT}:role/other"
    account.row(name="other", role_arn=other)
    roles = [account.role_arn, other]
    account.put_vendor_policy(vendor_policy(role_arns=roles), name="vendor")


def revoker_of_two_stores(account: Account, row: Store) -> None:
    other = account.row(name="other", role_arn=f"{account.role_arn}-other")
    account.put_revoker_policy(wanted_account(other).revoker_document, name="other")


def store_that_is_not_legal(account: Account, row: Store) -> None:
    account.row(name="wrong", role_arn="arn:aws:iam::1:role/*")


def public_reading(account: Account, row: Store) -> None:
    account.put_bucket_policy(
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{account.bucket}/*/v/*",
        }
    )


def policies_written_otherwise(account: Account, row: Store) -> None:
    """One statement for each action, in another order, and single names in lists."""
    scope = {"role_arn": account.role_arn, "bucket": account.bucket}
    statements = [
        statement | {"Action": [action], "Sid": f"Statement{place}{number}"}
        for place, statement in enumerate(json.loads(upload_policy(**scope))["Statement"])
        for number, action in enumerate(listed(statement["Action"]))
    ]
    account.put_boundary(as_document(statements[::-1]))
    account.iam.delete_role_policy(RoleName=account.role, PolicyName=account.role)
    account.put_role_policy(as_document(statements[:9]), name="one")
    account.put_role_policy(as_document(statements[9:]), name="two")


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


FORMS: dict[str, Callable[[Account, Store], None]] = {
    "external id": agreed_external_id,
    "product that syncs": product_that_syncs,
    "revoked sessions": role_that_has_revoked,
    "second store": second_store,
    "revoker of two stores": revoker_of_two_stores,
    "another store that is not legal": store_that_is_not_legal,
    "public reading": public_reading,
    "policies written otherwise": policies_written_otherwise,
}


@pytest.mark.parametrize("form", FORMS)
def test_account_may_be_healthy_in_another_form(
    form: str, account: Account, row: Store, examine: Examine
) -> None:
    FORMS[form](account, row)
    assert rules(examine()) == set()


@pytest.fixture
def as_role(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service runs under a role, as on machines of AWS, and the upload role trusts that."""
    web = f"arn:aws:iam::{ACCOUNT}:role/{account.name}-web"
    account.iam.create_role(
        RoleName=f"{account.name}-web",
        AssumeRolePolicyDocument=trust_policy(vendor_arn=account.vendor_arn),
    )
    account.iam.put_role_policy(
        RoleName=f"{account.name}-web",
        PolicyName="vendor",
        PolicyDocument=vendor_policy(role_arns=[account.role_arn]),
    )
    account.put_vendor_policy(vendor_policy(role_arns=[account.role_arn, web]), name="vendor")
    account.put_trust(json.loads(trust_policy(vendor_arn=web))["Statement"])
    account.put_auditor_policy(allow(["s3:Get*", "iam:Get*", "iam:List*"], "*"))
    for name, value in account.assume(web).items():
        monkeypatch.setenv(name.upper(), value)


@pytest.mark.usefixtures("as_role")
def test_service_that_runs_under_a_role_is_healthy(examine: Examine) -> None:
    assert rules(examine()) == set()


@pytest.mark.usefixtures("as_role")
def test_sessions_of_a_role_are_capped_at_an_hour(
    account: Account, row: Store, examine: Examine
) -> None:
    account.iam.update_role(RoleName=account.role, MaxSessionDuration=43_200)
    Store.objects.filter(pk=row.pk).update(role_max_seconds=43_200)
    assert rules(examine()) == {"lifetimes.chained"}


@pytest.fixture
def bootstrapped(account: Account, transactional_db: None) -> tuple[Store, Report]:
    """A store of the account that `bootstrap_store` has set up."""
    store = account.row(bucket=f"{account.name}-made", role_arn=f"{account.role_arn}-made")
    clients = StoreClients(store=store, session=account.administrator_session())
    wanted = wanted_account(store, prefix=f"{account.name}-made")
    return store, bootstrap_store(clients=clients, account=wanted, vendor_key=None, apply=True)


def key_of(report: Report, kind: str) -> dict[str, str]:
    key = report.keys[kind]
    return {
        "aws_access_key_id": key.access_key_id,
        "aws_secret_access_key": key.secret_access_key.reveal(),
    }


def test_account_that_bootstrap_store_has_made_has_no_error(
    bootstrapped: tuple[Store, Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, report = bootstrapped
    for name, value in key_of(report, "vendor").items():
        monkeypatch.setenv(name.upper(), value)
    auditor, revoker = (
        boto3.session.Session(**key_of(report, kind)) for kind in ("auditor", "revoker")
    )
    results = examine_store(store=store, auditor=auditor, revoker=revoker)
    assert count(findings_of(results), Severity.ERROR) == 0, rules(results)
