"""ARNs of those who call: users, roles, and sessions of roles. Pure."""

import re

_SESSION = re.compile(r"arn:([\w-]+):sts::([\w-]*):assumed-role/([^/]+)/.+\Z")


def account_of(arn: str) -> str:
    """What the ARNs of one account's identities begin with: `arn:aws:iam::123456789012`."""
    return arn.rpartition(":")[0]


def kind_of(arn: str) -> str:
    """`user`, `role`, `root`, ...; empty for no ARN."""
    return arn.rpartition(":")[2].partition("/")[0]


def name_of(arn: str) -> str:
    """The last part of an ARN's path: the name without which no path is unique."""
    return arn.rpartition("/")[2]


def is_session(arn: str) -> bool:
    return _SESSION.match(arn) is not None


def identity_of(caller_arn: str) -> str:
    """The user or role behind a caller's ARN.

    A session's ARN does not have its role's path, so neither has the role's ARN here.
    """
    if match := _SESSION.match(caller_arn):
        partition, account, role = match.groups()
        return f"arn:{partition}:iam::{account}:role/{role}"
    return caller_arn


def is_same(arn: str, identity: str) -> bool:
    """Whether an ARN is that of an identity, whose path may be unknown where it is a role."""
    if arn == identity:
        return True
    if {kind_of(arn), kind_of(identity)} != {"role"} or identity.count("/") != 1:
        return False
    return (account_of(arn), name_of(arn)) == (account_of(identity), name_of(identity))
