"""The documents of the vendor and the upload role, letter by letter where it matters."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from credentials.rules.account_documents import (
    BUCKET_READS,
    MANAGED_POLICY_READS,
    OBJECT_READS,
    ROLE_READS,
    UNKNOWN_IN_CEPH_ACCOUNTS,
    UNKNOWN_TO_CEPH,
    USER_READS,
    UnsafeIdentityError,
    WantedAccount,
    auditor_policy,
    boundary_policy,
    post_signer_policy,
    revoker_policy,
    trust_policy,
    unbounded_revoker_policy,
    upload_policy,
    vendor_denial,
    vendor_policy,
)
from credentials.rules.policy import Scope, session_policy

ROLE = "arn:aws:iam::123456789012:role/upload"
VENDOR = "arn:aws:iam::123456789012:user/vendor"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
BUILDS = "arn:aws:s3:::docs/*/builds/*"


def statements(document: str) -> list[dict[str, Any]]:
    parsed = json.loads(document)
    assert parsed["Version"] == "2012-10-17"
    return list(parsed["Statement"])


def test_vendor_may_assume_these_roles_and_nothing_else() -> None:
    assert statements(vendor_policy(role_arns=[ROLE, f"{ROLE}-2"])) == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": [ROLE, f"{ROLE}-2"]}
    ]


TRUSTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing more": ({}, {}),
    "external id": (
        {"external_id": "tenant-7"},
        {"Condition": {"StringEquals": {"sts:ExternalId": "tenant-7"}}},
    ),
    "no sessions": (
        {"refuse_sessions": True},
        {"Condition": {"Null": {"aws:TokenIssueTime": "true"}}},
    ),
    "both": (
        {"external_id": "tenant-7", "refuse_sessions": True},
        {
            "Condition": {
                "StringEquals": {"sts:ExternalId": "tenant-7"},
                "Null": {"aws:TokenIssueTime": "true"},
            }
        },
    ),
}


def test_role_trusts_the_vendor_alone() -> None:
    for case, (options, more) in TRUSTS.items():
        assert statements(trust_policy(vendor_arn=VENDOR, **options)) == [
            {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole", **more}
        ], case


ALLOWED = [
    {
        "Effect": "Allow",
        "Action": [
            "s3:PutObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
            "s3:DeleteObject",
        ],
        "Resource": BUILDS,
    },
    {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::docs",
        "Condition": {"StringLike": {"s3:prefix": "*/builds/*"}},
    },
    {"Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": "arn:aws:s3:::docs"},
]
ENCRYPTING = {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": KEY}


REFUSED_HEADERS = {
    "s3:x-amz-acl": ["public-*", "authenticated-read", "aws-exec-read"],
    "s3:x-amz-grant-read": "?*",
    "s3:x-amz-grant-write": "?*",
    "s3:x-amz-grant-read-acp": "?*",
    "s3:x-amz-grant-write-acp": "?*",
    "s3:x-amz-grant-full-control": "?*",
    "s3:x-amz-website-redirect-location": "?*",
}


DENIED = [
    *(
        {
            "Effect": "Deny",
            "Action": ["s3:PutObject", "s3:PutObjectAcl"],
            "Resource": "arn:aws:s3:::docs/*",
            "Condition": {"StringLike": {header: values}},
        }
        for header, values in REFUSED_HEADERS.items()
    ),
    {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"},
]


def test_role_and_boundary_are_the_builds_of_the_bucket_never_made_public() -> None:
    """The boundary denies it too: who rewrites the role's policies cannot take that away."""
    for key, more in [("", []), (KEY, [ENCRYPTING])]:
        for make in [upload_policy, boundary_policy]:
            found = statements(make(role_arn=ROLE, bucket="docs", kms_key_arn=key))
            assert found == DENIED + ALLOWED + more, key


def test_role_and_boundary_read_objects_only_for_sync_products() -> None:
    for make in [upload_policy, boundary_policy]:
        names = {"role_arn": ROLE, "bucket": "docs"}
        without, with_sync = (statements(make(**names, with_sync=sync)) for sync in (False, True))
        [writing] = [each for each in without if each.get("Resource") == BUILDS]
        [syncing] = [each for each in with_sync if each.get("Resource") == BUILDS]
        assert set(syncing["Action"]) - set(writing["Action"]) == {"s3:GetObject"}, make
        assert "s3:DeleteObject" in writing["Action"], make


def test_documents_are_in_the_role_s_partition() -> None:
    for partition in ["aws-cn", "aws-us-gov"]:
        role = ROLE.replace("aws", partition, 1)
        for document in [
            upload_policy(role_arn=role, bucket="docs"),
            boundary_policy(role_arn=role, bucket="docs"),
        ]:
            assert f"arn:{partition}:s3:::docs" in document, partition
            assert "arn:aws:" not in document, partition


def test_documents_are_compact_ascii_within_aws_s_limit() -> None:
    document = boundary_policy(role_arn=ROLE, bucket="b" * 63, kms_key_arn=KEY)
    assert document.isascii()
    assert " " not in document
    assert len(document) <= 6_144, f"{len(document)} characters"


def test_role_s_policy_leaves_room_for_revocations() -> None:
    """All inline policies of a role share 10,240 characters."""
    assert len(upload_policy(role_arn=ROLE, bucket="b" * 63, kms_key_arn=KEY)) < 2_500


def test_session_asks_for_no_action_that_its_role_lacks() -> None:
    scope = Scope(
        partition="aws",
        bucket="docs",
        root="guide/builds/v1",
        may_list_bare_root=True,
        may_sync=True,
        kms_key_arn=KEY,
    )
    boundary = boundary_policy(role_arn=ROLE, bucket="docs", kms_key_arn=KEY, with_sync=True)
    named = [each["Action"] for each in statements(session_policy(scope))]
    allowed = [each for each in statements(boundary) if each["Effect"] == "Allow"]
    assert named == [each["Action"] for each in allowed]


SIGNER = "arn:aws:iam::123456789012:user/signer"
PUTTING = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": BUILDS}


def test_signer_of_posts_may_put_objects_of_builds_and_nothing_else() -> None:
    assert statements(post_signer_policy(role_arn=ROLE, bucket="docs")) == [PUTTING]
    encrypting = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": KEY}
    encrypted = post_signer_policy(role_arn=ROLE, bucket="docs", kms_key_arn=KEY)
    assert statements(encrypted) == [PUTTING, encrypting]


def test_bucket_s_policy_allows_the_signer_the_same() -> None:
    document = post_signer_policy(role_arn=ROLE, bucket="docs", signer_arn=SIGNER)
    assert statements(document) == [PUTTING | {"Principal": {"AWS": SIGNER}}]


UNSAFE: dict[str, Callable[[], str]] = {
    "no role": lambda: vendor_policy(role_arns=[]),
    "any role": lambda: vendor_policy(role_arns=["*"]),
    "roles by wildcard": lambda: vendor_policy(role_arns=[ROLE, f"{ROLE}*"]),
    "any vendor": lambda: trust_policy(vendor_arn="*"),
    "whole account": lambda: trust_policy(vendor_arn="arn:aws:iam::123456789012:root"),
    "vendors by wildcard": lambda: trust_policy(vendor_arn="arn:aws:iam::123456789012:user/*"),
    "vendor with a newline": lambda: trust_policy(vendor_arn=f"{VENDOR}\n"),
    "any bucket": lambda: upload_policy(role_arn=ROLE, bucket="*"),
    "bucket with a key": lambda: boundary_policy(role_arn=ROLE, bucket="docs/guide"),
    "role that is none": lambda: upload_policy(role_arn=VENDOR, bucket="docs"),
    "any signer": lambda: post_signer_policy(role_arn=ROLE, bucket="docs", signer_arn="*"),
    "signer of any bucket": lambda: post_signer_policy(role_arn=ROLE, bucket="*"),
    "signer with any key": lambda: post_signer_policy(
        role_arn=ROLE, bucket="docs", kms_key_arn="*"
    ),
    "any key": lambda: boundary_policy(role_arn=ROLE, bucket="docs", kms_key_arn="*"),
}


def test_no_document_is_made_of_an_unsafe_name() -> None:
    for make in UNSAFE.values():
        with pytest.raises(UnsafeIdentityError):
            make()


BOUNDARY = "arn:aws:iam::123456789012:policy/upload-boundary"
SCOPE = {"role_arn": ROLE, "boundary_arn": BOUNDARY}


def test_auditor_reads_bucket_objects_role_and_boundary() -> None:
    statements = json.loads(auditor_policy(**SCOPE, bucket="docs-bucket"))["Statement"]
    assert [statement["Resource"] for statement in statements] == [
        "arn:aws:s3:::docs-bucket",
        "arn:aws:s3:::docs-bucket/*",
        ROLE,
        BOUNDARY,
    ]


VENDORS = {
    "user": ("arn:aws:iam::123456789012:user/web", True),
    "role": ("arn:aws:iam::123456789012:role/path/web", True),
    "of another account": ("arn:aws:iam::210987654321:user/web", False),
    "not named": ("", False),
}


def test_auditor_reads_the_vendor_of_its_own_account() -> None:
    for case, (vendor_arn, is_read) in VENDORS.items():
        document = auditor_policy(**SCOPE, bucket="docs-bucket", vendor_arn=vendor_arn)
        resources = [statement["Resource"] for statement in json.loads(document)["Statement"]]
        assert resources[4:] == ([vendor_arn] if is_read else []), case


def test_auditor_reads_users_and_roles_by_their_own_actions() -> None:
    for name, actions in (("user", USER_READS), ("role", ROLE_READS)):
        document = auditor_policy(**SCOPE, bucket="docs-bucket", vendor_arn=VENDORS[name][0])
        assert json.loads(document)["Statement"][4]["Action"] == list(actions)


def test_vendor_s_own_key_is_denied_the_bucket_and_its_sessions_are_not() -> None:
    bucket = "arn:aws:s3:::docs-bucket"
    assert vendor_denial(vendor_arn=VENDORS["user"][0], bucket_arn=bucket) == {
        "Sid": "LtdkeeperVendorHasNoObjects",
        "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/web"},
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"Null": {"aws:TokenIssueTime": "true"}},
    }


def test_auditor_reads_both_managed_policies_of_the_role() -> None:
    own = "arn:aws:iam::123456789012:policy/upload"
    document = auditor_policy(**SCOPE, bucket="docs-bucket", upload_policy_arn=own)
    assert json.loads(document)["Statement"][3]["Resource"] == [BOUNDARY, own]


def test_role_s_rights_are_a_managed_policy_on_aws_alone() -> None:
    assert make_wanted().upload_policy_arn == f"{ACCOUNT}:policy/ltdkeeper-upload"
    assert make_wanted().auditor_policy_arn == f"{ACCOUNT}:policy/ltdkeeper-upload-auditor"
    elsewhere = make_wanted(is_aws=False)
    assert elsewhere.upload_policy_arn == elsewhere.auditor_policy_arn == ""


CEPHS = {
    "Ceph": ("", UNKNOWN_TO_CEPH),
    "account of Ceph": ("RGW12345678901234567", UNKNOWN_IN_CEPH_ACCOUNTS),
    "account of another store": ("RGW123", set()),
}


@pytest.mark.parametrize("case", CEPHS)
def test_auditor_is_given_nothing_that_a_ceph_refuses_to_hear_of(case: str) -> None:
    account, unknown = CEPHS[case]
    arns = {
        "role_arn": f"arn:aws:iam::{account}:role/upload",
        "boundary_arn": f"arn:aws:iam::{account}:policy/boundary",
        "vendor_arn": f"arn:aws:iam::{account}:user/vendor",
    }
    document = json.loads(auditor_policy(**arns, bucket="docs"))
    given = [action for each in document["Statement"] for action in each["Action"]]
    every = {*BUCKET_READS, *OBJECT_READS, *ROLE_READS, *MANAGED_POLICY_READS, *USER_READS}
    assert set(given) == every - unknown
    assert all(each["Action"] for each in document["Statement"])


def test_account_of_ceph_is_known_by_its_arn() -> None:
    accounts = [*(account for account, _ in CEPHS.values()), "123456789012"]
    wanted = [make_wanted(role_arn=f"arn:aws:iam::{account}:role/upload") for account in accounts]
    assert [each.is_ceph_account for each in wanted] == [False, True, False, False]


UNSAFE_AUDITORS = {
    "revoker_arn": "arn:aws:iam::123456789012:user/*",
    "upload_policy_arn": "arn:aws:iam::123456789012:policy/*",
    "vendor_arn": "arn:aws:iam::123456789012:user/*",
    "kms_key_arn": "*",
}


def test_auditor_is_not_given_more_by_a_wildcard() -> None:
    for name, expected in UNSAFE_AUDITORS.items():
        with pytest.raises(UnsafeIdentityError):
            auditor_policy(**SCOPE, bucket="docs-bucket", **{name: expected})


def test_auditor_reads_the_trail_where_its_bucket_is_named() -> None:
    before = json.loads(auditor_policy(**SCOPE, bucket="docs-bucket"))["Statement"]
    after = auditor_policy(**SCOPE, bucket="docs-bucket", trail_bucket="logs")
    more = [each for each in json.loads(after)["Statement"] if each not in before]
    assert [(each["Action"], each["Resource"]) for each in more] == [
        (["s3:ListBucket"], "arn:aws:s3:::logs"),
        (["s3:GetObject"], "arn:aws:s3:::logs/*"),
        (["cloudtrail:ListPublicKeys"], "*"),
    ]


def test_auditor_has_reading_actions_only() -> None:
    for vendor_arn in [arn for arn, _ in VENDORS.values()]:
        more = {"vendor_arn": vendor_arn, "kms_key_arn": KEY}
        statements = json.loads(auditor_policy(**SCOPE, bucket="docs-bucket", **more))["Statement"]
        actions = [action for statement in statements for action in statement["Action"]]
        reading = ("Get", "List", "DescribeKey")
        assert all(action.partition(":")[2].startswith(reading) for action in actions), vendor_arn
        assert KEY in [statement["Resource"] for statement in statements], vendor_arn
        assert {statement["Effect"] for statement in statements} == {"Allow"}, vendor_arn


def test_revoker_writes_policies_of_the_bounded_role_and_nothing_else() -> None:
    writing, reading = json.loads(revoker_policy(**SCOPE))["Statement"]
    assert reading == {"Effect": "Allow", "Action": ["iam:GetRolePolicy"], "Resource": ROLE}
    assert writing == {
        "Effect": "Allow",
        "Action": ["iam:PutRolePolicy"],
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}},
    }


def test_revoker_of_a_store_without_boundaries_has_no_condition() -> None:
    plan = make_wanted(has_boundaries=False)
    statements = json.loads(plan.documents["revoker"])["Statement"]
    assert [each["Action"] for each in statements] == [["iam:PutRolePolicy"], ["iam:GetRolePolicy"]]
    assert {each["Resource"] for each in statements} == {plan.role_arn}
    assert not any("Condition" in each for each in statements)


def test_documents_are_compact_and_of_the_version_that_knows_variables() -> None:
    for text in (auditor_policy(**SCOPE, bucket="docs-bucket"), revoker_policy(**SCOPE)):
        assert text.startswith('{"Version":"2012-10-17","Statement":[{')
        assert " " not in text


def test_documents_follow_the_partition() -> None:
    scope = {name: arn.replace("arn:aws:", "arn:aws-cn:") for name, arn in SCOPE.items()}
    assert "arn:aws:" not in auditor_policy(**scope, bucket="docs-bucket")


def test_name_that_would_widen_a_document_is_refused() -> None:
    for make in [auditor_policy, revoker_policy]:
        for name in [
            {"role_arn": "*"},
            {"role_arn": f"{ROLE}*"},
            {"role_arn": "arn:aws:iam::123456789012:user/upload"},
            {"boundary_arn": ""},
            {"boundary_arn": "*"},
            {"boundary_arn": f"{BOUNDARY}*"},
            {"boundary_arn": f"{BOUNDARY}\n"},
            {"boundary_arn": ROLE},
        ]:
            bucket = {"bucket": "docs-bucket"} if make is auditor_policy else {}
            with pytest.raises(UnsafeIdentityError):
                make(**SCOPE | bucket | name)


def test_auditor_is_of_one_bucket() -> None:
    for bucket in ["", "*", "docs-*", "docs bucket"]:
        with pytest.raises(UnsafeIdentityError):
            auditor_policy(**SCOPE, bucket=bucket)


ACCOUNT = "arn:aws:iam::123456789012"


def make_wanted(**changes: Any) -> WantedAccount:
    known: dict[str, Any] = {"bucket": "docs-bucket", "region": "eu-central-1"}
    known |= {"role_arn": f"{ACCOUNT}:role/ltdkeeper-upload", "role_max_seconds": 3600}
    return WantedAccount(**(known | changes))


def test_names_follow_from_the_role() -> None:
    plan = make_wanted()
    assert (plan.role_name, plan.role_path) == ("ltdkeeper-upload", "/")
    assert plan.boundary_arn == f"{ACCOUNT}:policy/ltdkeeper-upload-boundary"
    assert plan.vendor == f"{ACCOUNT}:user/ltdkeeper-vendor"
    assert plan.user_name("auditor") == "ltdkeeper-auditor"


def test_auditor_of_an_account_reads_the_bucket_of_its_trail() -> None:
    assert "arn:aws:s3:::logs" in make_wanted(trail_bucket="logs").documents["auditor"]
    assert "arn:aws:s3:::logs" not in make_wanted().documents["auditor"]


def test_role_may_have_a_path() -> None:
    plan = make_wanted(role_arn=f"{ACCOUNT}:role/ci/docs/upload")
    assert (plan.role_name, plan.role_path) == ("upload", "/ci/docs/")


def test_names_stay_in_partition_and_account() -> None:
    plan = make_wanted(role_arn="arn:aws-cn:iam::123456789012:role/upload")
    assert plan.vendor.startswith("arn:aws-cn:iam::123456789012:user/")
    assert plan.bucket_arn == "arn:aws-cn:s3:::docs-bucket"


def test_prefix_begins_the_names_of_users() -> None:
    assert make_wanted(prefix="ci").vendor == f"{ACCOUNT}:user/ci-vendor"


def test_existing_vendor_is_trusted_as_it_is() -> None:
    plan = make_wanted(vendor_arn=f"{ACCOUNT}:role/ecs-task")
    trust = json.loads(plan.trust(refuse_sessions=False))
    assert trust["Statement"][0]["Principal"] == {"AWS": f"{ACCOUNT}:role/ecs-task"}
    assert not plan.makes_vendor


def test_vendor_under_a_role_could_not_pass_a_trust_that_refuses_sessions() -> None:
    assert make_wanted().may_refuse_sessions
    assert not make_wanted(vendor_arn=f"{ACCOUNT}:role/ecs-task").may_refuse_sessions


def test_vendor_is_one_whole_principal() -> None:
    for vendor_arn in ["*", f"{ACCOUNT}:root", f"{ACCOUNT}:role/*"]:
        with pytest.raises(UnsafeIdentityError):
            make_wanted(vendor_arn=vendor_arn).trust(refuse_sessions=False)


def test_external_id_is_in_the_trust_policy() -> None:
    trust = json.loads(make_wanted(external_id="x-1").trust(refuse_sessions=False))
    assert trust["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "x-1"}}


def test_trust_refuses_sessions_where_it_is_asked_to() -> None:
    plan = make_wanted()
    [asked] = json.loads(plan.trust(refuse_sessions=True))["Statement"]
    [not_asked] = json.loads(plan.trust(refuse_sessions=False))["Statement"]
    assert asked == not_asked | {"Condition": {"Null": {"aws:TokenIssueTime": "true"}}}


def test_each_identity_carries_its_own_document() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
    plan = make_wanted(kms_key_arn=key)
    scope: dict[str, str] = {"role_arn": plan.role_arn, "bucket": "docs-bucket"}
    boundary = f"{ACCOUNT}:policy/ltdkeeper-upload-boundary"
    assert plan.documents == {
        "vendor": vendor_policy(role_arns=[plan.role_arn]),
        "upload": upload_policy(**scope, kms_key_arn=key),
        "boundary": boundary_policy(**scope, kms_key_arn=key),
        "auditor": auditor_policy(
            **scope,
            boundary_arn=boundary,
            vendor_arn=plan.vendor,
            kms_key_arn=key,
            revoker_arn=f"{ACCOUNT}:user/ltdkeeper-revoker",
            upload_policy_arn=f"{ACCOUNT}:policy/ltdkeeper-upload",
        ),
        "revoker": revoker_policy(role_arn=plan.role_arn, boundary_arn=boundary),
    }


def test_longest_session_is_at_least_what_aws_takes() -> None:
    for row, role in [(900, 3600), (3600, 3600), (43_200, 43_200)]:
        assert make_wanted(role_max_seconds=row).session_seconds == role, row


def test_role_of_a_store_with_sync_products_reads() -> None:
    plan = make_wanted(with_sync=True)
    wanted = upload_policy(role_arn=plan.role_arn, bucket="docs-bucket", with_sync=True)
    assert plan.documents["upload"] == plan.documents["boundary"] == wanted


def test_public_reading_is_the_one_acl_that_may_be_spared() -> None:
    plain, spared = (
        statements(upload_policy(role_arn=ROLE, bucket="docs", with_public_read=spared))
        for spared in (False, True)
    )
    acls = ["public-read-write", "authenticated-read", "aws-exec-read"]
    assert spared[0]["Condition"] == {"StringLike": {"s3:x-amz-acl": acls}}
    assert spared[1:] == plain[1:]


def test_revoker_of_another_text_than_a_role_is_refused() -> None:
    with pytest.raises(UnsafeIdentityError, match=r"^not the whole ARN of a role$"):
        unbounded_revoker_policy(role_arn="arn:aws:iam::123456789012:role/*")
