"""Answers that the embedded store does not give: of KMS, and of stores that know less."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from builds.models import Store
from credentials.doctor import bucket_checks, role_checks, vendor_attempts, vendor_checks
from credentials.doctor.findings import Finding
from credentials.doctor.hand import Hand
from credentials.doctor.obstacles import (
    NotLookedAt,
    NotPermitted,
    NotSupported,
    Obstacle,
    Unclear,
    Whose,
)
from credentials.doctor.scene import Scene
from credentials.operations.isolation.checking import Canaries
from tests.credentials.doctor.aws_account import ACCOUNT, KEY, ROLE, VENDOR, expected, policy

STATUS = {"NotImplemented": 501, "MethodNotAllowed": 405, "AccessDenied": 403, "404": 404}
Look = Callable[[Scene], Iterator[Finding]]


@pytest.fixture
def scene() -> Scene:
    return make_scene(kms_key_arn=KEY)


def make_scene(**changes: Any) -> Scene:
    """Of a store that nobody runs: only what a test stubs gives an answer."""
    session = boto3.session.Session(aws_access_key_id="AKIA", aws_secret_access_key="x")
    auditor, vendor = (
        Hand(whose=whose, expected=expected(**changes), addressing="auto", session=session)
        for whose in (Whose.AUDITOR, Whose.VENDOR)
    )
    build = SimpleNamespace(root="guide/builds/v1", bucket_name="docs")
    canaries = cast(Canaries, SimpleNamespace(own=build))
    return Scene(store=Store(name="main"), canaries=canaries, auditor=auditor, vendor=vendor)


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


def found(check: Look, scene: Scene) -> list[str]:
    return [finding.id for finding in check(scene)]


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
def test_key_that_the_store_names_is_asked_for(case: str, scene: Scene) -> None:
    answer, ids = KEYS[case]
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(scene.auditor.kms, describe_key=answer)
    assert found(bucket_checks.kms_key, scene) == ids


def test_key_of_another_region_is_not_asked_for() -> None:
    scene = make_scene(kms_key_arn=KEY.replace("eu-central-1", "eu-west-1"))
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(scene.auditor.kms)
    assert found(bucket_checks.kms_key, scene) == ["kms-key.other-region"]


def test_right_to_look_at_the_key_is_named_with_the_key(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(scene.auditor.kms, describe_key="AccessDeniedException")
    with pytest.raises(NotPermitted) as caught:
        found(bucket_checks.kms_key, scene)
    assert (caught.value.action, caught.value.resource) == ("kms:DescribeKey", KEY)


# check -> the call that the store does not know
UNSUPPORTED: dict[Look, str] = {
    bucket_checks.bucket: "get_bucket_location",
    bucket_checks.bucket_policy: "get_bucket_policy",
    bucket_checks.public_access: "get_public_access_block",
    bucket_checks.acls: "get_bucket_ownership_controls",
    bucket_checks.unfinished_uploads: "get_bucket_lifecycle_configuration",
    bucket_checks.encryption: "get_bucket_encryption",
}
CODES: dict[str, type[Obstacle]] = {
    "NotImplemented": NotSupported,
    "MethodNotAllowed": NotSupported,
    "AccessDenied": NotPermitted,
    "InternalError": Unclear,
    "NoSuchBucket": NotLookedAt,
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("check", UNSUPPORTED, ids=lambda check: check.__name__)
def test_setting_that_cannot_be_had_is_no_fault_of_the_bucket(
    check: Look, code: str, scene: Scene
) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(scene.auditor.s3, **{UNSUPPORTED[check]: code})
    if (check, code) == (bucket_checks.bucket, "NoSuchBucket"):
        assert found(check, scene) == ["bucket.missing"]
        return
    with pytest.raises(CODES[code]):
        found(check, scene)


def test_store_that_answers_without_a_rule_knows_no_ownership(scene: Scene) -> None:
    stub(scene.auditor.s3, get_bucket_ownership_controls={"OwnershipControls": {"Rules": []}})
    with pytest.raises(NotSupported):
        found(bucket_checks.acls, scene)


def role(**fields: Any) -> dict[str, Any]:
    """What GetRole answers."""
    trust = policy({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole"})
    known = {"Path": "/", "RoleName": "upload", "RoleId": "AROA" + "A" * 16, "Arn": ROLE}
    return {
        "Role": known
        | {"CreateDate": "2026-01-01T00:00:00Z", "AssumeRolePolicyDocument": json.dumps(trust)}
        | fields
    }


def test_store_without_policies_knows_no_boundary(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(scene.auditor.iam, get_role=role(), get_policy="MethodNotAllowed")
    with pytest.raises(NotSupported):
        found(role_checks.boundary, scene)


def test_boundary_is_missing_though_the_auditor_may_not_see_it(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(scene.auditor.iam, get_role=role(), get_policy="AccessDenied")
    assert found(role_checks.boundary, scene) == ["boundary.missing"]


def test_boundary_that_does_not_exist_is_missing(scene: Scene) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/gone"
    carried = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    stub(scene.auditor.iam, get_role=role(PermissionsBoundary=carried), get_policy="NoSuchEntity")
    assert found(role_checks.boundary, scene) == ["boundary.missing"]


def test_role_of_another_account_is_told(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    other = ROLE.replace(ACCOUNT, "999999999999")
    stub(scene.auditor.iam, get_role=role(Arn=other))
    assert found(role_checks.role, scene) == ["role.other-arn"]


def test_vendor_that_the_store_does_not_name_is_who_the_role_trusts(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity="MethodNotAllowed")
    stub(scene.auditor.iam, get_role=role())
    assert scene.expected.vendor_arn == VENDOR


def test_answer_without_a_name_is_none(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={})
    with pytest.raises(NotSupported):
        scene.caller()


def test_vendor_stays_unknown_where_the_role_cannot_be_read(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity="MethodNotAllowed")
    stub(scene.auditor.iam, get_role="AccessDenied")
    assert scene.expected.vendor_arn == ""


def test_service_that_runs_as_root_is_told(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": f"arn:aws:iam::{ACCOUNT}:root"})
    assert found(vendor_checks.vendor, scene) == ["vendor.root"]


def test_vendor_of_another_account_is_not_looked_at(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": "arn:aws:iam::999999999999:user/vendor"})
    with pytest.raises(NotLookedAt, match="another account"):
        found(vendor_checks.vendor_policies, scene)


def test_store_that_does_not_tell_its_time_is_no_fault(scene: Scene) -> None:
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    with pytest.raises(NotLookedAt, match="time"):
        found(vendor_checks.clock, scene)


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
    scene = make_scene(**changes)
    stub(scene.vendor.sts, get_caller_identity={"Arn": VENDOR})
    methods = ["list_buckets", "head_bucket", "list_objects_v2", "put_object"]
    stub(scene.vendor.s3, **dict(zip(methods, answers, strict=True)))
    assert found(vendor_attempts.vendor_s3, scene) == ids


def test_call_that_cannot_even_be_sent_is_unclear(scene: Scene) -> None:
    with pytest.raises(Unclear, match="s3:GetBucketPolicy: ParamValidationError"):
        scene.auditor.ask(scene.auditor.s3, "get_bucket_policy")
