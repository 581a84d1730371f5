"""Judges whether a role is allowed what uploads need. Pure.

Conditions are not weighed here, except that of a listing: a session is tried besides.
"""

from collections.abc import Iterator
from dataclasses import replace

from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.patterns import covers, covers_action
from credentials.doctor.rights import Right, expected_rights, prefixes_of
from credentials.doctor.statements import Statement, allows_of, denies_of
from credentials.doctor.subjects import Subject
from credentials.identities import EVERY_BUILD

WHY_NEEDED = "A session has no more than its role and its role's boundary: uploads are refused."


def judge_needs(subject: Subject, expected: Expected) -> list[Finding]:
    """What uploads need and the documents do not allow, or deny."""
    return [*_missing(subject, expected), *_denied(subject, expected)]


def _missing(subject: Subject, expected: Expected) -> Iterator[Finding]:
    allows = [each for document in subject.documents.values() for each in allows_of(document)]
    missing = [right for right in _needed(expected) if not _is_allowed(right, allows)]
    if missing:
        what = f"is not allowed what uploads need: {_told(missing)}."
        yield subject.finding("action-missing", what, WHY_NEEDED)


def _denied(subject: Subject, expected: Expected) -> Iterator[Finding]:
    found = [
        (name, right)
        for name, document in subject.documents.items()
        for statement in denies_of(document)
        for right in _needed(expected)
        if _is_denied_by(right, statement)
    ]
    if found:
        what = f"denies what uploads need: {_told([right for _, right in found])}."
        policies = dict.fromkeys(name for name, _ in found)
        yield subject.finding("denies-uploads", what, WHY_NEEDED, policies=policies)


def _needed(expected: Expected) -> Iterator[Right]:
    """The expected rights, on the builds of every product there is."""
    for right in expected_rights(expected):
        yield from _of_products(right, expected.product_slugs) or [right]


def _of_products(right: Right, slugs: tuple[str, ...]) -> list[Right]:
    """The right for each product; empty where it has nothing to do with products."""
    above = right.resource.removesuffix(EVERY_BUILD)
    if right.prefixes:
        return [replace(right, prefixes=(f"{slug}/builds/*",)) for slug in slugs]
    if above == right.resource:
        return []
    return [replace(right, resource=f"{above}{slug}/builds/*") for slug in slugs]


def _is_allowed(needed: Right, allows: list[Statement]) -> bool:
    return any(
        any(covers_action(action, needed.action) for action in statement.actions)
        and any(covers(resource, needed.resource) for resource in statement.resources)
        and not statement.negated
        and _lists(statement, needed)
        for statement in allows
    )


def _lists(statement: Statement, needed: Right) -> bool:
    """Whether a listing is not limited to less than is needed."""
    found = prefixes_of(statement)
    if needed.prefixes is None or found is None:
        return True
    return all(any(covers(wide, each) for wide in found) for each in needed.prefixes)


def _is_denied_by(needed: Right, statement: Statement) -> bool:
    """Whether a Deny without a condition refuses it, or a part of it."""
    return (
        not statement.conditions
        and any(covers_action(action, needed.action) for action in statement.actions)
        and any(
            covers(resource, needed.resource) or covers(needed.resource, resource)
            for resource in statement.resources
        )
    )


def _told(rights: list[Right]) -> str:
    return "; ".join(dict.fromkeys(f"{right.action} on {right.resource}" for right in rights))
