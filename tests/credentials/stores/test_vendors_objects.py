"""The statement that keeps the vendor's own key from what its sessions wrote."""

import json
from typing import Any

import pytest

from credentials.stores.bucket import has_owners
from credentials.stores.documents import vendor_denial
from credentials.stores.operator import Operator
from credentials.stores.outcomes import Outcome, Status
from credentials.stores.plan import Plan
from credentials.stores.vendors_objects import settle_vendors_objects

BUCKET = "docs-bucket"
THEIRS = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
          "Resource": f"arn:aws:s3:::{BUCKET}/*/v/*"}  # fmt: skip


@pytest.fixture
def denial(plan: Plan, operator: Operator) -> dict[str, Any]:
    """In a bucket that is there."""
    operator.s3.create_bucket(Bucket=BUCKET)
    return vendor_denial(vendor_arn=plan.vendor, bucket_arn=plan.bucket_arn)


def statements(operator: Operator) -> list[Any]:
    found: list[Any] = json.loads(operator.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])[
        "Statement"
    ]
    return found


def put_policy(operator: Operator, statement: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": statement}
    operator.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


def test_denial_is_of_everything_and_spares_sessions(plan: Plan, denial: dict[str, Any]) -> None:
    assert denial["Effect"] == "Deny"
    assert denial["Principal"] == {"AWS": plan.vendor}
    assert denial["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    assert denial["Condition"] == {"Null": {"aws:TokenIssueTime": "true"}}


def test_denial_is_made_once(plan: Plan, operator: Operator, denial: dict[str, Any]) -> None:
    runs = [settle_vendors_objects(operator.s3, plan, apply=True).status for _ in range(2)]
    assert runs == [Status.MADE, Status.UNCHANGED]
    assert statements(operator) == [denial]


@pytest.mark.parametrize("theirs", [THEIRS, [THEIRS]], ids=["one", "a list"])
def test_other_statements_are_kept(
    theirs: Any, plan: Plan, operator: Operator, denial: dict[str, Any]
) -> None:
    put_policy(operator, theirs)
    settle_vendors_objects(operator.s3, plan, apply=True)
    assert statements(operator) == [THEIRS, denial]


def test_denial_of_another_vendor_is_replaced(
    plan: Plan, operator: Operator, denial: dict[str, Any]
) -> None:
    put_policy(operator, [denial | {"Principal": {"AWS": f"{plan.vendor}-before"}}])
    settle_vendors_objects(operator.s3, plan, apply=True)
    assert statements(operator) == [denial]


def test_looking_changes_nothing(plan: Plan, operator: Operator, denial: dict[str, Any]) -> None:
    assert settle_vendors_objects(operator.s3, plan, apply=False).status is Status.WOULD_MAKE
    with pytest.raises(operator.s3.exceptions.ClientError):
        operator.s3.get_bucket_policy(Bucket=BUCKET)


@pytest.mark.parametrize("status", Status)
def test_only_a_store_without_ownership_controls_gives_objects_to_the_vendor(
    status: Status,
) -> None:
    outcomes = [
        Outcome(what="bucket", why="", status=Status.NOT_SUPPORTED),
        Outcome(what="ACLs off", why="", status=status),
    ]
    assert has_owners(outcomes) is (status is Status.NOT_SUPPORTED)
