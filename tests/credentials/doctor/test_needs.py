"""What a role must be allowed: the builds of every product of its bucket."""

from typing import Any

import pytest

from credentials.doctor.needs import judge_needs
from credentials.rules.policy import WRITE_ACTIONS
from tests.credentials.doctor.aws_account import (
    BUCKET,
    BUILDS,
    KEY,
    UPLOAD,
    allow,
    expected,
    faults,
    policy,
    role_with,
)

NEEDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], set[str]]] = {
    "own policy": (UPLOAD, {}, set()),
    "own policy, some products": (UPLOAD, {"product_slugs": ("guide", "api")}, set()),
    "wider": ([allow("s3:*", "*")], {}, set()),
    "nothing": ([], {}, {"action-missing"}),
    "no parts": ([allow("s3:PutObject", BUILDS), *UPLOAD[1:]], {}, {"action-missing"}),
    "no listing": ([UPLOAD[0], UPLOAD[2]], {}, {"action-missing"}),
    "no location": (UPLOAD[:2], {}, {"action-missing"}),
    "no reading": ([allow([*WRITE_ACTIONS, "s3:DeleteObject"], BUILDS), *UPLOAD[1:]], {}, set()),
    "no reading where products sync": (
        [allow([*WRITE_ACTIONS, "s3:DeleteObject"], BUILDS), *UPLOAD[1:]],
        {"with_sync": True},
        {"action-missing"},
    ),
    "another bucket": (
        [UPLOAD[0] | {"Resource": "arn:aws:s3:::other/*"}, *UPLOAD[1:]],
        {},
        {"action-missing"},
    ),
    "one product of two": (
        [UPLOAD[0] | {"Resource": f"{BUCKET}/guide/builds/*"}, *UPLOAD[1:]],
        {"product_slugs": ("guide", "api")},
        {"action-missing"},
    ),
    "all products there are": (
        [
            UPLOAD[0] | {"Resource": f"{BUCKET}/guide/builds/*"},
            UPLOAD[1] | {"Condition": {"StringLike": {"s3:prefix": "guide/builds/*"}}},
            UPLOAD[2],
        ],
        {"product_slugs": ("guide",)},
        set(),
    ),
    "listing of another product": (
        [
            UPLOAD[0],
            UPLOAD[1] | {"Condition": {"StringLike": {"s3:prefix": "api/builds/*"}}},
            UPLOAD[2],
        ],
        {"product_slugs": ("guide",)},
        {"action-missing"},
    ),
    "key": (UPLOAD, {"kms_key_arn": KEY}, {"action-missing"}),
    "NotAction is not counted on": (
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        {},
        {"action-missing"},
    ),
    "denied": ([*UPLOAD, allow("s3:Put*", "*") | {"Effect": "Deny"}], {}, {"denies-uploads"}),
    "denied in part": (
        [*UPLOAD, allow("s3:*", f"{BUCKET}/a/builds/*") | {"Effect": "Deny"}],
        {},
        {"denies-uploads"},
    ),
    "denied elsewhere": ([*UPLOAD, allow("s3:*", f"{BUCKET}/x") | {"Effect": "Deny"}], {}, set()),
    "denied under a condition": (
        [
            *UPLOAD,
            allow("*", "*")
            | {"Effect": "Deny", "Condition": {"StringLike": {"aws:userid": "*:01-*"}}},
        ],
        {},
        set(),
    ),
}


@pytest.mark.parametrize("case", NEEDS)
def test_role_is_allowed_what_uploads_need(case: str) -> None:
    statements, changes, found = NEEDS[case]
    subject = role_with(policy(*statements), **changes)
    assert faults(judge_needs(subject, expected(**changes))) == found
