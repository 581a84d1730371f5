"""The session policy, letter by letter, and that nothing but a legal scope makes one."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from credentials.errors import PolicyTooLarge
from credentials.rules import policy as policies
from credentials.rules.policy import (
    Permission,
    Scope,
    cleaning_policy,
    listing_policy,
    permissions,
    presigning_policy,
    session_policy,
)
from tests.builds.name_samples import HOSTILE

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROOT = "guide/builds/v1"

UPLOAD = (
    '{"Version":"2012-10-17","Statement":['
    '{"Effect":"Allow","Action":'
    '["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],'
    '"Resource":["arn:aws:s3:::docs/guide/builds/v1","arn:aws:s3:::docs/guide/builds/v1/*"]},'
    '{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::docs",'
    '"Condition":{"StringLike":{"s3:prefix":["guide/builds/v1","guide/builds/v1/*"]}}},'
    '{"Effect":"Allow","Action":"s3:GetBucketLocation","Resource":"arn:aws:s3:::docs"}]}'
)
LISTING = (
    '{"Version":"2012-10-17","Statement":['
    '{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::docs",'
    '"Condition":{"StringLike":{"s3:prefix":["guide/builds/v1","guide/builds/v1/*"]}}}]}'
)
CLEANING = (
    '{"Version":"2012-10-17","Statement":['
    '{"Effect":"Allow","Action":"s3:DeleteObject",'
    '"Resource":["arn:aws:s3:::docs/guide/builds/v1","arn:aws:s3:::docs/guide/builds/v1/*"]}]}'
)
PRESIGNING = CLEANING.replace("s3:DeleteObject", "s3:PutObject")
DATA_KEY = (
    ',{"Effect":"Allow","Action":"kms:GenerateDataKey",'
    '"Resource":"arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"}'
)
PARTS = '"s3:ListMultipartUploadParts"'
BARE = '"s3:prefix":["guide/builds/v1","guide/builds/v1/*"]'
KMS = (
    ',{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],'
    '"Resource":"arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"}'
)


def scope(**changes: Any) -> Scope:
    fields = {"partition": "aws", "bucket": "docs", "root": ROOT, "may_list_bare_root": True}
    return Scope(**(fields | changes))


DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "upload": ({}, UPLOAD),
    "sync": (
        {"may_sync": True},
        UPLOAD.replace(PARTS, f'{PARTS},"s3:GetObject","s3:DeleteObject"'),
    ),
    "slug chosen by the client": (
        {"may_list_bare_root": False},
        UPLOAD.replace(BARE, '"s3:prefix":["guide/builds/v1/*"]'),
    ),
    "KMS": ({"kms_key_arn": KEY}, UPLOAD.replace("}]}", f"}}{KMS}]}}")),
    "China": ({"partition": "aws-cn"}, UPLOAD.replace("arn:aws:", "arn:aws-cn:")),
    "GovCloud": ({"partition": "aws-us-gov"}, UPLOAD.replace("arn:aws:", "arn:aws-us-gov:")),
    "another root": ({"root": "b2/builds/V.1"}, UPLOAD.replace(ROOT, "b2/builds/V.1")),
    "another bucket": ({"bucket": "b.2"}, UPLOAD.replace(":::docs", ":::b.2")),
}


def test_policy_is_exactly_this() -> None:
    for case, (changes, expected) in DOCUMENTS.items():
        assert session_policy(scope(**changes)) == expected, case


LISTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "server-made slug": ({}, LISTING),
    "slug chosen by the client": (
        {"may_list_bare_root": False},
        LISTING.replace(BARE, '"s3:prefix":["guide/builds/v1/*"]'),
    ),
    "sync and KMS change nothing": ({"may_sync": True, "kms_key_arn": KEY}, LISTING),
}


def test_listing_policy_is_exactly_this() -> None:
    for case, (changes, expected) in LISTINGS.items():
        assert listing_policy(scope(**changes)) == expected, case


def test_listing_policy_that_may_look_also_reads_below_the_root() -> None:
    reading = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::docs/{ROOT}/*",
    }
    listing, looking = json.loads(listing_policy(scope(may_look=True)))["Statement"]
    assert [listing] == json.loads(LISTING)["Statement"]
    assert looking == reading


def test_cleaning_policy_is_exactly_this() -> None:
    for changes in [{}, {"may_sync": True, "kms_key_arn": KEY}]:
        assert cleaning_policy(scope(**changes)) == CLEANING, changes


def test_presigning_policy_is_exactly_this() -> None:
    for changes in [{}, {"may_sync": True, "may_list_bare_root": False}]:
        assert presigning_policy(scope(**changes)) == PRESIGNING, changes


def test_presigning_policy_encrypts_with_the_store_s_key() -> None:
    expected = PRESIGNING.replace("}]}", f"}}{DATA_KEY}]}}")
    assert presigning_policy(scope(kms_key_arn=KEY)) == expected


PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "bucket": lambda name: {"bucket": name},
    "root": lambda name: {"root": name},
    "product": lambda name: {"root": f"{name}/builds/v1"},
    "build": lambda name: {"root": f"guide/builds/{name}"},
    "middle of the root": lambda name: {"root": f"guide/{name}/v1"},
}


def test_no_scope_holds_a_hostile_name() -> None:
    for make in PLACES.values():
        for name in HOSTILE.values():
            with pytest.raises(ValueError, match="is not"):
                scope(**make(name))


UNSAFE: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"partition {name!r}": ({"partition": name}, "partition")
        for name in ["*", "", "aws:iam", "AWS", "a"]
    },
    "bucket with a key": ({"bucket": "docs/guide"}, "bucket"),
    "whole bucket": ({"root": "*"}, "root"),
    "any product": ({"root": "*/builds/v1"}, "root"),
    "any build": ({"root": "guide/builds/*"}, "root"),
    "root with a slash behind": ({"root": f"{ROOT}/"}, "root"),
    "root with a slash in front": ({"root": f"/{ROOT}"}, "root"),
    "product alone": ({"root": "guide"}, "root"),
    "root below a build": ({"root": f"{ROOT}/x"}, "root"),
    "edition": ({"root": "guide/v/main"}, "root"),
    "any KMS key": ({"kms_key_arn": "*"}, "KMS"),
    "KMS keys of an account": ({"kms_key_arn": "arn:aws:kms:eu-1:123456789012:key/*"}, "KMS"),
    "KMS alias": ({"kms_key_arn": "arn:aws:kms:eu-1:123456789012:alias/docs"}, "KMS"),
    "KMS key with a newline": ({"kms_key_arn": f"{KEY}\n"}, "KMS"),
    "KMS key with a quote": ({"kms_key_arn": f'{KEY}"'}, "KMS"),
}


def test_unsafe_scope_is_refused() -> None:
    for changes, named in UNSAFE.values():
        with pytest.raises(ValueError, match=named):
            scope(**changes)


def test_scope_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(AttributeError):
        scope().root = "*"  # type: ignore[misc]


def test_policy_only_allows_and_names_whole_actions() -> None:
    for changes in [{}, {"may_sync": True, "kms_key_arn": KEY}]:
        for statement in json.loads(session_policy(scope(**changes)))["Statement"]:
            assert statement["Effect"] == "Allow", changes
            assert "*" not in json.dumps(statement["Action"]), changes
            assert statement["Resource"] != "*", changes


LONGEST_NAMES = {
    "product": ("p" * 60, "b" * 59, "s" * 58, "product 'p{60}' \\(60 characters\\)"),
    "bucket": ("p" * 50, "b" * 63, "s" * 58, "bucket 'b{63}' \\(63 characters\\)"),
    "build": ("p" * 50, "b" * 63, "s" * 64, "build 's{64}' \\(64 characters\\)"),
}


@pytest.mark.parametrize("case", LONGEST_NAMES)
def test_too_long_policy_names_the_longest_name(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    product, bucket, slug, expected = LONGEST_NAMES[case]
    monkeypatch.setattr(policies, "MAX_POLICY_LENGTH", 300)
    for make_policy in [session_policy, listing_policy, cleaning_policy, presigning_policy]:
        with pytest.raises(PolicyTooLarge, match=rf"over 2,048 characters\. .* the {expected}\.\Z"):
            make_policy(scope(bucket=bucket, root=f"{product}/builds/{slug}"))


def test_limit_is_met_to_the_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "MAX_POLICY_LENGTH", len(UPLOAD))
    assert session_policy(scope()) == UPLOAD
    monkeypatch.setattr(policies, "MAX_POLICY_LENGTH", len(UPLOAD) - 1)
    with pytest.raises(PolicyTooLarge):
        session_policy(scope())


def test_policy_is_remade_or_nothing_is() -> None:
    for root, is_same in [("p/builds/b", True), ("p/builds/c", False)]:
        text = '{"docs": "p/builds/b"}'
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        template = f'{{"{policies.BUCKET_MARK}": "{policies.ROOT_MARK}"}}'
        made = policies.fill_template(template, bucket="docs", root=root, sha256=sha256)
        assert made == (text if is_same else ""), root


WRITES = {
    "Effect": "Allow",
    "Action": ["s3:PutObject", "s3:AbortMultipartUpload"],
    "Resource": ["arn:aws:s3:::docs/a", "arn:aws:s3:::docs/a/*"],
}
LISTS = {
    "Effect": "Deny",
    "Action": "s3:ListBucket",
    "Resource": "arn:aws:s3:::docs",
    "Condition": {"StringLike": {"s3:prefix": ["a", "a/*"]}, "Bool": {"aws:Secure": "true"}},
}


def test_policy_in_words_has_a_row_for_each_statement() -> None:
    prefix, secure = "s3:prefix StringLike a or a/*", "aws:Secure Bool true"
    writing, listing = permissions(json.dumps({"Statement": [WRITES, LISTS]}))
    assert writing == Permission("Allow", WRITES["Action"], WRITES["Resource"], [])
    assert listing == Permission("Deny", ["s3:ListBucket"], ["arn:aws:s3:::docs"], [prefix, secure])
    assert str(writing) == (
        "Allow s3:PutObject, s3:AbortMultipartUpload on arn:aws:s3:::docs/a, arn:aws:s3:::docs/a/*"
    )
    assert str(listing) == (f"Deny s3:ListBucket on arn:aws:s3:::docs, if {prefix}, if {secure}")


UNREADABLE = ["", "{}", "[]", "null", "{", '{"Statement": 1}', '{"Statement": [1]}', "[" * 100_000]
UNREADABLE += [
    json.dumps({"Statement": [{name: "x" for name in LISTS if name != missing}]})
    for missing in ("Effect", "Action", "Resource")
]


def test_policy_that_cannot_be_read_has_no_rows() -> None:
    for policy in UNREADABLE:
        assert permissions(policy) == [], policy


def test_numbers_in_a_policy_are_text_in_words() -> None:
    statement = {"Effect": 1, "Action": 2, "Resource": [3], "Condition": {"a": {"b": [4, 5]}}}
    found = permissions(json.dumps({"Statement": [statement]}))
    assert found == [Permission("1", ["2"], ["3"], ["b a 4 or 5"])]
