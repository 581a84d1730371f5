"""Finds who is trusted to assume the upload role besides the vendor. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from credentials.doctor.expected import Expected
from credentials.doctor.principals import is_account, is_deleted, is_same, is_session
from credentials.doctor.statements import Document, Statement, allows_of

OTHER = "other-principal"
KINDS = {"Federated": "federated", "Service": "service"}


def strangers(allows: Iterable[Statement], expected: Expected) -> dict[str, list[str]]:
    """What is wrong with a principal -> each such one, with its conditions."""
    named: dict[str, list[str]] = defaultdict(list)
    for statement in allows:
        for kind, name in statement.principals:
            if fault := _fault(kind, name, expected):
                named[fault].append(f'"{name}"{_conditions(statement)}')
    # Where the store does not tell who the vendor is, one exact principal can only be it.
    if not expected.vendor_arn and len(exact := _exact(allows)) > 1:
        named[OTHER] += sorted(exact)
    return named


def is_vendor(name: str, expected: Expected) -> bool:
    """Whether a principal is the vendor; no while its name is not known."""
    return bool(expected.vendor_arn) and is_same(name, expected.vendor_arn)


def exact_principals(document: Document) -> set[str]:
    """The users and roles that a trust policy names, whoever they are."""
    return _exact(allows_of(document))


def _exact(allows: Iterable[Statement]) -> set[str]:
    names = {name for statement in allows for kind, name in statement.principals if kind == "AWS"}
    return {
        name
        for name in names
        if not (is_account(name) or is_deleted(name) or is_session(name) or "*" in name)
    }


def _fault(kind: str, name: str, expected: Expected) -> str:
    """Empty for the vendor, and for whoever it may be while its name is not known."""
    if kind != "AWS":
        return KINDS.get(kind, OTHER)
    if name == "*":
        return "anyone"
    if is_account(name):
        return "account"
    if is_deleted(name):
        return "deleted-principal"
    is_stranger = bool(expected.vendor_arn) and not is_vendor(name, expected)
    return OTHER if is_stranger or "*" in name else ""


def _conditions(statement: Statement) -> str:
    if not statement.conditions:
        return " without a condition"
    return f" (if {' and '.join(str(condition) for condition in statement.conditions)})"
