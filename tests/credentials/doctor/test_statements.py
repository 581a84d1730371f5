"""Policy documents in every form that IAM takes."""

import json
from typing import Any

import pytest

from credentials.doctor.statements import (
    Statement,
    UnreadableDocumentError,
    allows_of,
    denies_of,
    statements_of,
)

SIMPLE = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def only(**changes: Any) -> Statement:
    [statement] = statements_of({"Statement": [SIMPLE | changes]})
    return statement


def test_single_statement_needs_no_list() -> None:
    assert statements_of({"Statement": SIMPLE}) == [only()]


def test_text_is_read_as_json() -> None:
    assert statements_of(json.dumps({"Statement": [SIMPLE]})) == [only()]


def test_document_without_a_statement_has_none() -> None:
    assert statements_of({"Version": "2012-10-17"}) == []


def test_strings_are_lists_of_one() -> None:
    assert only() == only(Action=["s3:GetObject"], Resource=["*"])


PRINCIPALS: dict[str, tuple[Any, tuple[tuple[str, str], ...]]] = {
    "anybody": ("*", (("AWS", "*"),)),
    "anybody, named": ({"AWS": "*"}, (("AWS", "*"),)),
    "anybody in a list": ({"AWS": ["*"]}, (("AWS", "*"),)),
    "several kinds": (
        {"AWS": ["a", "b"], "Service": "c"},
        (("AWS", "a"), ("AWS", "b"), ("Service", "c")),
    ),
    "none": ({}, ()),
}


@pytest.mark.parametrize("case", PRINCIPALS)
def test_principals_are_pairs_of_kind_and_name(case: str) -> None:
    written, read = PRINCIPALS[case]
    assert only(Principal=written).principals == read


def test_conditions_are_flat_with_lower_case_keys() -> None:
    statement = only(Condition={"Null": {"aws:TokenIssueTime": True}, "Bool": {"a": ["x", "y"]}})
    assert [str(each) for each in statement.conditions] == [
        "Null aws:tokenissuetime true",
        "Bool a x, y",
    ]
    assert statement.conditions_on("a") == [statement.conditions[1]]


NEGATED: dict[str, tuple[dict[str, Any], str, tuple[Any, ...]]] = {
    "NotAction": ({"NotAction": "iam:*"}, "actions", ("*",)),
    "NotResource": ({"NotResource": "x"}, "resources", ("*",)),
    "NotPrincipal": ({"NotPrincipal": {"AWS": "x"}}, "principals", (("AWS", "*"),)),
}


@pytest.mark.parametrize("name", NEGATED)
def test_negated_element_of_an_allow_is_everything(name: str) -> None:
    changes, attribute, everything = NEGATED[name]
    statement = only(**changes)
    assert getattr(statement, attribute) == everything
    assert statement.negated == {name}


@pytest.mark.parametrize("name", NEGATED)
def test_negated_element_of_a_deny_is_nothing(name: str) -> None:
    changes, attribute, _ = NEGATED[name]
    assert getattr(only(Effect="Deny", **changes), attribute) == ()


def test_effects_are_told_apart() -> None:
    document = {"Statement": [SIMPLE, SIMPLE | {"Effect": "Deny"}]}
    assert [len(allows_of(document)), len(denies_of(document))] == [1, 1]


UNREADABLE: dict[str, Any] = {
    "no JSON": "{",
    "a list": [],
    "text in a list": {"Statement": ["x"]},
    "nothing": None,
    "conditions that are a list": {"Statement": {**SIMPLE, "Condition": []}},
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_policy_is_an_error_of_its_own(case: str) -> None:
    with pytest.raises(UnreadableDocumentError):
        statements_of(UNREADABLE[case])
