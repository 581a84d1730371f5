"""The bucket and its settings, as calls to S3."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builds.models import Store
from credentials.operations.account import bucket
from credentials.operations.account.bootstrap import Report, Run
from credentials.operations.account.bucket import UNFINISHED_RULE
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import Status, Step, settle
from credentials.rules.account_documents import WantedAccount, vendor_denial

BUCKET = "docs-bucket"
UNFINISHED = "unfinished uploads end after 7 days"


def settled(
    clients: StoreClients, wanted: WantedAccount, *, apply: bool = True
) -> dict[str, Status]:
    report = Report(store_name="main", applied=apply)
    Run(clients=clients, account=wanted, apply=apply, report=report).bucket()
    return {step.what: step.status for step in report.steps}


def test_bucket_is_made_with_its_settings(clients: StoreClients, wanted: WantedAccount) -> None:
    assert set(settled(clients, wanted).values()) == {Status.MADE}
    block = clients.s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    controls = clients.s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_second_run_changes_nothing(clients: StoreClients, wanted: WantedAccount) -> None:
    settled(clients, wanted)
    assert set(settled(clients, wanted).values()) == {Status.UNCHANGED}


def test_looking_makes_no_bucket(clients: StoreClients, wanted: WantedAccount) -> None:
    assert set(settled(clients, wanted, apply=False).values()) == {Status.WOULD_MAKE}
    assert clients.s3.list_buckets()["Buckets"] == []


def test_bucket_is_made_in_its_region(
    make_row: Callable[..., Store], make_wanted: Callable[..., WantedAccount], clients: StoreClients
) -> None:
    fields = {"region": "eu-central-1"}
    there = StoreClients(store=make_row(**fields))
    settled(there, make_wanted(**fields))
    location = there.s3.get_bucket_location(Bucket=BUCKET)
    assert location["LocationConstraint"] == "eu-central-1"


def rule(**changes: Any) -> dict[str, Any]:
    return UNFINISHED_RULE | {"ID": "theirs"} | changes


def put_rules(clients: StoreClients, *rules: dict[str, Any]) -> None:
    clients.s3.create_bucket(Bucket=BUCKET)
    clients.s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET,
        LifecycleConfiguration={"Rules": [*rules]},  # type: ignore[list-item]
    )


SOONER = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
LATER = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 8}}


def test_another_rule_that_does_it_is_enough(clients: StoreClients, wanted: WantedAccount) -> None:
    put_rules(clients, rule(**SOONER))
    assert settled(clients, wanted)[UNFINISHED] is Status.UNCHANGED


@pytest.mark.parametrize(
    "theirs",
    [rule(**LATER), rule(Status="Disabled"), rule(Filter={"Prefix": "some/"})],
    ids=["later", "disabled", "of some"],
)
def test_rule_that_does_not_do_it_is_kept_beside_ours(
    theirs: dict[str, Any], clients: StoreClients, wanted: WantedAccount
) -> None:
    put_rules(clients, theirs)
    assert settled(clients, wanted)[UNFINISHED] is Status.MADE
    rules = clients.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert [each["ID"] for each in rules] == ["theirs", UNFINISHED_RULE["ID"]]


def test_our_rule_is_put_right(clients: StoreClients, wanted: WantedAccount) -> None:
    put_rules(clients, UNFINISHED_RULE | {"Status": "Disabled"})
    assert settled(clients, wanted)[UNFINISHED] is Status.MADE
    [only] = clients.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert only["Status"] == "Enabled"


THEIRS = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
          "Resource": f"arn:aws:s3:::{BUCKET}/*/v/*"}  # fmt: skip


@pytest.fixture
def denial(wanted: WantedAccount, clients: StoreClients) -> dict[str, Any]:
    """In a bucket that is there."""
    clients.s3.create_bucket(Bucket=BUCKET)
    return vendor_denial(vendor_arn=wanted.vendor, bucket_arn=wanted.bucket_arn)


def statements(clients: StoreClients) -> list[Any]:
    found: list[Any] = json.loads(clients.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])[
        "Statement"
    ]
    return found


def put_policy(clients: StoreClients, statement: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": statement}
    clients.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


def test_denial_is_of_everything_and_spares_sessions(
    wanted: WantedAccount, denial: dict[str, Any]
) -> None:
    assert denial["Effect"] == "Deny"
    assert denial["Principal"] == {"AWS": wanted.vendor}
    assert denial["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    assert denial["Condition"] == {"Null": {"aws:TokenIssueTime": "true"}}


def test_denial_is_made_once(
    wanted: WantedAccount, clients: StoreClients, denial: dict[str, Any]
) -> None:
    runs = [
        settle(bucket.nothing_for_the_vendor(clients, wanted), apply=True).status for _ in range(2)
    ]
    assert runs == [Status.MADE, Status.UNCHANGED]
    assert statements(clients) == [denial]


@pytest.mark.parametrize("theirs", [THEIRS, [THEIRS]], ids=["one", "a list"])
def test_other_statements_are_kept(
    theirs: Any, wanted: WantedAccount, clients: StoreClients, denial: dict[str, Any]
) -> None:
    put_policy(clients, theirs)
    settle(bucket.nothing_for_the_vendor(clients, wanted), apply=True)
    assert statements(clients) == [THEIRS, denial]


def test_denial_of_another_vendor_is_replaced(
    wanted: WantedAccount, clients: StoreClients, denial: dict[str, Any]
) -> None:
    put_policy(clients, [denial | {"Principal": {"AWS": f"{wanted.vendor}-before"}}])
    settle(bucket.nothing_for_the_vendor(clients, wanted), apply=True)
    assert statements(clients) == [denial]


def test_looking_changes_nothing(
    wanted: WantedAccount, clients: StoreClients, denial: dict[str, Any]
) -> None:
    assert (
        settle(bucket.nothing_for_the_vendor(clients, wanted), apply=False).status
        is Status.WOULD_MAKE
    )
    with pytest.raises(clients.s3.exceptions.ClientError):
        clients.s3.get_bucket_policy(Bucket=BUCKET)


@pytest.mark.parametrize("status", Status)
def test_only_a_store_without_ownership_controls_gives_objects_to_the_vendor(
    status: Status, clients: StoreClients, wanted: WantedAccount
) -> None:
    steps = [
        Step(what="bucket", why="", status=Status.NOT_SUPPORTED),
        Step(what="ACLs off", why="", status=status),
    ]
    report = Report(store_name="main", applied=True, steps=steps)
    run = Run(clients=clients, account=wanted, apply=True, report=report)
    assert run.objects_have_owners is (status is Status.NOT_SUPPORTED)
    role_arn = "arn:aws:iam::RGW12345678901234567:role/upload"
    in_account = replace(run, account=replace(wanted, role_arn=role_arn))
    assert not in_account.objects_have_owners


def test_default_beside_the_rules_is_kept(
    clients: StoreClients, wanted: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS sets it back where a call does not name it."""
    default = {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    held: dict[str, Any] = {"Rules": [], **default}

    def put(*, Bucket: str, LifecycleConfiguration: Any, **rest: str) -> None:  # noqa: N803
        held.clear()
        held.update(LifecycleConfiguration, **rest)

    monkeypatch.setattr(clients.s3, "get_bucket_lifecycle_configuration", lambda **_: held)
    monkeypatch.setattr(clients.s3, "put_bucket_lifecycle_configuration", put)
    step = settle(bucket.unfinished_uploads(clients, wanted), apply=True)
    assert (step.status, len(held["Rules"])) == (Status.MADE, 1)
    assert held.items() >= default.items()
