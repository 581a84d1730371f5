"""Judges the conditions under which the trust policy lets the vendor in. Pure."""

from collections.abc import Iterator, Sequence

from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding, Severity
from credentials.doctor.patterns import covers
from credentials.doctor.principals import account_of
from credentials.doctor.statements import Condition, Statement

CHECK = "trust"
EXTERNAL_ID = "sts:externalid"
ISSUE_TIME = "aws:tokenissuetime"

WHY_EXTERNAL_ID = (
    "A service that works for several accounts can be told to use the role by somebody else's "
    "configuration; the external id is what only you and it know (AWS: confused deputy)."
)
WHY_REFUSED = "The store refuses AssumeRole, so every job fails."


def judge_conditions(
    statements: Sequence[Statement], expected: Expected, *, change: str
) -> Iterator[Finding]:
    """What is wrong with the conditions of the statements that are there for the vendor."""
    asked = [_external_ids(statement) for statement in statements]
    if expected.external_id:
        yield from _own_id(asked, expected, change)
    elif asked and all(asked):
        yield _error(
            "external-id-unknown",
            "The trust policy asks for an external id, and the store has none.",
            WHY_REFUSED,
            "Set the store's external id in the admin to the one of the trust policy.",
        )
    if statements and expected.vendor_is_session and all(_refuses_sessions(s) for s in statements):
        yield _error(
            "refuses-sessions",
            "The trust policy refuses callers that are sessions, and this service runs under a "
            "role.",
            WHY_REFUSED,
            change,
        )
    if _is_foreign(expected) and any(not each.conditions for each in statements):
        yield _condition_less()


def _own_id(asked: Sequence[list[Condition]], expected: Expected, change: str) -> Iterator[Finding]:
    values = [[v for condition in each for v in condition.values] for each in asked]
    if any(not each or _admits_any(each) for each in values):
        yield _error(
            "external-id-missing",
            "The trust policy does not ask for the external id that the store has.",
            WHY_EXTERNAL_ID,
            change,
        )
    elif values and not any(covers(v, expected.external_id) for each in values for v in each):
        yield _error(
            "external-id-other",
            "The trust policy asks for another external id than the store has.",
            WHY_REFUSED,
            change,
        )


def _external_ids(statement: Statement) -> list[Condition]:
    """The conditions that ask for an external id; the negated ones ask for none."""
    found = statement.conditions_on(EXTERNAL_ID)
    return [each for each in found if each.operator.lower().startswith(("stringeq", "stringlike"))]


def _admits_any(values: Sequence[str]) -> bool:
    return any(not value.strip("*?") for value in values)


def _refuses_sessions(statement: Statement) -> bool:
    conditions = statement.conditions_on(ISSUE_TIME)
    return any(each.operator.lower() == "null" and "true" in each.values for each in conditions)


def _is_foreign(expected: Expected) -> bool:
    """Whether vendor and role are in different accounts."""
    vendor_account = account_of(expected.vendor_arn)
    return bool(expected.vendor_arn) and vendor_account != expected.account


def _condition_less() -> Finding:
    return Finding(
        id=f"{CHECK}.condition-less",
        what="The vendor is in another account, and is trusted without any condition.",
        why=WHY_EXTERNAL_ID,
        change="Set an external id for the store in the admin and ask for it in the trust policy: "
        '"Condition": {"StringEquals": {"sts:ExternalId": "..."}}',
        severity=Severity.WARNING,
    )


def _error(fault: str, what: str, why: str, change: str) -> Finding:
    return Finding(id=f"{CHECK}.{fault}", what=what, why=why, change=change)
