"""Small facts of the pure modules that no other test pins: each was a surviving mutant."""

import json
import pickle
import re
from collections.abc import Callable

import pytest

from builds.names import build_root, partition_of
from credentials.rules.account_documents import (
    auditor_policy,
    boundary_policy,
    post_signer_policy,
    trust_policy,
    upload_policy,
    vendor_policy,
)
from credentials.rules.policy import Scope
from credentials.rules.secret import Secret
from credentials.rules.verdicts import Line, Outcome, summary

ROLE = "arn:aws:iam::123456789012:role/upload"
VENDOR = "arn:aws:iam::123456789012:user/vendor"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"


def scope(**changes: str) -> Scope:
    names = {"partition": "aws", "bucket": "docs", "root": "guide/builds/v1"} | changes
    return Scope(may_list_bare_root=True, **names)  # type: ignore[arg-type]


def auditor(**changes: str) -> str:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    return auditor_policy(role_arn=ROLE, boundary_arn=boundary, bucket="docs", **changes)


REFUSALS: dict[str, tuple[Callable[[], object], str]] = {
    "slugs": (lambda: build_root("*", "1"), "not a legal product and build slug"),
    "role": (lambda: partition_of("x"), "not the ARN of a role"),
    "partition": (lambda: scope(partition="*"), "the partition is not one"),
    "bucket": (lambda: scope(bucket="*"), "the bucket's name is not legal"),
    "root": (lambda: scope(root="*"), "the root is not that of a build"),
    "key": (lambda: scope(kms_key_arn="*"), "the KMS key's ARN is not legal"),
    "secret": (lambda: pickle.dumps(Secret("x")), "a secret is not stored"),
    "vendor's roles": (
        lambda: vendor_policy(role_arns=[]),
        "the vendor's policy names whole role ARNs, at least one",
    ),
    "vendor": (
        lambda: trust_policy(vendor_arn="*"),
        "the vendor is not the whole ARN of a user or role",
    ),
    "role's bucket": (
        lambda: upload_policy(role_arn=ROLE, bucket="*"),
        "not a role's ARN and a bucket's name",
    ),
    "role's key": (
        lambda: boundary_policy(role_arn=ROLE, bucket="docs", kms_key_arn="*"),
        "not a KMS key's ARN",
    ),
    "signer": (
        lambda: post_signer_policy(role_arn=ROLE, bucket="docs", signer_arn="*"),
        "the signer is not the whole ARN of a user or role",
    ),
    "signer's key": (
        lambda: post_signer_policy(role_arn=ROLE, bucket="docs", kms_key_arn="*"),
        "not a KMS key's ARN",
    ),
    "auditor's vendor": (
        lambda: auditor(vendor_arn="arn:aws:iam::123456789012:user/*"),
        "the vendor is not the whole ARN of a user or role",
    ),
    "auditor's revoker": (
        lambda: auditor(revoker_arn="arn:aws:iam::123456789012:user/*"),
        "the revoker is not the whole ARN of a user or role",
    ),
    "auditor's policy": (
        lambda: auditor(upload_policy_arn="*"),
        "the boundary or policy is not the whole ARN of a policy",
    ),
    "auditor's key": (lambda: auditor(kms_key_arn="*"), "not a KMS key's ARN"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_says_what_is_wrong(case: str) -> None:
    refused, message = REFUSALS[case]
    with pytest.raises((ValueError, TypeError), match=rf"\A{re.escape(message)}\Z"):
        refused()


def test_secret_is_shown_as_asterisks_and_nothing_else() -> None:
    secret = Secret("x")
    assert (repr(secret), str(secret), f"{secret}") == ("Secret(***)", "***", "***")


def test_upload_role_may_use_its_store_s_key_as_far_as_its_boundary() -> None:
    names = {"role_arn": ROLE, "bucket": "docs", "kms_key_arn": KEY}
    allowed = json.loads(boundary_policy(**names))["Statement"]
    assert json.loads(upload_policy(**names))["Statement"][: len(allowed)] == allowed
    assert allowed[-1]["Resource"] == KEY


def test_external_id_beyond_ascii_is_escaped() -> None:
    document = trust_policy(vendor_arn=VENDOR, external_id="caf\u00e9")
    assert '"caf\\u00e9"' in document


def test_calls_that_went_wrong_are_named_one_after_the_other() -> None:
    lines = [
        Line(call=name, expected=Outcome.REFUSED, outcome=outcome, answer="")
        for name, outcome in [
            ("a", Outcome.ACCEPTED),
            ("b", Outcome.REFUSED),
            ("c", Outcome.ACCEPTED),
        ]
    ]
    assert summary(lines) == "Isolation does not hold: a session can a; c."
