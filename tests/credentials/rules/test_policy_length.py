"""The policy of the longest legal names fits what AssumeRole takes: 2,048 characters."""

import itertools

import pytest

from builds.models import ROOT_LENGTH, Build, Product, Store
from builds.names import build_root, is_bucket_name, is_kms_key_arn, is_role_arn
from credentials.errors import PolicyTooLarge
from credentials.rules import policy
from credentials.rules.policy import (
    MAX_POLICY_LENGTH,
    Scope,
    cleaning_policy,
    listing_policy,
    presigning_policy,
    session_policy,
)

POLICIES = [session_policy, listing_policy, cleaning_policy, presigning_policy]
BUCKET = "b" * 63
ROOT = build_root("p" * 63, "s" * 64)
# AWS's longest real partition and region, and the longest that a store's column can hold.
REAL_KEY = f"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-{'0' * 32}"
TAIL = f":123456789012:key/{'k' * 64}"
LONGEST_KEY = f"arn:aws-us-gov:kms:{'r' * (255 - len('arn:aws-us-gov:kms:') - len(TAIL))}{TAIL}"

COMBINATIONS = list(
    itertools.product(
        ["aws", "aws-cn", "aws-us-gov"],
        ["", REAL_KEY, LONGEST_KEY],
        [False, True],
        [False, True],
    )
)


def test_names_are_the_longest_that_are_legal() -> None:
    assert is_bucket_name(BUCKET)
    assert not is_bucket_name(f"{BUCKET}b")
    assert len(ROOT) == ROOT_LENGTH == Build._meta.get_field("root").max_length
    assert Product._meta.get_field("slug").max_length == 63
    assert Build._meta.get_field("slug").max_length == 64
    assert is_kms_key_arn(LONGEST_KEY)
    assert len(LONGEST_KEY) == Store._meta.get_field("kms_key_arn").max_length == 255


def test_policy_of_the_longest_names_is_compact_ascii_that_fits() -> None:
    for partition, key, sync, bare in COMBINATIONS:
        assert is_role_arn(f"arn:{partition}:iam::123456789012:role/upload")
        scope = Scope(
            partition=partition,
            bucket=BUCKET,
            root=ROOT,
            may_list_bare_root=bare,
            may_sync=sync,
            kms_key_arn=key,
        )
        for text in [make(scope) for make in POLICIES]:
            assert len(text) <= MAX_POLICY_LENGTH == 2048, scope
            assert text.isascii(), scope
            assert not set(text) & set(" \t\r\n"), scope


def test_longest_policy_of_all_leaves_room() -> None:
    scope = Scope(
        partition="aws-us-gov",
        bucket=BUCKET,
        root=ROOT,
        may_list_bare_root=True,
        may_sync=True,
        kms_key_arn=LONGEST_KEY,
    )
    length = len(session_policy(scope))
    assert length == 1576, f"the longest policy has {length} characters"


def test_policy_that_does_not_fit_names_the_longest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_POLICY_LENGTH", 100)
    scope = Scope(partition="aws", bucket="docs", root="guide/builds/1", may_list_bare_root=False)
    with pytest.raises(PolicyTooLarge) as caught:
        session_policy(scope)
    assert caught.value.message == (
        "The session policy would be over 2,048 characters. "
        f"The longest name in it is the {scope.longest_name}."
    )
