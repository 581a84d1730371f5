"""ARNs of users, roles and sessions, and when two are the same."""

from credentials.rules.principals import (
    account_of,
    identity_of,
    is_same,
    is_session,
    kind_of,
    name_of,
)

USER = "arn:aws:iam::123456789012:user/ci/vendor"
ROLE = "arn:aws:iam::123456789012:role/ci/vendor"
SESSION = "arn:aws:sts::123456789012:assumed-role/vendor/i-0123"
CEPH = "arn:aws:iam:::user/vendor"

ACCOUNT = "arn:aws:iam::123456789012"
PARTS = {USER: ("user", ACCOUNT, "vendor"), CEPH: ("user", "arn:aws:iam::", "vendor")}
PARTS[f"{ACCOUNT}:root"] = ("root", ACCOUNT, f"{ACCOUNT}:root")


def test_arn_has_kind_account_and_name() -> None:
    for arn, expected in PARTS.items():
        assert (kind_of(arn), account_of(arn), name_of(arn)) == expected, arn


def test_session_stands_for_its_role_without_the_path() -> None:
    assert is_session(SESSION)
    assert identity_of(SESSION) == "arn:aws:iam::123456789012:role/vendor"


def test_user_stands_for_himself() -> None:
    assert not is_session(USER)
    assert identity_of(USER) == USER


SAME = {
    "the same user": (USER, USER, True),
    "another path of a user": ("arn:aws:iam::123456789012:user/vendor", USER, False),
    "role whose path is not known": (ROLE, identity_of(SESSION), True),
    "role of another account": (ROLE.replace("12:", "13:"), identity_of(SESSION), False),
    "role of another name": (f"{ROLE}2", identity_of(SESSION), False),
    "role whose path is known": (identity_of(SESSION), ROLE, False),
    "user and role": (USER, identity_of(SESSION), False),
    "role and user": (identity_of(SESSION), USER, False),
}


def test_principal_is_an_identity() -> None:
    for case, (principal, identity, expected) in SAME.items():
        assert is_same(principal, identity) is expected, case
