"""Forms of buckets, regions, roles, keys and addresses: no wildcard, no newline at the end."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given

from builds.names import (
    is_bucket_name,
    is_kms_key_arn,
    is_region,
    is_role_arn,
    is_url_template,
    partition_of,
)
from tests.builds.name_samples import HOSTILE, buckets

ROLE = "arn:aws:iam::123456789012:role/upload"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
Check = Callable[[str], bool]

LEGAL: dict[str, tuple[Check, str]] = {
    "bucket of 3": (is_bucket_name, "abc"),
    "bucket of 63": (is_bucket_name, "b" * 63),
    "bucket with dots": (is_bucket_name, "docs.example.org"),
    "bucket with digits": (is_bucket_name, "0docs9"),
    "region": (is_region, "eu-central-1"),
    "region of another store": (is_region, "default"),
    "region of 32": (is_region, "r" * 32),
    "role": (is_role_arn, ROLE),
    "role with a path": (is_role_arn, "arn:aws:iam::123456789012:role/ci/docs/upload+a=b,c.d@e-f"),
    "role in China": (is_role_arn, "arn:aws-cn:iam::123456789012:role/upload"),
    "role in GovCloud": (is_role_arn, "arn:aws-us-gov:iam::123456789012:role/upload"),
    "role without account": (is_role_arn, "arn:aws:iam:::role/upload"),
    "role of a tenant": (is_role_arn, "arn:aws:iam::tenant_7:role/upload"),
    "address below a product's host": (
        is_url_template,
        "https://{product}.docs.example.org:8443/builds/{build}/?x=%20#top",
    ),
    "address with the build in its host": (is_url_template, "https://{build}--docs.example.org"),
    "address at a host of one part": (is_url_template, "https://docs/{product}/{build}"),
    "KMS key": (is_kms_key_arn, KEY),
    "multi-region key": (is_kms_key_arn, KEY.replace("key/", "key/mrk-")),
    "KMS key in China": (is_kms_key_arn, KEY.replace("aws", "aws-cn", 1)),
}


def test_legal_form_is_taken() -> None:
    assert [case for case, (check, text) in LEGAL.items() if not check(text)] == []


ILLEGAL: dict[str, tuple[Check, str]] = {
    "bucket of 2": (is_bucket_name, "ab"),
    "bucket of 64": (is_bucket_name, "b" * 64),
    "bucket in upper case": (is_bucket_name, "Docs"),
    "bucket with underscore": (is_bucket_name, "do_cs"),
    "bucket with two dots": (is_bucket_name, "do..cs"),
    "bucket that begins with a dot": (is_bucket_name, ".docs"),
    "bucket that ends with a hyphen": (is_bucket_name, "docs-"),
    "bucket with a key": (is_bucket_name, "docs/guide"),
    "region in upper case": (is_region, "EU-central-1"),
    "region of 33": (is_region, "r" * 33),
    "region with a dot": (is_region, "eu.example.org"),
    "region with a leading hyphen": (is_region, "-eu"),
    "role with a wildcard": (is_role_arn, "arn:aws:iam::123456789012:role/*"),
    "role without a name": (is_role_arn, "arn:aws:iam::123456789012:role/"),
    "role of any account": (is_role_arn, "arn:aws:iam::*:role/upload"),
    "role of any partition": (is_role_arn, "arn:aws*:iam::123456789012:role/upload"),
    "role of no partition": (is_role_arn, "arn::iam::123456789012:role/upload"),
    "another vendor's role": (is_role_arn, "arn:other:iam::123456789012:role/upload"),
    "user": (is_role_arn, "arn:aws:iam::123456789012:user/upload"),
    "assumed role": (is_role_arn, "arn:aws:sts::123456789012:assumed-role/upload/x"),
    "role with a newline": (is_role_arn, f"{ROLE}\n"),
    "role behind a newline": (is_role_arn, f"\n{ROLE}"),
    "role of 191 characters": (is_role_arn, f"arn:aws:iam::123456789012:role/{'r' * 191}"),
    "address of no build": (is_url_template, "https://docs.example.org/{product}/"),
    "address without TLS": (is_url_template, "http://docs.example.org/{build}/"),
    "address that runs something": (is_url_template, "javascript:alert('{build}')"),
    "address with another name": (is_url_template, "https://docs.example.org/{build}/{store}/"),
    "address with a format": (is_url_template, "https://docs.example.org/{build}/{build!r}/"),
    "address with a password": (is_url_template, "https://user:pass@docs.example.org/{build}/"),
    "address with a space": (is_url_template, "https://docs.example.org/{build}/ x"),
    "address with a newline": (is_url_template, "https://docs.example.org/{build}/\n"),
    "address at a host that builds name": (is_url_template, "https://{build}.org/"),
    "address at an end that builds name": (is_url_template, "https://docs.{build}/"),
    "KMS alias": (is_kms_key_arn, "arn:aws:kms:eu-central-1:123456789012:alias/docs"),
    "any KMS key": (is_kms_key_arn, "arn:aws:kms:eu-central-1:123456789012:key/*"),
    "KMS key of any account": (is_kms_key_arn, KEY.replace("123456789012", "*")),
    "KMS key of any region": (is_kms_key_arn, KEY.replace("eu-central-1", "*")),
    "KMS key id alone": (is_kms_key_arn, "1234abcd-12ab-34cd-56ef-1234567890ab"),
    "KMS key with a newline": (is_kms_key_arn, f"{KEY}\n"),
    "KMS key behind text": (is_kms_key_arn, f"x{KEY}"),
}


def test_illegal_form_is_refused() -> None:
    assert [case for case, (check, text) in ILLEGAL.items() if check(text)] == []


def test_hostile_name_is_neither_bucket_nor_region() -> None:
    for check in [is_bucket_name, is_region]:
        assert [case for case, name in HOSTILE.items() if check(name)] == [], check


# ARNs may hold a path; a slug may not.
NOT_IN_ARNS = [name for name in HOSTILE.values() if re.search(r"[^\w+=,.@/-]", name, re.ASCII)]


def test_hostile_name_makes_an_arn_illegal() -> None:
    for check, arn in [
        (is_role_arn, "arn:aws:iam::123456789012:role/up{}load"),
        (is_role_arn, "arn:aws:iam::{}:role/upload"),
        (is_kms_key_arn, "arn:aws:kms:eu-central-1:123456789012:key/1{}"),
    ]:
        assert [name for name in NOT_IN_ARNS if check(arn.format(name))] == [], check


@given(buckets)
def test_every_name_by_s3_s_rule_is_a_bucket(text: str) -> None:
    assert is_bucket_name(text)


PARTITIONS = ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"]


def test_partition_is_the_roles() -> None:
    roles = [f"arn:{partition}:iam::123456789012:role/upload" for partition in PARTITIONS]
    assert [partition_of(role) for role in roles] == PARTITIONS


def test_text_that_is_no_role_has_no_partition() -> None:
    for text in ["", "aws", "arn:aws:s3:::docs", f"{ROLE}\n", ROLE.upper()]:
        with pytest.raises(ValueError, match="not the ARN of a role"):
            partition_of(text)
