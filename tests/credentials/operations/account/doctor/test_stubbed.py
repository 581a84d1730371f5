"""Answers that the embedded store does not give: of KMS, and of stores that know less."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber
from pytest_django import Settings

from builds.models import Store
from credentials.operations.account import (
    attempts,
    policy_checks,
    setting_checks,
    user_checks,
)
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import (
    NotLookedAt,
    NotPermitted,
    NotSupported,
    Obstacle,
    Unclear,
    Whose,
)
from credentials.operations.findings import Finding
from credentials.operations.isolation.checking import ProbeBuilds

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/upload"
VENDOR = f"arn:aws:iam::{ACCOUNT}:user/vendor"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd"
STATUS = {"NotImplemented": 501, "MethodNotAllowed": 405, "AccessDenied": 403, "404": 404}
Look = Callable[[Examination], Iterator[Finding]]


@pytest.fixture
def examination() -> Examination:
    return make_examination(kms_key_arn=KEY)


def make_examination(**changes: Any) -> Examination:
    """Of a store that nobody runs: only what a test stubs gives an answer."""
    session = boto3.session.Session(aws_access_key_id="AKIA", aws_secret_access_key="x")
    store = Store(name="main", bucket="docs", region="eu-central-1", role_arn=ROLE, **changes)
    auditor, vendor, revoker = (
        StoreClients(store=store, whose=whose, session=session)
        for whose in (Whose.AUDITOR, Whose.VENDOR, Whose.REVOKER)
    )
    build = SimpleNamespace(root="guide/builds/v1", bucket_name="docs")
    probes = cast(ProbeBuilds, SimpleNamespace(own=build))
    return Examination(store=store, probes=probes, auditor=auditor, vendor=vendor, revoker=revoker)


def stub(client: Any, **answers: Any) -> None:
    """Give a client its answers: a document, or an error's code."""
    stubber = Stubber(client)
    for method, answer in answers.items():
        if isinstance(answer, str):
            status = STATUS.get(answer, 400)
            stubber.add_client_error(method, answer, http_status_code=status)
        else:
            stubber.add_response(method, answer)
    stubber.activate()


def found(check: Look, examination: Examination) -> list[str]:
    return [finding.rule for finding in check(examination)]


METADATA = {
    "KeyId": "1234abcd",
    "KeyState": "Enabled",
    "KeyUsage": "ENCRYPT_DECRYPT",
    "KeySpec": "SYMMETRIC_DEFAULT",
}
KEYS: dict[str, tuple[Any, list[str]]] = {
    "usable": ({"KeyMetadata": METADATA}, []),
    "disabled": ({"KeyMetadata": METADATA | {"KeyState": "Disabled"}}, ["kms-key.disabled"]),
    "missing": ("NotFoundException", ["kms-key.missing"]),
}


@pytest.mark.parametrize("case", KEYS)
def test_key_that_the_store_names_is_asked_for(case: str, examination: Examination) -> None:
    answer, ids = KEYS[case]
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(examination.auditor.kms, describe_key=answer)
    assert found(setting_checks.kms_key, examination) == ids


def test_key_of_another_region_is_not_asked_for() -> None:
    examination = make_examination(kms_key_arn=KEY.replace("eu-central-1", "eu-west-1"))
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(examination.auditor.kms)
    assert found(setting_checks.kms_key, examination) == ["kms-key.other-region"]


def test_right_to_look_at_the_key_is_named_with_the_key(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(examination.auditor.kms, describe_key="AccessDeniedException")
    with pytest.raises(NotPermitted) as caught:
        found(setting_checks.kms_key, examination)
    assert (caught.value.names["action"], caught.value.names["resource"]) == (
        "kms:DescribeKey",
        KEY,
    )


LOGS, DENIED = "logs", "AccessDenied"
LISTED: Any = {"Contents": [{"Key": "AWSLogs/first.json.gz"}]}
# what ListObjectsV2, GetObject and ListPublicKeys answer -> the right that the auditor lacks
TRAILS: dict[str, tuple[dict[str, Any], str | dict[str, Any], str]] = {
    "readable": ({"list_objects_v2": LISTED, "get_object": {"Body": BytesIO()}}, {}, ""),
    "empty": ({"list_objects_v2": {}}, {}, ""),
    "log gone meanwhile": ({"list_objects_v2": LISTED, "get_object": "404"}, {}, ""),
    "not listed": ({"list_objects_v2": DENIED}, {}, "s3:ListBucket"),
    "not read": ({"list_objects_v2": LISTED, "get_object": DENIED}, {}, "s3:GetObject"),
    "no public keys": ({"list_objects_v2": {}}, DENIED, "cloudtrail:ListPublicKeys"),
}


@pytest.mark.parametrize("case", TRAILS)
def test_right_to_the_trail_that_the_auditor_lacks_is_named(
    case: str, examination: Examination, settings: Settings
) -> None:
    settings.LTD_TRAIL_BUCKET, (of_s3, keys, missing) = LOGS, TRAILS[case]
    stub(examination.auditor.s3, **of_s3)
    stub(examination.auditor.cloudtrail, list_public_keys=keys)
    expected = pytest.raises(NotPermitted, match=missing) if missing else nullcontext()
    with expected:
        assert found(setting_checks.trail, examination) == []


def test_trail_without_its_bucket_is_found(examination: Examination, settings: Settings) -> None:
    settings.LTD_TRAIL_BUCKET = LOGS
    stub(examination.auditor.s3, list_objects_v2="NoSuchBucket")
    assert found(setting_checks.trail, examination) == ["trail.missing"]


@pytest.mark.parametrize(("bucket", "endpoint"), [("", ""), (LOGS, "https://ceph.example")])
def test_only_a_trail_of_aws_is_looked_at(bucket: str, endpoint: str, settings: Settings) -> None:
    settings.LTD_TRAIL_BUCKET = bucket
    with pytest.raises(NotLookedAt, match="LTD_TRAIL_BUCKET"):
        found(setting_checks.trail, make_examination(endpoint_url=endpoint))


# check -> the call that the store does not know
UNSUPPORTED: dict[Look, str] = {
    setting_checks.bucket_place: "get_bucket_location",
    policy_checks.bucket_policy: "get_bucket_policy",
    setting_checks.public_access: "get_public_access_block",
    setting_checks.acls: "get_bucket_ownership_controls",
    setting_checks.unfinished_uploads: "get_bucket_lifecycle_configuration",
    setting_checks.encryption: "get_bucket_encryption",
}
CODES: dict[str, type[Obstacle]] = {
    "NotImplemented": NotSupported,
    "MethodNotAllowed": NotSupported,
    "AccessDenied": NotPermitted,
    "InternalError": Unclear,
    "NoSuchBucket": NotLookedAt,
}


# All codes of one check, and of each other one the two that some checks expect.
CANNOT_BE_HAD = [
    *((policy_checks.bucket_policy, code) for code in CODES),
    *(
        (check, code)
        for check in UNSUPPORTED
        for code in ("NotImplemented", "NoSuchBucket")
        if check is not policy_checks.bucket_policy
    ),
]


@pytest.mark.parametrize(("check", "code"), CANNOT_BE_HAD)
def test_setting_that_cannot_be_had_is_no_fault_of_the_bucket(check: Look, code: str) -> None:
    examination = make_examination(endpoint_url="https://s3.example.org")
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(examination.auditor.iam, get_role="NotImplemented")
    stub(examination.auditor.s3, **{UNSUPPORTED[check]: code})
    if (check, code) == (setting_checks.bucket_place, "NoSuchBucket"):
        assert found(check, examination) == ["bucket.missing"]
        return
    with pytest.raises(CODES[code]):
        found(check, examination)


def test_policy_that_aws_keeps_from_other_accounts_is_not_looked_at_in_vain() -> None:
    examination = make_examination()
    stub(examination.auditor.s3, get_bucket_policy="MethodNotAllowed")
    with pytest.raises(Unclear, match="405 MethodNotAllowed"):
        found(policy_checks.bucket_policy, examination)


def test_store_that_answers_without_a_rule_knows_no_ownership(examination: Examination) -> None:
    stub(examination.auditor.s3, get_bucket_ownership_controls={"OwnershipControls": {"Rules": []}})
    with pytest.raises(NotSupported):
        found(setting_checks.acls, examination)


def role(**fields: Any) -> dict[str, Any]:
    """What GetRole answers."""
    trust = {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole"}
    known = {"Path": "/", "RoleName": "upload", "RoleId": "AROA" + "A" * 16, "Arn": ROLE}
    return {
        "Role": known
        | {
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": json.dumps({"Statement": trust}),
        }
        | fields
    }


def test_store_without_policies_knows_no_boundary(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(examination.auditor.iam, get_role=role(), get_policy="MethodNotAllowed")
    with pytest.raises(NotSupported):
        found(policy_checks.boundary, examination)


def test_boundary_is_missing_though_the_auditor_may_not_see_it(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(examination.auditor.iam, get_role=role(), get_policy="AccessDenied")
    assert found(policy_checks.boundary, examination) == ["boundary.missing"]


def test_boundary_that_does_not_exist_is_missing(examination: Examination) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/gone"
    carried = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(
        examination.auditor.iam,
        get_role=role(PermissionsBoundary=carried),
        get_policy="NoSuchEntity",
    )
    assert found(policy_checks.boundary, examination) == ["boundary.missing"]


def test_role_of_another_account_is_told(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    other = ROLE.replace(ACCOUNT, "999999999999")
    stub(examination.auditor.iam, get_role=role(Arn=other))
    assert found(setting_checks.role, examination) == ["role.missing"]


def test_vendor_that_the_store_does_not_name_is_who_the_role_trusts(
    examination: Examination,
) -> None:
    stub(examination.vendor.sts, get_caller_identity="MethodNotAllowed")
    stub(examination.auditor.iam, get_role=role())
    assert examination.vendor_arn == VENDOR


def test_answer_without_a_name_is_none(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity={})
    with pytest.raises(NotSupported):
        examination.vendor.caller()


def test_vendor_stays_unknown_where_the_role_cannot_be_read(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity="MethodNotAllowed")
    stub(examination.auditor.iam, get_role="AccessDenied")
    assert examination.vendor_arn == ""


def test_service_that_runs_as_root_is_told(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity={"Arn": f"arn:aws:iam::{ACCOUNT}:root"})
    assert found(attempts.vendor, examination) == ["vendor.root"]


def test_vendor_of_another_account_is_not_looked_at(examination: Examination) -> None:
    stub(
        examination.vendor.sts, get_caller_identity={"Arn": "arn:aws:iam::999999999999:user/vendor"}
    )
    with pytest.raises(NotLookedAt, match="another account"):
        found(user_checks.vendor_policies, examination)


def test_store_that_does_not_tell_its_time_is_no_fault(examination: Examination) -> None:
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    with pytest.raises(NotLookedAt, match="time"):
        found(setting_checks.clock, examination)


ELSEWHERE = {"endpoint_url": "http://127.0.0.1:9"}
NO, AWAY = "AccessDenied", "404"
# what ListBuckets, HeadBucket, ListObjectsV2 and PutObject answer the vendor -> findings
TRIES: dict[str, tuple[dict[str, Any], Any, list[str]]] = {
    "refused": ({}, [NO, NO, NO, NO], []),
    "buckets told": ({}, [{"Buckets": []}, NO, NO, NO], ["vendor-s3.allowed"]),
    "own buckets told by another store": (ELSEWHERE, [{"Buckets": []}, NO, NO, NO], []),
    "buckets told by another store": (
        ELSEWHERE,
        [{"Buckets": [{"Name": "docs"}]}, NO, NO, NO],
        ["vendor-s3.allowed"],
    ),
    "unclear": ({}, [NO, AWAY, NO, "InternalError"], ["vendor-s3.unclear"]),
    "not known": ({}, ["MethodNotAllowed", NO, NO, NO], []),
}


@pytest.mark.parametrize("case", TRIES)
def test_only_a_refusal_shows_that_the_vendor_may_not(case: str) -> None:
    changes, answers, ids = TRIES[case]
    examination = make_examination(**changes)
    stub(examination.vendor.sts, get_caller_identity={"Arn": VENDOR})
    methods = ["list_buckets", "head_bucket", "list_objects_v2", "put_object"]
    stub(examination.vendor.s3, **dict(zip(methods, answers, strict=True)))
    assert found(user_checks.vendor_s3, examination) == ids


def test_call_that_cannot_even_be_sent_is_unclear(examination: Examination) -> None:
    with pytest.raises(Unclear, match="s3:GetBucketPolicy: ParamValidationError"):
        examination.auditor.ask("s3", "get_bucket_policy")
