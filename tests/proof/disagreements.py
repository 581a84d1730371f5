"""Where the two evaluators are known to differ, and who is right.

AWS: `*` and `?` stand for any character, line feeds included; a key is taken as it is written; an
unknown policy variable makes its statement match nothing (IAM user guide, Resource, Variables).
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.proof.evaluators import Question

LINE_ENDS = frozenset("\n\r\u2028\u2029")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`is_one` tells the cases of a difference from others."""

    is_one: Callable[[Question], bool]
    reason: str


def _values(question: Question) -> list[str]:
    return [question.resource, *question.context.values()]


def _has_line_end(question: Question) -> bool:
    return any(LINE_ENDS & set(value) for value in _values(question))


def _asks_with_wildcard(question: Question) -> bool:
    return bool(set("*?") & set(question.resource))


def _asks_for_no_key(question: Question) -> bool:
    return question.resource.endswith("/") and question.resource.count("/") == 1


def _has_variable(question: Question) -> bool:
    return any("${" in text for text in (question.role, question.boundary, question.session))


DIFFERENCES = {
    "line end in a key or prefix": Difference(
        is_one=_has_line_end,
        reason="Both match with regular expressions whose `.` stops at line ends: the store's at a "
        "line feed, and it overlooks one at the very end; the simulator's at CR, U+2028 and U+2029 "
        "too. AWS does neither, as our own evaluator in tests/credentials has it.",
    ),
    "wildcard in the request": Difference(
        is_one=_asks_with_wildcard,
        reason="The simulator reads `*` and `?` in the resource that is asked for as any resource "
        "like it; for S3 they are characters of a key, as the store's evaluator has it.",
    ),
    "object without a key": Difference(
        is_one=_asks_for_no_key,
        reason="S3 has no object of that name; the simulator finds the question invalid, the "
        "store's evaluator answers it like any other.",
    ),
    "policy variable": Difference(
        is_one=_has_variable,
        reason="The store's evaluator does not replace policy variables. No policy here holds one: "
        "`$` is refused in every name.",
    ),
}


def explained_by(question: Question) -> str | None:
    """The name of the difference that a case falls under, or None."""
    return next((name for name, each in DIFFERENCES.items() if each.is_one(question)), None)
