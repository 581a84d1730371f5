"""How long sessions may live, and how long they are asked to."""

from typing import Any

import pytest

from credentials.doctor.findings import Severity
from credentials.doctor.lifetimes import judge_lifetimes
from tests.credentials.doctor.aws_account import expected

HOURS = 12 * 3600
CHAINED = {"vendor_is_session": True, "role_max_seconds": HOURS}
LIFETIMES: dict[str, tuple[int | None, dict[str, Any], dict[str, str]]] = {
    "as said": (3600, {}, {}),
    "role longer": (HOURS, {}, {}),
    "not told": (None, {"role_max_seconds": HOURS}, {}),
    "role shorter": (3600, {"role_max_seconds": 3601}, {"role-shorter": "error"}),
    "default over it": (3600, {"default_seconds": 7200}, {"default-capped": "warning"}),
    "product over it": (3600, {"product_seconds": {"a": 7200}}, {"product-capped": "warning"}),
    "product under it": (3600, {"product_seconds": {"a": 900}}, {}),
    "chained, an hour": (3600, {"vendor_is_session": True}, {}),
    "chained, more only when asked": (HOURS, CHAINED, {"chained": "warning"}),
    "chained, more by default": (HOURS, CHAINED | {"default_seconds": 7200}, {"chained": "error"}),
    "chained, more by a product": (
        HOURS,
        CHAINED | {"product_seconds": {"a": 7200}},
        {"chained": "error"},
    ),
    "posts, an hour": (3600, {"post_seconds": 21_600}, {"posts-short": "warning"}),
    "posts, three hours": (HOURS, {"post_seconds": 10_800, "role_max_seconds": HOURS}, {}),
    "posts, a second less": (
        HOURS,
        {"post_seconds": 10_799, "role_max_seconds": HOURS},
        {"posts-short": "warning"},
    ),
    "posts, chained": (
        HOURS,
        CHAINED | {"post_seconds": 21_600},
        {"chained": "warning", "posts-short": "warning"},
    ),
    "user, more": (HOURS, {"role_max_seconds": HOURS, "default_seconds": 7200}, {}),
}


@pytest.mark.parametrize("case", LIFETIMES)
def test_lifetimes_are_judged(case: str) -> None:
    role_seconds, changes, found = LIFETIMES[case]
    findings = judge_lifetimes(role_seconds, expected(**changes))
    ids = {finding.id.removeprefix("lifetimes."): finding.severity for finding in findings}
    assert ids == {name: Severity(severity) for name, severity in found.items()}


def test_role_is_never_told_less_than_aws_takes() -> None:
    [finding] = judge_lifetimes(900, expected(role_max_seconds=1800))
    assert "--max-session-duration 3600" in finding.change


def test_products_are_named() -> None:
    seconds = {"long": 7200, "short": 900}
    [finding] = judge_lifetimes(3600, expected(product_seconds=seconds))
    assert "long (7200)" in finding.what
    assert "short" not in finding.what
