"""Names and documents that follow from a store's role."""

import json
from collections.abc import Callable

import pytest

from credentials.identities import (
    UnsafeIdentityError,
    boundary_policy,
    upload_policy,
    vendor_policy,
)
from credentials.stores.documents import auditor_policy, revoker_policy
from credentials.stores.plan import Plan

MakePlan = Callable[..., Plan]
ACCOUNT = "arn:aws:iam::123456789012"


def test_names_follow_from_the_role(plan: Plan) -> None:
    assert (plan.role_name, plan.role_path) == ("ltdkeeper-upload", "/")
    assert plan.boundary_arn == f"{ACCOUNT}:policy/ltdkeeper-upload-boundary"
    assert plan.vendor == f"{ACCOUNT}:user/ltdkeeper-vendor"
    assert plan.user_name("auditor") == "ltdkeeper-auditor"


def test_role_may_have_a_path(make_plan: MakePlan) -> None:
    plan = make_plan(role_arn=f"{ACCOUNT}:role/ci/docs/upload")
    assert (plan.role_name, plan.role_path) == ("upload", "/ci/docs/")


def test_names_stay_in_partition_and_account(make_plan: MakePlan) -> None:
    plan = make_plan(role_arn="arn:aws-cn:iam::123456789012:role/upload")
    assert plan.vendor.startswith("arn:aws-cn:iam::123456789012:user/")
    assert plan.bucket_arn == "arn:aws-cn:s3:::docs-bucket"


def test_prefix_begins_the_names_of_users(make_plan: MakePlan) -> None:
    assert make_plan(prefix="ci").vendor == f"{ACCOUNT}:user/ci-vendor"


def test_existing_vendor_is_trusted_as_it_is(make_plan: MakePlan) -> None:
    plan = make_plan(vendor_arn=f"{ACCOUNT}:role/ecs-task")
    trust = json.loads(plan.trust(refuse_sessions=False))
    assert trust["Statement"][0]["Principal"] == {"AWS": f"{ACCOUNT}:role/ecs-task"}
    assert not plan.makes_vendor


def test_vendor_under_a_role_could_not_pass_a_trust_that_refuses_sessions(
    make_plan: MakePlan,
) -> None:
    assert make_plan().may_refuse_sessions
    assert not make_plan(vendor_arn=f"{ACCOUNT}:role/ecs-task").may_refuse_sessions


@pytest.mark.parametrize("vendor_arn", ["*", f"{ACCOUNT}:root", f"{ACCOUNT}:role/*"])
def test_vendor_is_one_whole_principal(vendor_arn: str, make_plan: MakePlan) -> None:
    with pytest.raises(UnsafeIdentityError):
        make_plan(vendor_arn=vendor_arn).trust(refuse_sessions=False)


def test_external_id_is_in_the_trust_policy(make_plan: MakePlan) -> None:
    trust = json.loads(make_plan(external_id="x-1").trust(refuse_sessions=False))
    assert trust["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "x-1"}}


def test_trust_refuses_sessions_where_it_is_asked_to(plan: Plan) -> None:
    [asked] = json.loads(plan.trust(refuse_sessions=True))["Statement"]
    [not_asked] = json.loads(plan.trust(refuse_sessions=False))["Statement"]
    assert asked == not_asked | {"Condition": {"Null": {"aws:TokenIssueTime": "true"}}}


def test_each_identity_carries_its_own_document(make_plan: MakePlan) -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
    plan = make_plan(kms_key_arn=key)
    scope: dict[str, str] = {"role_arn": plan.role_arn, "bucket": "docs-bucket"}
    boundary = f"{ACCOUNT}:policy/ltdkeeper-upload-boundary"
    assert plan.documents == {
        "vendor": vendor_policy(role_arns=[plan.role_arn]),
        "upload": upload_policy(**scope, kms_key_arn=key),
        "boundary": boundary_policy(**scope, kms_key_arn=key),
        "auditor": auditor_policy(
            **scope, boundary_arn=boundary, vendor_arn=plan.vendor, kms_key_arn=key
        ),
        "revoker": revoker_policy(role_arn=plan.role_arn, boundary_arn=boundary),
    }


@pytest.mark.parametrize(("row", "role"), [(900, 3600), (3600, 3600), (43_200, 43_200)])
def test_longest_session_is_at_least_what_aws_takes(
    row: int, role: int, make_plan: MakePlan
) -> None:
    assert make_plan(role_max_seconds=row).session_seconds == role


def test_store_with_an_endpoint_is_not_taken_for_aws(make_plan: MakePlan) -> None:
    assert make_plan().is_aws
    assert not make_plan(endpoint_url="https://s3.example.org").is_aws
