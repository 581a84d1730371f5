"""Policy documents, read into statements that no longer vary in form. Pure.

AWS IAM user guide, "Grammar of the JSON policy language": one statement or a list of them, a
string or a list almost everywhere.
"""

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
EVERYTHING = ("*",)
ANYBODY = ("AWS", "*")


class UnreadableDocumentError(ValueError):
    """What should be a policy document is none."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One key of one operator; `key` is in lower case, since its case does not matter."""

    operator: str
    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {', '.join(self.values)}"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement. `principals` are pairs of kind and name.

    `negated` holds the `Not...` elements that it has. In an Allow they are read as everything,
    anybody; in a Deny as nothing, nobody: the reading that trusts the policy least.
    """

    is_allow: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    conditions: tuple[Condition, ...]
    negated: frozenset[str]

    def conditions_on(self, key: str) -> list[Condition]:
        return [condition for condition in self.conditions if condition.key == key]


def statements_of(document: Document | str) -> list[Statement]:
    """The statements of a document, or of its text. Raises UnreadableDocumentError."""
    try:
        return [_statement(each) for each in _listed(_read(document))]
    except (AttributeError, TypeError, ValueError) as err:
        raise UnreadableDocumentError("this is not a policy document") from err


def without(document: Document | str, taken: Container[int]) -> dict[str, Any]:
    """The document without the statements at these places."""
    read = _read(document)
    left = [each for place, each in enumerate(_listed(read)) if place not in taken]
    return {**read, "Statement": left}


def allows_of(document: Document | str) -> list[Statement]:
    return [statement for statement in statements_of(document) if statement.is_allow]


def denies_of(document: Document | str) -> list[Statement]:
    return [statement for statement in statements_of(document) if not statement.is_allow]


def texts(value: Any) -> tuple[str, ...]:
    """A string, or a list of them, as a tuple; numbers and flags as IAM writes them."""
    listed = value if isinstance(value, list) else [value]
    return tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in listed)


def _read(document: Document | str) -> Document:
    read: Document = json.loads(document) if isinstance(document, str) else document
    return read


def _listed(document: Document) -> list[Any]:
    found = document.get("Statement", [])
    return found if isinstance(found, list) else [found]


def _statement(raw: Mapping[str, Any]) -> Statement:
    negated = frozenset(
        name for name in ("NotAction", "NotResource", "NotPrincipal") if name in raw
    )
    is_allow = raw["Effect"] == "Allow" if "Effect" in raw else True
    rest: tuple[str, ...] = EVERYTHING if is_allow else ()
    return Statement(
        is_allow=is_allow,
        actions=rest if "NotAction" in raw else texts(raw.get("Action", [])),
        resources=rest if "NotResource" in raw else texts(raw.get("Resource", [])),
        principals=tuple(_principals(raw, is_allow=is_allow)),
        conditions=tuple(_conditions(raw.get("Condition", {}))),
        negated=negated,
    )


def _principals(raw: Mapping[str, Any], *, is_allow: bool) -> Iterator[tuple[str, str]]:
    if "NotPrincipal" in raw:
        yield from [ANYBODY] if is_allow else []
        return
    principal = raw.get("Principal", {})
    if isinstance(principal, Mapping):
        for kind, names in principal.items():
            yield from ((kind, name) for name in texts(names))
    else:
        yield from (("AWS", name) for name in texts(principal))


def _conditions(raw: Mapping[str, Mapping[str, Any]]) -> Iterator[Condition]:
    for operator, keys in raw.items():
        for key, values in keys.items():
            yield Condition(operator=operator, key=key.lower(), values=texts(values))
