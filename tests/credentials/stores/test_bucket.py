"""The bucket and its settings, as calls to S3."""

from collections.abc import Callable
from typing import Any

import pytest

from builds.models import Store
from credentials.stores.bucket import UNFINISHED_RULE, settle_bucket
from credentials.stores.operator import Operator
from credentials.stores.outcomes import Status
from credentials.stores.plan import Plan

BUCKET = "docs-bucket"
UNFINISHED = "unfinished uploads end after 7 days"


def settled(operator: Operator, plan: Plan, *, apply: bool = True) -> dict[str, Status]:
    return {o.what: o.status for o in settle_bucket(operator.s3, plan, apply=apply)}


def test_bucket_is_made_with_its_settings(operator: Operator, plan: Plan) -> None:
    assert set(settled(operator, plan).values()) == {Status.MADE}
    block = operator.s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    controls = operator.s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_second_run_changes_nothing(operator: Operator, plan: Plan) -> None:
    settled(operator, plan)
    assert set(settled(operator, plan).values()) == {Status.UNCHANGED}


def test_looking_makes_no_bucket(operator: Operator, plan: Plan) -> None:
    assert set(settled(operator, plan, apply=False).values()) == {Status.WOULD_MAKE}
    assert operator.s3.list_buckets()["Buckets"] == []


def test_bucket_is_made_in_its_region(
    make_row: Callable[..., Store], make_plan: Callable[..., Plan], operator: Operator
) -> None:
    fields = {"region": "eu-central-1"}
    there = Operator.of(make_row(**fields))
    settled(there, make_plan(**fields))
    location = there.s3.get_bucket_location(Bucket=BUCKET)
    assert location["LocationConstraint"] == "eu-central-1"


def rule(**changes: Any) -> dict[str, Any]:
    return UNFINISHED_RULE | {"ID": "theirs"} | changes


def put_rules(operator: Operator, *rules: dict[str, Any]) -> None:
    operator.s3.create_bucket(Bucket=BUCKET)
    operator.s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET,
        LifecycleConfiguration={"Rules": [*rules]},  # type: ignore[list-item]
    )


SOONER = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
LATER = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 8}}


def test_another_rule_that_does_it_is_enough(operator: Operator, plan: Plan) -> None:
    put_rules(operator, rule(**SOONER))
    assert settled(operator, plan)[UNFINISHED] is Status.UNCHANGED


@pytest.mark.parametrize(
    "theirs",
    [rule(**LATER), rule(Status="Disabled"), rule(Filter={"Prefix": "some/"})],
    ids=["later", "disabled", "of some"],
)
def test_rule_that_does_not_do_it_is_kept_beside_ours(
    theirs: dict[str, Any], operator: Operator, plan: Plan
) -> None:
    put_rules(operator, theirs)
    assert settled(operator, plan)[UNFINISHED] is Status.MADE
    rules = operator.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert [each["ID"] for each in rules] == ["theirs", UNFINISHED_RULE["ID"]]


def test_our_rule_is_put_right(operator: Operator, plan: Plan) -> None:
    put_rules(operator, UNFINISHED_RULE | {"Status": "Disabled"})
    assert settled(operator, plan)[UNFINISHED] is Status.MADE
    [only] = operator.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert only["Status"] == "Enabled"
