"""Judges the upload role's trust policy: it must name the vendor and nobody else. Pure."""

from collections.abc import Iterable, Iterator

from credentials.doctor.commands import aws
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding, Severity
from credentials.doctor.patterns import covers_action
from credentials.doctor.statements import Document, Statement, allows_of
from credentials.doctor.strangers import is_vendor, strangers
from credentials.doctor.trust_conditions import judge_conditions

CHECK = "trust"
# Tags and source identities are set by AssumeRole itself and admit nobody.
HARMLESS = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
ASSUMING = HARMLESS[0]

WHO_ASSUMES = (
    "Whoever may assume the role without this service has the whole role: every build of the "
    "bucket, with no row in the ledger."
)
FAULTS = {
    "anyone": ("Anybody may assume the role", WHO_ASSUMES),
    "account": (
        "A whole account may assume the role",
        f"Its administrators decide who does. {WHO_ASSUMES}",
    ),
    "federated": ("An identity provider's users may assume the role", WHO_ASSUMES),
    "service": ("A service of AWS may assume the role", WHO_ASSUMES),
    "other-principal": ("Somebody besides the vendor may assume the role", WHO_ASSUMES),
    "deleted-principal": (
        "The trust policy is for an identity that was deleted",
        "A new one of the same name has another id, so it cannot assume the role.",
    ),
    "other-action": (
        "The trust policy allows more than sts:AssumeRole",
        "Other ways to a session do not pass the ledger.",
    ),
}


def judge_trust(document: Document, expected: Expected) -> list[Finding]:
    """What is wrong with who may assume the role, and under which conditions."""
    allows = allows_of(document)
    found = strangers(allows, expected)
    findings = [_finding(fault, names, expected) for fault, names in found.items()]
    findings += _actions(allows, expected)
    own = [each for each in allows if _is_for_vendor(each, expected)]
    if own:
        return [*findings, *judge_conditions(own, expected, change=_change(expected))]
    return [*findings, *_vendor_missing(expected)]


def _is_for_vendor(statement: Statement, expected: Expected) -> bool:
    """Whether it lets the vendor in; where the vendor is not known, every statement may."""
    names = [name for kind, name in statement.principals if kind == "AWS"]
    return any(covers_action(action, ASSUMING) for action in statement.actions) and (
        not expected.vendor_arn or any(is_vendor(name, expected) for name in names)
    )


def _actions(allows: Iterable[Statement], expected: Expected) -> Iterator[Finding]:
    harmless = {action.lower() for action in HARMLESS}
    more = [a for each in allows for a in each.actions if a.lower() not in harmless]
    if more:
        yield _finding("other-action", more, expected, severity=Severity.WARNING)


def _vendor_missing(expected: Expected) -> Iterator[Finding]:
    yield Finding(
        id=f"{CHECK}.vendor-missing",
        what=f"The trust policy does not name the vendor{_named(expected)}.",
        why="Every job fails if this service cannot assume the role, and may stop any day if it "
        "can only because of what else is trusted.",
        change=_change(expected),
    )


def _named(expected: Expected) -> str:
    return f", {expected.vendor_arn}" if expected.vendor_arn else ""


def _finding(
    fault: str, names: Iterable[str], expected: Expected, *, severity: Severity = Severity.ERROR
) -> Finding:
    what, why = FAULTS[fault]
    return Finding(
        id=f"{CHECK}.{fault}",
        what=f"{what}: it names {', '.join(dict.fromkeys(names))}.",
        why=why,
        change=_change(expected),
        severity=severity,
    )


def _change(expected: Expected) -> str:
    if not expected.vendor_arn:
        return (
            "Leave one statement in the trust policy, whose Principal is the vendor's whole ARN. "
            "This store does not tell which that is."
        )
    return aws(
        expected,
        "iam update-assume-role-policy",
        role_name=expected.role_name,
        policy_document=expected.trust,
    )
