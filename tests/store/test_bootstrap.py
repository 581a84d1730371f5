"""`bootstrap_store` on a real store: what it makes holds, and a second run changes nothing."""

from credentials.operations.account.bootstrap import Report, bootstrap_store
from credentials.operations.account.requirements import Status
from tests.store.answers import answer_to
from tests.store.differences import Expectations
from tests.store.documents import ANYBODY, EVERYTHING
from tests.store.stage import Account, named
from tests.store.under_test import StoreUnderTest

AGAIN = "sessions cannot assume the role again"
# What the first run does on AWS, whose new buckets have ACLs off and public access blocked.
STEPS: dict[str, Status] = {
    "bucket NAME-docs": Status.MADE,
    "ACLs off": Status.UNCHANGED,
    "public access block": Status.UNCHANGED,
    "unfinished uploads end after 7 days": Status.MADE,
    "user NAME-vendor": Status.MADE,
    "policy of NAME-vendor for NAME-upload": Status.MADE,
    "access key of NAME-vendor": Status.MADE,
    "boundary policy NAME-upload-boundary": Status.MADE,
    "role NAME-upload": Status.MADE,
    "trust policy of NAME-upload": Status.UNCHANGED,
    AGAIN: Status.CONFIRMED,
    "boundary of NAME-upload": Status.MADE,
    "longest session of NAME-upload: 3600 s": Status.UNCHANGED,
    "policy of NAME-upload": Status.MADE,
    "user NAME-auditor": Status.MADE,
    "policy of NAME-auditor for NAME-upload": Status.MADE,
    "access key of NAME-auditor": Status.MADE,
    "user NAME-revoker": Status.MADE,
    "policy of NAME-revoker for NAME-upload": Status.MADE,
    "access key of NAME-revoker": Status.MADE,
}


def run_again(account: Account, *, apply: bool = True) -> Report:
    return bootstrap_store(
        clients=account.operator,
        account=account.plan,
        vendor_key=account.store.vendor,
        apply=apply,
    )


def statuses(report: Report, account: Account) -> dict[str, Status]:
    """The steps without the names of this run."""
    names = {account.plan.vendor: "VENDOR", account.plan.prefix: "NAME"}
    names |= {account.store.account or "none": "ACCOUNT"}
    found = {}
    for step in report.steps:
        what = step.what
        for name, general in names.items():
            what = what.replace(name, general)
        found[what] = step.status
    return found


def test_every_step_ends_as_the_store_allows(account: Account, expect: Expectations) -> None:
    expected = STEPS | expect.of("bootstrap: steps", {})
    assert statuses(account.report, account) == {k: v for k, v in expected.items() if v}


def test_keys_are_shown_of_the_users_that_were_made(account: Account, expect: Expectations) -> None:
    made = expect.of("bootstrap: keys", {"vendor", "auditor", "revoker"})
    assert set(account.report.keys) == made


def test_second_run_changes_nothing(account: Account) -> None:
    report = run_again(account)
    assert (report.has_changed, report.has_failed, report.keys) == (False, False, {})


def test_run_without_apply_makes_nothing(store: StoreUnderTest, account: Account) -> None:
    _, plan = named(store, f"{account.plan.prefix}-dry")
    report = bootstrap_store(
        clients=account.operator, account=plan, vendor_key=store.vendor, apply=False
    )
    assert not report.has_changed
    assert statuses(report, account)["bucket NAME-dry-docs"] is Status.WOULD_MAKE
    assert answer_to(lambda: account.admin.head_bucket(Bucket=plan.bucket)).status == 404
    assert answer_to(lambda: account.iam.get_role(RoleName=plan.role_name)).status == 404


def test_drift_is_mended(spare: Account) -> None:
    role = spare.plan.role_name
    spare.iam.update_assume_role_policy(RoleName=role, PolicyDocument=ANYBODY)
    spare.iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=EVERYTHING)
    spare.admin.delete_bucket_lifecycle(Bucket=spare.bucket)
    mended = statuses(run_again(spare), spare)
    changed = {what for what, status in mended.items() if status is Status.CHANGED}
    assert changed - {AGAIN} == {"trust policy of NAME-upload", "policy of NAME-upload"}
    assert mended["unfinished uploads end after 7 days"] is Status.MADE
    assert not run_again(spare).has_changed


def test_foreign_rules_of_the_life_cycle_are_kept(spare: Account) -> None:
    rule = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "old/"},
            "Expiration": {"Days": 90}}  # fmt: skip
    spare.admin.put_bucket_lifecycle_configuration(
        Bucket=spare.bucket, LifecycleConfiguration={"Rules": [rule]}
    )
    run_again(spare)
    rules = spare.admin.get_bucket_lifecycle_configuration(Bucket=spare.bucket)["Rules"]
    assert {rule["ID"] for rule in rules} == {"theirs", "ltdkeeper-unfinished-uploads"}
