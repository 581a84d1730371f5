"""All of it in order, on moto, with the trial answered in the place of a store."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from credentials.operations.account import assuming
from credentials.operations.account.assuming import Again, Trial
from credentials.operations.account.bootstrap import NO_RIGHTS, Report, bootstrap_store
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import Status
from credentials.rules.account_documents import UnsafeIdentityError, WantedAccount
from tests.credentials.operations.account.refusals import failing, refusal

Run = Callable[..., Report]


@pytest.fixture
def run(clients: StoreClients, wanted: WantedAccount, monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(
        again: Again = Again.REFUSED,
        *,
        apply: bool = True,
        wanted: WantedAccount = wanted,
        with_revoker: bool = False,
    ) -> Report:
        monkeypatch.setattr(assuming, "try_assuming_again", lambda *_: Trial(again=again))
        return bootstrap_store(
            clients=clients,
            account=wanted,
            vendor_key=None,
            apply=apply,
            with_revoker=with_revoker,
        )

    return call


def statuses(report: Report) -> dict[str, Status]:
    return {step.what: step.status for step in report.steps}


def test_first_run_makes_everything_and_a_second_one_nothing(run: Run) -> None:
    report = run()
    assert (report.has_failed, [*report.lines()][-1]) == (False, "Store main: set up.")
    assert set(report.keys) == {"vendor", "auditor", "revoker"}
    assert set(report.documents) == {
        "trust", "vendor", "upload", "boundary", "auditor", "revoker"
    }  # fmt: skip
    assert "TokenIssueTime" not in report.documents["trust"]
    again = run()
    assert (again.has_changed, again.has_failed, again.keys) == (False, False, {})
    assert_shown_once(report, again)


def assert_shown_once(first: Report, second: Report) -> None:
    """The new secret keys, in the first text and document alone."""
    secrets = [key.secret_access_key.reveal() for key in first.keys.values()]
    for render in (lambda report: "\n".join(report.lines()), lambda report: str(report.document())):
        assert [render(first).count(secret) for secret in secrets] == [1, 1, 1]
        assert not any(secret in render(second) for secret in secrets)
    assert not any(secret in repr(first) for secret in secrets)


def test_looking_makes_nothing(run: Run, clients: StoreClients) -> None:
    report = run(apply=False)
    assert [*report.lines()][-1].endswith("Nothing was changed. --apply makes these changes.")
    found = statuses(report)
    gone = [what for what in found if what.startswith("no inline policy of ")]
    assert [found.pop(what) for what in gone] == [Status.UNCHANGED] * 2
    assert {Status.WOULD_MAKE, Status.NOT_TRIED} == set(found.values())
    assert clients.iam.list_roles()["Roles"] == []


def test_role_that_can_be_assumed_again_is_given_no_rights(
    run: Run, clients: StoreClients, wanted: WantedAccount
) -> None:
    report = run(Again.ACCEPTED)
    [withheld] = [o for o in report.steps if o.detail == NO_RIGHTS]
    assert (withheld.status, report.has_failed) == (Status.FAILED, True)
    assert "TokenIssueTime" in report.documents["trust"]
    assert [*report.lines()][-1].endswith("not complete. Fix the failed steps, then run it again.")
    assert clients.iam.list_role_policies(RoleName=wanted.role_name)["PolicyNames"] == []


def test_existing_vendor_is_left_as_it_is(
    run: Run, make_wanted: Callable[..., WantedAccount], clients: StoreClients
) -> None:
    arn = "arn:aws:iam::123456789012:role/ecs-task"
    report = run(wanted=make_wanted(vendor_arn=arn))
    assert statuses(report)[arn] is Status.BY_HAND
    assert set(report.keys) == {"auditor", "revoker"}


@pytest.fixture
def _no_boundaries(clients: StoreClients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients.iam, "get_policy", failing(refusal(405, "MethodNotAllowed")))


@pytest.fixture
def elsewhere(wanted: WantedAccount) -> WantedAccount:
    """A store that is not AWS."""
    return replace(wanted, is_aws=False)


@pytest.mark.usefixtures("_no_boundaries")
def test_revoker_without_boundaries_is_made_for_who_asks(
    run: Run, elsewhere: WantedAccount
) -> None:
    report = run(wanted=elsewhere, with_revoker=True)
    assert set(report.keys) == {"vendor", "auditor", "revoker"}
    assert "Condition" not in report.documents["revoker"]
    assert statuses(report)["what ltdkeeper-revoker can do"] is Status.BY_HAND


@pytest.mark.usefixtures("_no_boundaries")
def test_without_boundaries_there_is_no_revoker(run: Run, elsewhere: WantedAccount) -> None:
    report = run(wanted=elsewhere)
    assert statuses(report)["user ltdkeeper-revoker"] is Status.NOT_SUPPORTED
    assert set(report.keys) == {"vendor", "auditor"}
    assert not report.has_failed


@pytest.mark.parametrize("error", [refusal(405, "MethodNotAllowed"), refusal(503, "SlowDown")])
def test_without_its_boundary_nothing_has_rights_on_aws(
    error: ClientError, run: Run, clients: StoreClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients.iam, "get_policy", failing(error))
    report = run(with_revoker=True)
    found = statuses(report)
    assert report.has_failed
    assert found["boundary policy ltdkeeper-upload-boundary"] is Status.FAILED
    assert found["user ltdkeeper-revoker"] is Status.FAILED
    assert set(report.keys) == {"vendor", "auditor"}
    assert not report.has_rights


@pytest.mark.parametrize("vendor_arn", ["*", "arn:aws:iam::123456789012:root"])
def test_name_that_is_not_legal_changes_nothing(
    vendor_arn: str, run: Run, elsewhere: WantedAccount, clients: StoreClients
) -> None:
    with pytest.raises(UnsafeIdentityError):
        run(wanted=replace(elsewhere, vendor_arn=vendor_arn))
    assert clients.s3.list_buckets()["Buckets"] == []


def test_key_of_a_trial_that_cannot_be_removed_is_told(
    run: Run, elsewhere: WantedAccount, clients: StoreClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(wanted=elsewhere)
    monkeypatch.setattr(clients.iam, "delete_access_key", failing(refusal(503, "SlowDown")))
    report = run(wanted=elsewhere)
    [left] = [step for step in report.steps if "Remove it" in step.why]
    assert (left.status, "SlowDown" in left.detail) == (Status.FAILED, True)
    [_, trial] = clients.iam.list_access_keys(UserName="ltdkeeper-vendor")["AccessKeyMetadata"]
    assert trial["AccessKeyId"] in left.what


CEPH_ACCOUNT = "RGW12345678901234567"


@pytest.fixture
def in_ceph(make_wanted: Callable[..., WantedAccount]) -> WantedAccount:
    return make_wanted(role_arn=f"arn:aws:iam::{CEPH_ACCOUNT}:role/ltdkeeper-upload")


def test_nothing_is_made_outside_of_the_ceph_account_of_the_role(
    run: Run, in_ceph: WantedAccount, clients: StoreClients
) -> None:
    report = run(wanted=in_ceph)
    [step] = report.steps
    assert (step.what, step.status) == (f"account {CEPH_ACCOUNT}", Status.FAILED)
    for command in ("account create", "user create"):
        assert f"radosgw-admin {command}" in step.detail
    assert step.detail.count(f"--account-id {CEPH_ACCOUNT}") == 2
    assert clients.s3.list_buckets()["Buckets"] == []


def test_root_of_a_ceph_account_sets_it_up(
    run: Run, in_ceph: WantedAccount, clients: StoreClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = {"User": {"Arn": f"arn:aws:iam::{CEPH_ACCOUNT}:root"}}
    monkeypatch.setattr(clients.iam, "get_user", lambda **user: root if not user else None)
    report = run(wanted=in_ceph)
    assert report.steps[0].status is Status.UNCHANGED
    assert report.steps[1].status is Status.MADE
