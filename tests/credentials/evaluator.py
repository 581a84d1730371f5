"""What IAM allows by a session policy: an evaluator written from IAM's documentation, not from
the code under test. Knows only what session policies here may hold; anything else is an error.

Sources: AWS IAM user guide, "Resource" (`*` is any run of characters, `/` included; `?` is one),
"Action" (not case-sensitive), "Condition operators" (a key that is absent does not match
StringLike).
"""

import json
import re
from functools import lru_cache
from typing import Any


def allows(policy: str, action: str, resource: str, prefix: str | None = None) -> bool:
    """Whether a request is allowed; `prefix` is the request's `s3:prefix`, None when not sent."""
    return any(_matches(each, action, resource, prefix) for each in _statements(policy))


@lru_cache
def _statements(policy: str) -> list[dict[str, Any]]:
    document = json.loads(policy)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    return list(document["Statement"])


def _matches(statement: dict[str, Any], action: str, resource: str, prefix: str | None) -> bool:
    assert set(statement) - {"Condition"} == {"Effect", "Action", "Resource"}
    assert statement["Effect"] == "Allow"
    return (
        any(_like(action.lower(), pattern.lower()) for pattern in _list(statement["Action"]))
        and any(_like(resource, pattern) for pattern in _list(statement["Resource"]))
        and _holds(statement.get("Condition", {}), prefix)
    )


def _holds(condition: dict[str, Any], prefix: str | None) -> bool:
    if not condition:
        return True
    assert set(condition) == {"StringLike"}
    assert set(condition["StringLike"]) == {"s3:prefix"}
    patterns = _list(condition["StringLike"]["s3:prefix"])
    return prefix is not None and any(_like(prefix, pattern) for pattern in patterns)


def _like(text: str, pattern: str) -> bool:
    return _expression(pattern).fullmatch(text) is not None


@lru_cache
def _expression(pattern: str) -> re.Pattern[str]:
    assert "${" not in pattern, "policy variables are never used here"
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(each, re.escape(each)) for each in pattern), re.DOTALL)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
