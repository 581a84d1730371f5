"""ARNs of those who call: users, roles, and sessions of roles. Pure."""

import re

_SESSION = re.compile(r"arn:([\w-]+):sts::([\w-]*):assumed-role/([^/]+)/.+\Z")
_DELETED = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}\Z")
_ACCOUNT = re.compile(r"[0-9]{12}\Z|arn:[\w-]+:iam::[0-9]*:root\Z")


def account_of(arn: str) -> str:
    """The account in an ARN; empty where it names none."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""  # noqa: PLR2004 - the fields of an ARN


def name_of(arn: str) -> str:
    """The last part of an ARN's path: the name without which no path is unique."""
    return arn.rpartition("/")[2]


def kind_of(arn: str) -> str:
    """`user`, `role`, `root`, ...; empty for no ARN."""
    return arn.rpartition(":")[2].partition("/")[0]


def is_session(arn: str) -> bool:
    """Whether an ARN is that of a role's session."""
    return _SESSION.match(arn) is not None


def identity_of(caller_arn: str) -> str:
    """The user or role behind a caller's ARN.

    A session's ARN does not have its role's path, so neither has the role's ARN here.
    """
    if match := _SESSION.match(caller_arn):
        partition, account, role = match.groups()
        return f"arn:{partition}:iam::{account}:role/{role}"
    return caller_arn


def is_account(principal: str) -> bool:
    """Whether a principal is a whole account: its number, or its root's ARN."""
    return _ACCOUNT.match(principal) is not None


def is_deleted(principal: str) -> bool:
    """Whether a principal is the id that AWS leaves in the place of one that was deleted."""
    return _DELETED.match(principal) is not None


def is_same(principal: str, identity: str) -> bool:
    """Whether a principal in a policy is an identity, its path aside where a role's is unknown."""
    if principal == identity:
        return True
    if ":role/" not in principal or ":role/" not in identity:
        return False
    where = (account_of(principal), name_of(principal))
    return identity.count("/") == 1 and where == (account_of(identity), name_of(identity))
