"""Judges what a role is allowed against the builds of its bucket: no more than that. Pure.

What may be allowed is the permissions boundary of `credentials/identities.py`, read as a list of
rights; everything that one of them does not cover is too much.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.patterns import covers
from credentials.doctor.statements import Statement, allows_of
from credentials.doctor.subjects import Subject
from credentials.identities import READING
from credentials.rules.policy import SYNC_ACTIONS, WRITE_ACTIONS

PREFIX = "s3:prefix"
BUCKET_ACTIONS = {"s3:listbucket", "s3:getbucketlocation"}
OBJECT_ACTIONS = {action.lower() for action in (*WRITE_ACTIONS, *SYNC_ACTIONS)}
_SERVICE = 2  # where an ARN names it
SESSIONS = "Every session of every build can use it, as far as its own policy lets it."
FAULTS = {
    "not-action": ("allows everything but some actions", SESSIONS),
    "not-resource": ("may act on everything but some resources", SESSIONS),
    "action-wide": (
        "allows actions that no upload needs",
        f"Changing ACLs, settings or other services is how a build becomes public. {SESSIONS}",
    ),
    "reading": (
        "allows reading builds, which only sync products need",
        "Some stores copy into a build whatever the role may read. The store is not set up for "
        "sync products.",
    ),
    "resource-wide": (
        "reaches beyond the builds of its bucket",
        f"What lies beside the builds is not documentation to be overwritten. {SESSIONS}",
    ),
    "other-bucket": ("reaches another bucket", SESSIONS),
    "listing-wide": ("may list what is not below a build", SESSIONS),
}


@dataclass(frozen=True, kw_only=True)
class Right:
    """One action on one pattern of resources; `prefixes` limit a listing, None does not."""

    action: str
    resource: str
    prefixes: tuple[str, ...] | None = None


def rights_of(statement: Statement) -> Iterator[Right]:
    """Every right that a statement's lists multiply to, without those that mean nothing."""
    prefixes = prefixes_of(statement)
    for action in statement.actions:
        for resource in statement.resources:
            if _applies(action, resource):
                yield Right(action=action.lower(), resource=resource, prefixes=prefixes)


def prefixes_of(statement: Statement) -> tuple[str, ...] | None:
    """The prefixes that listings are limited to; None without a condition that limits them."""
    for condition in statement.conditions_on(PREFIX):
        if condition.operator.lower() in {"stringlike", "stringequals"}:
            return condition.values
    return None


def expected_rights(expected: Expected) -> list[Right]:
    """All that the role may be allowed."""
    return [right for each in allows_of(expected.boundary) for right in rights_of(each)]


def judge_width(subject: Subject, expected: Expected) -> list[Finding]:
    """What is allowed beyond the expected rights: one finding for each way of being too wide."""
    permitted = expected_rights(expected)
    details: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, document in subject.documents.items():
        for statement in allows_of(document):
            for fault, detail in _excesses(statement, permitted, expected):
                details[fault][name].append(detail)
    return [_finding(subject, fault, found) for fault, found in details.items()]


def _finding(subject: Subject, fault: str, details: Mapping[str, list[str]]) -> Finding:
    what, why = FAULTS[fault]
    told = "; ".join(f"{', '.join(found)} (policy {name})" for name, found in details.items())
    return subject.finding(fault, f"{what}: {told}.", why, policies=details)


def _excesses(
    statement: Statement, permitted: list[Right], expected: Expected
) -> Iterator[tuple[str, str]]:
    if "NotAction" in statement.negated:
        yield "not-action", "NotAction"
    if "NotResource" in statement.negated:
        yield "not-resource", "NotResource"
    if statement.negated:
        return
    for right in rights_of(statement):
        if not any(_is_within(right, each) for each in permitted):
            yield _fault(right, permitted, expected), f"{right.action} on {right.resource}"


def _fault(right: Right, permitted: list[Right], expected: Expected) -> str:
    same = [each for each in permitted if each.action == right.action]
    if not same:
        return "reading" if right.action == READING.lower() else "action-wide"
    if any(covers(each.resource, right.resource) for each in same):
        return "listing-wide"
    bucket = right.resource.partition("/")[0]
    is_other = ":s3:" in bucket and not covers(bucket, expected.bucket_arn)
    return "other-bucket" if is_other else "resource-wide"


def _is_within(right: Right, permitted: Right) -> bool:
    return (
        right.action == permitted.action
        and covers(permitted.resource, right.resource)
        and _has_prefixes_within(right.prefixes, permitted.prefixes)
    )


def _has_prefixes_within(found: tuple[str, ...] | None, permitted: tuple[str, ...] | None) -> bool:
    if permitted is None:
        return True
    return found is not None and all(any(covers(p, each) for p in permitted) for each in found)


def _applies(action: str, resource: str) -> bool:
    """Whether the resource can be one of the action's kind: of its service, bucket or object."""
    service, fields = action.lower().partition(":")[0], resource.split(":")
    if len(fields) > _SERVICE and not covers(fields[_SERVICE], service):
        return "*" in service
    if action.lower() in BUCKET_ACTIONS:
        return "/" not in resource
    return action.lower() not in OBJECT_ACTIONS or bool({"/", "*", "?"} & set(resource))
