"""Compares policy documents, statement by statement, as far as their meaning is beyond doubt. Pure.

Order, `Sid`, the case of an action, a list of one element and how rights are spread over statements
mean nothing (AWS IAM user guide, "Grammar of the JSON policy language"). Everything else is taken
as it is written: whether a wildcard covers another is not worked out here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

Document = Mapping[str, Any] | str
Statement = Mapping[str, Any]


class UnreadableDocumentError(ValueError):
    """What should be a policy document is none."""


@dataclass(frozen=True, kw_only=True)
class Right:
    """One action of one principal on one resource; `conditions` hold triples of operator, key and
    values. A `Not...` element stands as a whole, since it cannot be taken apart.
    """

    is_allowed: bool
    principal: str
    action: str
    resource: str
    conditions: frozenset[tuple[str, str, frozenset[str]]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Statements that say something beyond the wanted ones, and wanted ones that are not there as
    a whole.
    """

    extra: tuple[Statement, ...]
    missing: tuple[Statement, ...]

    def __bool__(self) -> bool:
        return bool(self.extra or self.missing)

    @property
    def only_denies(self) -> bool:
        """Whether nothing is wrong but that more is denied than is wanted."""
        return not self.missing and all(is_denial(each) for each in self.extra)

    def __str__(self) -> str:
        """`+` before what is there and not wanted, `-` before what is wanted and not there."""
        return f"{lines_of('+', self.extra)}\n{lines_of('-', self.missing)}".strip()


def difference(found: Iterable[Statement], wanted: Iterable[Statement]) -> Difference:
    """How the statements of one document, or of several together, differ from the wanted ones."""
    there, needed = list(found), list(wanted)
    return Difference(extra=_beyond(there, needed), missing=_beyond(needed, there))


def lines_of(mark: str, statements: Iterable[Statement]) -> str:
    """Statements as they are read, a line each with a mark before it."""
    return "\n".join(f"{mark} {json.dumps(each)}" for each in statements)


def is_same(found: Document, wanted: Document) -> bool:
    """Whether two documents mean the same; no for what is not a document."""
    try:
        return not difference(statements_of(found), statements_of(wanted))
    except UnreadableDocumentError:
        return False


def is_denial(statement: Statement) -> bool:
    """Whether it takes rights away. What says neither counts as giving them."""
    return statement.get("Effect") == "Deny"


def statements_of(document: Document) -> list[Statement]:
    """The statements of a document, or of its text. Raises UnreadableDocumentError."""
    try:
        read = json.loads(document) if isinstance(document, str) else document
        found = _listed(read["Statement"])
        for each in found:
            rights_of(each)
    except (AttributeError, LookupError, TypeError, ValueError) as err:
        raise UnreadableDocumentError("this is not a policy document") from err
    return found


def rights_of(statement: Statement) -> frozenset[Right]:
    """Every right that a statement's lists multiply to."""
    conditions = frozenset(
        (operator.lower(), key.lower(), frozenset(map(_text, _listed(values))))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )
    combinations = product(
        _principals(statement), _elements(statement, "Action"), _elements(statement, "Resource")
    )
    return frozenset(
        Right(
            is_allowed=not is_denial(statement),
            principal=principal,
            action=action.lower(),
            resource=resource,
            conditions=conditions,
        )
        for principal, action, resource in combinations
    )


def _beyond(statements: list[Statement], others: list[Statement]) -> tuple[Statement, ...]:
    known = {right for each in others for right in rights_of(each)}
    return tuple(each for each in statements if not rights_of(each) <= known)


def _elements(statement: Statement, name: str) -> list[str]:
    if (negated := f"Not{name}") in statement:
        return [f"{negated} {statement[negated]}"]
    return _listed(statement.get(name, ""))


def _principals(statement: Statement) -> Iterator[str]:
    if "NotPrincipal" in statement:
        yield f"NotPrincipal {statement['NotPrincipal']}"
        return
    principal = statement.get("Principal", "")
    named = principal.items() if isinstance(principal, Mapping) else [("AWS", principal)]
    for kind, names in named:
        yield from (f"{kind} {name}" for name in _listed(names))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """Numbers and flags as IAM writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)
