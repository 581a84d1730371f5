"""What keeps the doctor from looking is a finding, and never a crash."""

from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import boto3
import pytest
import time_machine
from django.utils import timezone

from builds.models import Store
from credentials.errors import RegionDisabled
from credentials.operations.account.doctor import (
    Result,
    Verdict,
    examine_store,
    findings_of,
)
from credentials.operations.account.requirements import wanted_account
from credentials.operations.findings import Severity
from credentials.rules.account_documents import UnsafeIdentityError
from credentials.rules.policy_comparison import UnreadableDocumentError
from ltdkeeper.management.outcomes import BrokenOff
from tests.credentials.operations.account.doctor.auditor_rights import ALL_RIGHTS, auditor_policy
from tests.credentials.operations.account.doctor.conftest import Examine, rules
from tests.credentials.operations.account.doctor.embedded_account import Account, allow
from tests.loopback import serving

pytestmark = [pytest.mark.loopback, pytest.mark.slow]
NOBODY = {"aws_access_key_id": "AKIA" + "A" * 16, "aws_secret_access_key": "x" * 40}


@pytest.mark.parametrize("right", ALL_RIGHTS)
def test_right_that_the_auditor_lacks_is_named(
    right: str, account: Account, examine: Examine
) -> None:
    join_a_group(account)
    policy = auditor_policy(account.role_arn, account.bucket, account.vendor_arn, without=right)
    account.put_auditor_policy(policy)
    found = findings_of(examine())
    assert found
    assert {finding.rule.partition(".")[2] for finding in found} == {"no-permission"}
    assert all(f"the auditor needs {right}." in finding.what for finding in found)


def join_a_group(account: Account) -> None:
    """One with policies of both kinds, which the vendor has as well."""
    iam, group = account.iam, f"{account.name}-group"
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=account.vendor)
    iam.put_group_policy(
        GroupName=group, PolicyName="inline", PolicyDocument=allow("sts:GetCallerIdentity", "*")
    )


def test_policy_of_the_vendor_s_group_is_read(account: Account, examine: Examine) -> None:
    join_a_group(account)
    account.iam.put_group_policy(
        GroupName=f"{account.name}-group", PolicyName="wide", PolicyDocument=allow("ec2:*", "*")
    )
    [finding] = findings_of(examine())
    assert finding.rule == "vendor-policies.more"
    assert f"group {account.name}-group: wide" in finding.change


def attach_a_policy(account: Account) -> None:
    made = account.iam.create_policy(
        PolicyName=f"{account.name}-more", PolicyDocument=allow("ec2:*", "*")
    )
    account.iam.attach_user_policy(UserName=account.vendor, PolicyArn=made["Policy"]["Arn"])


@pytest.mark.parametrize("hold", [attach_a_policy, join_a_group])
def test_what_the_auditor_s_own_document_does_not_cover_is_an_error(
    hold: Callable[[Account], None], account: Account, row: Store, examine: Examine
) -> None:
    hold(account)
    wanted = wanted_account(row, vendor_arn=account.vendor_arn, prefix=account.name)
    account.put_auditor_policy(wanted.documents["auditor"])
    [finding] = findings_of(examine())
    assert (finding.rule, finding.severity) == ("vendor-policies.no-permission", Severity.ERROR)
    assert finding.change.startswith(f"Take it from {account.vendor}, or allow the auditor iam:")


def test_vendor_s_policies_may_stay_unread(account: Account, examine: Examine) -> None:
    policy = auditor_policy(
        account.role_arn, account.bucket, account.vendor_arn, without="iam:ListUserPolicies"
    )
    account.put_auditor_policy(policy)
    found = findings_of(examine())
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert {finding.rule.partition(".")[0] for finding in found} == {
        *("vendor-policies", "revoker-policies")
    }


def test_auditor_without_any_right_is_told_each(account: Account, examine: Examine) -> None:
    account.put_auditor_policy(allow("sts:GetCallerIdentity", "*"))
    results = examine()
    assert {"role.no-permission", "acls.no-permission"} <= rules(results)
    tried = {"assuming", "writing", "vendor-s3", "vendor-iam", "revoker", "cleaning"}
    verdicts = {result.check: result.verdict for result in results}
    assert {verdicts[check] for check in tried} == {Verdict.OK}


def test_revoker_without_credentials_is_one_finding(account: Account, row: Store) -> None:
    auditor, nobody = account.auditor_session(), boto3.session.Session(**NOBODY)
    results = examine_store(store=row, auditor=auditor, revoker=nobody)
    assert [finding.rule for finding in findings_of(results)] == ["revoker.no-credentials"]


def test_revoker_that_nobody_has_made_is_not_looked_at(account: Account, row: Store) -> None:
    account.iam.delete_user_policy(UserName=account.revoker, PolicyName="revoker")
    account.iam.delete_access_key(
        UserName=account.revoker, AccessKeyId=account.revoker_key["aws_access_key_id"]
    )
    account.iam.delete_user(UserName=account.revoker)
    results = examine_store(store=row, auditor=account.auditor_session(), revoker=None)
    told = {each.check: each for each in results if each.check.startswith("revoker")}
    assert {each.verdict for each in told.values()} == {Verdict.NOT_LOOKED_AT}
    assert all("LTD_REVOKER_PROFILE" in each.note for each in told.values())
    assert "bootstrap_store" in told["revoker-policies"].note


AUDITORS = {"none": None, "unknown": boto3.session.Session(**NOBODY)}


@pytest.mark.parametrize("case", AUDITORS)
def test_auditor_who_cannot_look_is_one_finding(case: str, account: Account, row: Store) -> None:
    results = examine_store(store=row, auditor=AUDITORS[case], revoker=account.revoker_session())
    assert [finding.rule for finding in findings_of(results)] == ["auditor.no-credentials"]
    assert {r.check for r in results if r.verdict is Verdict.NOT_LOOKED_AT} >= {"trust", "acls"}


def test_vendor_without_credentials_is_one_finding(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert [finding.rule for finding in findings_of(examine())] == ["vendor.no-credentials"]


def test_vendor_whom_the_store_does_not_know_is_one_finding(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name.upper(), value)
    assert [finding.rule for finding in findings_of(examine())] == ["vendor.no-credentials"]


def test_store_that_does_not_answer_is_one_finding(row: Store, examine: Examine) -> None:
    Store.objects.filter(pk=row.pk).update(endpoint_url="http://127.0.0.1:9")
    results = examine()
    assert [finding.rule for finding in findings_of(results)] == ["store.unreachable"]
    assert [result.check for result in results if result.verdict is Verdict.OK] == [
        *("row", "endpoint", "kms-key", "cleaning")
    ]


class NotImplementedHandler(BaseHTTPRequestHandler):
    """A store that knows none of the calls."""

    status, body = 501, b"<Error><Code>NotImplemented</Code></Error>"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815


def test_store_without_an_api_is_one_finding_and_no_missing_permission(
    row: Store, examine: Examine
) -> None:
    with serving(NotImplementedHandler) as url:
        Store.objects.filter(pk=row.pk).update(endpoint_url=url)
        results = examine()
    [finding] = findings_of(results)
    assert finding.rule == "assuming.not-supported"
    assert "the store's own tools" in finding.change
    unsupported = {r.check for r in results if r.verdict is Verdict.NOT_SUPPORTED}
    assert {"role", "trust", "role-policies", "boundary", "bucket-policy"} <= unsupported


class WelcomeHandler(NotImplementedHandler):
    """A web server in the place of a store."""

    status, body = 200, b"<html><body>Welcome</body></html>"


def test_endpoint_that_is_no_store_is_named_by_what_it_was_asked(
    row: Store, examine: Examine
) -> None:
    with serving(WelcomeHandler) as url:
        Store.objects.filter(pk=row.pk).update(endpoint_url=url)
        found = {finding.rule: finding for finding in findings_of(examine())}
    assert "sts:GetCallerIdentity gave" in found["vendor.unclear"].what
    assert "iam:GetRole gave" in found["role.unclear"].what
    assert "check the store's endpoint" in found["role.unclear"].change


UNREADABLE = {
    "no policy": UnreadableDocumentError("this is not a policy document"),
    "name that no policy is made of": UnsafeIdentityError("not the whole ARN"),
    "answer without it": KeyError("AssumeRolePolicyDocument"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_a_finding(
    case: str, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(*_: object) -> object:
        raise UNREADABLE[case]

    monkeypatch.setattr("credentials.operations.account.policy_checks.difference", judge)
    found = {finding.rule: finding.severity for finding in findings_of(examine())}
    assert found["trust.unclear"] is Severity.ERROR


def test_assuming_that_fails_otherwise_is_told(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disabled(**_: object) -> object:
        raise RegionDisabled

    monkeypatch.setattr("credentials.vending.issuing.assume_role", disabled)
    results = examine()
    assert rules(results) == {"assuming.failed"}
    assert next(r.note for r in results if r.check == "writing") == (
        "there is no session to write with"
    )


def test_row_that_is_not_legal_is_the_only_finding(row: Store, examine: Examine) -> None:
    Store.objects.filter(pk=row.pk).update(bucket="*", kms_key_arn="alias/docs")
    [result] = examine()
    [finding] = result.findings
    assert finding.rule == "row.invalid"
    assert "bucket" in finding.what
    assert "kms_key_arn" in finding.what


def test_object_that_the_vendor_could_write_is_removed(account: Account, examine: Examine) -> None:
    account.put_vendor_policy(allow("s3:PutObject", "*"))
    assert "vendor-s3.allowed" in rules(examine())
    assert account.s3.list_objects_v2(Bucket=account.bucket)["KeyCount"] == 0


def test_examination_that_breaks_off_leaves_no_object(account: Account, row: Store) -> None:
    def stop(result: Result) -> None:
        if result.check == "writing":
            assert account.s3.list_objects_v2(Bucket=account.bucket)["KeyCount"] == 1
            raise BrokenOff("SIGTERM")

    with pytest.raises(BrokenOff):
        examine_store(store=row, auditor=None, revoker=None, on_result=stop)
    assert account.s3.list_objects_v2(Bucket=account.bucket)["KeyCount"] == 0


def test_object_that_cannot_be_removed_is_told(account: Account, examine: Examine) -> None:
    account.put_bucket_policy(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteObject",
            "Resource": f"arn:aws:s3:::{account.bucket}/*",
        }
    )
    [finding] = findings_of(examine())
    assert (finding.rule, finding.severity) == ("cleaning.left-over", Severity.WARNING)
    assert "isolation-check-" in finding.what


@pytest.mark.parametrize("seconds", [120, -120])
def test_clock_that_is_wrong_is_found(seconds: int, examine: Examine) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)):
        assert "clock.skewed" in rules(examine())
