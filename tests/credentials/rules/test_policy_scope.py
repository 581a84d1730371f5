"""For any scope and any request: the policy allows writing below the root, listing it, no more."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from builds.names import build_root
from credentials.rules.policy import (
    Scope,
    cleaning_policy,
    listing_policy,
    presigning_policy,
    session_policy,
)
from tests.builds.name_samples import buckets, build_slugs, product_slugs
from tests.credentials.evaluator import allows

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
OTHER_KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abce"

WRITING = {"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
SYNCING = {"s3:GetObject", "s3:DeleteObject"}
ENCRYPTING = {"kms:GenerateDataKey", "kms:Decrypt"}
ON_BUCKET = {"s3:ListBucket", "s3:GetBucketLocation"}
OTHERS = [
    "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutObjectTagging", "s3:PutObjectRetention",
    "s3:PutObjectLegalHold", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion",
    "s3:DeleteObjectVersion", "s3:RestoreObject", "s3:BypassGovernanceRetention",
    "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:ListAllMyBuckets",
    "s3:CreateBucket", "s3:DeleteBucket", "s3:GetBucketPolicy", "s3:PutBucketPolicy",
    "s3:PutBucketAcl", "s3:PutBucketWebsite", "s3:PutLifecycleConfiguration",
    "s3:PutEncryptionConfiguration", "s3:PutBucketPublicAccessBlock", "s3:ReplicateObject",
    "s3:ObjectOwnerOverrideToBucketOwner", "sts:AssumeRole", "iam:PutRolePolicy",
    "iam:CreateAccessKey", "kms:Encrypt", "kms:CreateGrant", "kms:ScheduleKeyDeletion",
]  # fmt: skip

scopes = st.builds(
    Scope,
    partition=st.sampled_from(["aws", "aws-cn", "aws-us-gov"]),
    bucket=buckets,
    root=st.builds(build_root, product_slugs, build_slugs),
    may_list_bare_root=st.booleans(),
    may_sync=st.booleans(),
    kms_key_arn=st.sampled_from(["", KEY]),
)


@st.composite
def scopes_and_keys(draw: st.DrawFn) -> tuple[Scope, str]:
    """A scope and a key that is likely to be near its root."""
    scope = draw(scopes)
    product, _, slug = scope.root.split("/")
    cut = draw(st.integers(0, len(scope.root)))
    text = draw(st.text(max_size=20))
    near = [
        scope.root, f"{scope.root}/", f"{scope.root}/{text}", f"{scope.root}{text}",
        f"{scope.root[:cut]}{text}", f"{product}/builds/", f"{product}/builds/{text}",
        f"{product}/v/main/{text}", f"{text}/builds/{slug}", f"/{scope.root}/{text}",
        scope.root.swapcase(), f"{scope.root}//{text}", f"x{scope.root}/{text}", text,
    ]  # fmt: skip
    return scope, draw(st.sampled_from(near))


def lies_within(key: str, root: str) -> bool:
    return key == root or key.startswith(f"{root}/")


@given(scopes_and_keys())
def test_objects_are_reached_exactly_at_the_root_and_below(case: tuple[Scope, str]) -> None:
    scope, key = case
    policy, resource = session_policy(scope), f"{scope.bucket_arn}/{key}"
    within = lies_within(key, scope.root)
    for action in WRITING:
        assert allows(policy, action, resource) is within
    for action in SYNCING:
        assert allows(policy, action, resource) is (within and scope.may_sync)


@given(scopes_and_keys())
def test_listing_is_allowed_exactly_for_the_root_and_below(case: tuple[Scope, str]) -> None:
    scope, prefix = case
    below = prefix.startswith(f"{scope.root}/")
    expected = below or (prefix == scope.root and scope.may_list_bare_root)
    for policy in [session_policy(scope), listing_policy(scope)]:
        assert allows(policy, "s3:ListBucket", scope.bucket_arn, prefix) is expected
        assert not allows(policy, "s3:ListBucket", scope.bucket_arn, None)
        assert not allows(policy, "s3:ListBucket", scope.bucket_arn, "")


@given(scope=scopes, bucket=buckets)
def test_another_bucket_is_out_of_reach(scope: Scope, bucket: str) -> None:
    assume(bucket != scope.bucket)
    policy, arn = session_policy(scope), f"arn:{scope.partition}:s3:::{bucket}"
    for action in WRITING | SYNCING:
        assert not allows(policy, action, f"{arn}/{scope.root}/index.html")
    for action in ON_BUCKET:
        assert not allows(policy, action, arn, f"{scope.root}/")
    assert allows(policy, "s3:GetBucketLocation", scope.bucket_arn)
    assert not allows(policy, "s3:GetBucketLocation", f"{scope.bucket_arn}2")


@given(scopes, st.sampled_from(OTHERS))
def test_other_actions_are_refused_everywhere(scope: Scope, action: str) -> None:
    policy = session_policy(scope)
    for resource in ["*", scope.bucket_arn, f"{scope.bucket_arn}/{scope.root}/x", KEY]:
        assert not allows(policy, action, resource, f"{scope.root}/")


@given(scopes)
def test_policy_names_these_actions_and_no_other(scope: Scope) -> None:
    named: set[str] = set()
    for statement in json.loads(session_policy(scope))["Statement"]:
        actions = statement["Action"]
        named |= {actions} if isinstance(actions, str) else set(actions)
    expected = WRITING | ON_BUCKET | (SYNCING if scope.may_sync else set())
    assert named == expected | (ENCRYPTING if scope.kms_key_arn else set())


@given(scopes)
def test_only_the_store_s_own_key_encrypts_and_presigned_forms_only_make_data_keys(
    scope: Scope,
) -> None:
    policy = session_policy(scope)
    for action in ENCRYPTING:
        assert allows(policy, action, KEY) is (scope.kms_key_arn == KEY)
        assert not allows(policy, action, OTHER_KEY)
        assert not allows(policy, action, "*")
    presigning = presigning_policy(scope)
    assert allows(presigning, "kms:GenerateDataKey", KEY) is (scope.kms_key_arn == KEY)
    assert not allows(presigning, "kms:GenerateDataKey", OTHER_KEY)
    assert not allows(presigning, "kms:Decrypt", KEY)


@given(scopes_and_keys())
def test_listing_session_reaches_no_object(case: tuple[Scope, str]) -> None:
    scope, key = case
    for action in [*WRITING, *SYNCING, *ENCRYPTING, "s3:GetBucketLocation"]:
        assert not allows(listing_policy(scope), action, f"{scope.bucket_arn}/{key}")
        assert not allows(listing_policy(scope), action, scope.bucket_arn)


@given(scopes_and_keys())
def test_cleaning_session_only_deletes_at_the_root_and_below(case: tuple[Scope, str]) -> None:
    scope, key = case
    policy, resource = cleaning_policy(scope), f"{scope.bucket_arn}/{key}"
    assert allows(policy, "s3:DeleteObject", resource) is lies_within(key, scope.root)
    for action in [*WRITING, *ENCRYPTING, *ON_BUCKET, "s3:GetObject", "s3:DeleteObjectVersion"]:
        assert not allows(policy, action, resource, f"{scope.root}/")
        assert not allows(policy, action, scope.bucket_arn, f"{scope.root}/")


@given(scopes_and_keys())
def test_presigning_session_only_writes_at_the_root_and_below(case: tuple[Scope, str]) -> None:
    scope, key = case
    policy, resource = presigning_policy(scope), f"{scope.bucket_arn}/{key}"
    assert allows(policy, "s3:PutObject", resource) is lies_within(key, scope.root)
    others = [*SYNCING, *ON_BUCKET, "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    for action in others:
        assert not allows(policy, action, resource, f"{scope.root}/")
        assert not allows(policy, action, scope.bucket_arn, f"{scope.root}/")


@given(scope=scopes, action=st.sampled_from(OTHERS), bucket=buckets)
def test_presigning_session_may_do_nothing_else(scope: Scope, action: str, bucket: str) -> None:
    policy = presigning_policy(scope)
    for resource in ["*", scope.bucket_arn, f"{scope.bucket_arn}/{scope.root}/x", KEY]:
        assert not allows(policy, action, resource)
    elsewhere = f"arn:{scope.partition}:s3:::{bucket}/{scope.root}/x"
    assert allows(policy, "s3:PutObject", elsewhere) is (bucket == scope.bucket)
