"""Policy documents are the same when they hold the same rights, however these are written."""

import json
from typing import Any

import pytest

from credentials.rules.account_documents import trust_policy, upload_policy
from credentials.rules.policy_comparison import (
    Right,
    UnreadableDocumentError,
    difference,
    is_same,
    lines_of,
    rights_of,
    statements_of,
)

ROLE = "arn:aws:iam::123456789012:role/upload"
VENDOR = "arn:aws:iam::123456789012:user/vendor"
UPLOAD = upload_policy(role_arn=ROLE, bucket="docs")
WRITING = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:a"}
LISTING = {
    "Effect": "Allow",
    "Action": "s3:ListBucket",
    "Resource": "arn:b",
    "Condition": {"StringLike": {"s3:prefix": ["a/*", "b/*"]}},
}
DENYING = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:a"}
TRUST = {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


WANTED = document(WRITING, LISTING, DENYING)
SAME: dict[str, dict[str, Any]] = {
    "as it is": WANTED,
    "other order": document(DENYING, LISTING, WRITING),
    "statement without a list": document(WRITING, LISTING, DENYING),
    "Sid": document(WRITING | {"Sid": "one"}, LISTING, DENYING),
    "actions in another order": document(
        WRITING | {"Action": ["s3:GetObject", "s3:PutObject"]}, LISTING, DENYING
    ),
    "one action in a list": document(WRITING, LISTING | {"Action": ["s3:ListBucket"]}, DENYING),
    "case of an action": document(WRITING, LISTING | {"Action": "S3:listbucket"}, DENYING),
    "a statement for each action": document(
        WRITING | {"Action": "s3:GetObject"}, WRITING | {"Action": "s3:PutObject"}, LISTING, DENYING
    ),
    "twice": document(WRITING, WRITING, LISTING, DENYING),
    "condition in another order and case": document(
        WRITING,
        LISTING | {"Condition": {"stringlike": {"S3:Prefix": ["b/*", "a/*"]}}},
        DENYING,
    ),
}


def test_documents_that_mean_the_same_are_the_same() -> None:
    for case, found in SAME.items():
        assert is_same(found, WANTED), case
        assert is_same(json.dumps(found), json.dumps(WANTED)), case


OTHERS: dict[str, dict[str, Any]] = {
    "an action more": document(WRITING | {"Action": ["s3:PutObject", "s3:*"]}, LISTING, DENYING),
    "an action less": document(WRITING | {"Action": "s3:PutObject"}, LISTING, DENYING),
    "another resource": document(WRITING | {"Resource": "arn:A"}, LISTING, DENYING),
    "a resource more": document(WRITING | {"Resource": ["arn:a", "*"]}, LISTING, DENYING),
    "no condition": document(WRITING, LISTING | {"Condition": {}}, DENYING),
    "another value": document(
        WRITING, LISTING | {"Condition": {"StringLike": {"s3:prefix": ["a/*"]}}}, DENYING
    ),
    "value of another case": document(
        WRITING, LISTING | {"Condition": {"StringLike": {"s3:prefix": ["A/*", "b/*"]}}}, DENYING
    ),
    "another operator": document(
        WRITING, LISTING | {"Condition": {"StringEquals": {"s3:prefix": ["a/*", "b/*"]}}}, DENYING
    ),
    "a condition more": document(
        WRITING,
        LISTING | {"Condition": LISTING["Condition"] | {"Bool": {"aws:x": True}}},
        DENYING,
    ),
    "no denial": document(WRITING, LISTING),
    "denial that allows": document(WRITING, LISTING, DENYING | {"Effect": "deny"}),
    "denial of another": document(WRITING, LISTING, DENYING | {"Action": "s3:DeleteObject"}),
    "all but an action": document(
        WRITING, LISTING, DENYING, {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    ),
    "all but its actions": document(
        {"Effect": "Allow", "NotAction": WRITING["Action"], "Resource": "arn:a"}, LISTING, DENYING
    ),
    "all but its resource": document(
        {"Effect": "Allow", "Action": WRITING["Action"], "NotResource": "arn:a"}, LISTING, DENYING
    ),
    "nothing": document(),
}


def test_documents_that_mean_something_else_differ() -> None:
    for case, found in OTHERS.items():
        assert not is_same(found, WANTED), case
        assert not is_same(WANTED, found), case


PRINCIPALS: dict[str, tuple[Any, bool]] = {
    "in a list": ({"Principal": {"AWS": [VENDOR]}}, True),
    "anybody": ({"Principal": "*"}, False),
    "one more": ({"Principal": {"AWS": [VENDOR, "*"]}}, False),
    "of another kind": ({"Principal": {"Federated": VENDOR}}, False),
    "of one more kind": ({"Principal": {"AWS": VENDOR, "Service": "ec2"}}, False),
    "all but the vendor": ({"NotPrincipal": {"AWS": VENDOR}}, False),
}


def test_principals_are_compared() -> None:
    for case, (changes, expected) in PRINCIPALS.items():
        statement = {name: value for name, value in TRUST.items() if name != "Principal"} | changes
        assert is_same(document(statement), trust_policy(vendor_arn=VENDOR)) is expected, case


def test_anybody_is_written_in_two_ways() -> None:
    assert is_same(
        document(TRUST | {"Principal": "*"}), document(TRUST | {"Principal": {"AWS": "*"}})
    )


def test_flag_is_compared_as_iam_writes_it() -> None:
    text = trust_policy(vendor_arn=VENDOR, refuse_sessions=True)
    flagged = document(TRUST | {"Condition": {"Null": {"aws:TokenIssueTime": True}}})
    assert is_same(flagged, text)
    numbered = [document(TRUST | {"Condition": {"NumericLessThan": {"x": n}}}) for n in (5, "5")]
    assert is_same(*numbered)


def test_rights_are_all_combinations_of_a_statement_s_lists() -> None:
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": [VENDOR], "Service": "ec2"},
        "Action": ["S3:PutObject", "s3:Get*"],
        "Resource": "arn:A",
        "Condition": {"StringLike": {"S3:Prefix": ["a/*"]}, "Null": {"aws:x": True}},
    }
    conditions = {
        ("stringlike", "s3:prefix", frozenset({"a/*"})),
        ("null", "aws:x", frozenset({"true"})),
    }
    assert rights_of(statement) == {
        Right(
            is_allowed=False,
            principal=principal,
            action=action,
            resource="arn:A",
            conditions=frozenset(conditions),
        )
        for principal in (f"AWS {VENDOR}", "Service ec2")
        for action in ("s3:putobject", "s3:get*")
    }


def test_negated_elements_stand_as_a_whole() -> None:
    negated = {
        "Effect": "Allow",
        "NotPrincipal": {"AWS": VENDOR},
        "NotAction": ["s3:PutObject", "s3:GetObject"],
        "NotResource": "arn:A",
    }
    [right] = rights_of(negated)
    assert right.principal == f"NotPrincipal {{'AWS': '{VENDOR}'}}"
    assert right.action == "notaction ['s3:putobject', 's3:getobject']"
    assert right.resource == "NotResource arn:A"


def test_element_that_is_not_there_is_empty() -> None:
    [right] = rights_of({"Effect": "Allow"})
    assert (right.principal, right.action, right.resource) == ("AWS ", "", "")
    assert right.is_allowed


def test_statement_may_stand_without_a_list() -> None:
    assert is_same({"Statement": TRUST}, document(TRUST))


def test_difference_names_whole_statements() -> None:
    more = WRITING | {"Action": ["s3:PutObject", "s3:*"]}
    found = difference([more, LISTING], [WRITING, LISTING, DENYING])
    assert (found.extra, found.missing) == ((more,), (WRITING, DENYING))
    assert str(found) == "\n".join(
        [lines_of("+", [more]), lines_of("-", [WRITING]), lines_of("-", [DENYING])]
    )
    assert lines_of("+", [DENYING]) == (
        '+ {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:a"}'
    )


STRICTER: dict[str, tuple[list[Any], bool]] = {
    "the same": ([WRITING], True),
    "denied besides": ([WRITING, DENYING], True),
    "allowed besides": ([WRITING, DENYING, LISTING], False),
    "less": ([DENYING], False),
}


def test_more_denials_are_told_from_other_differences() -> None:
    for case, (found, expected) in STRICTER.items():
        assert difference(found, [WRITING]).only_denies is expected, case


def test_one_sided_difference_is_one_line() -> None:
    assert str(difference([], [DENYING])) == lines_of("-", [DENYING])
    assert str(difference([DENYING], [])) == lines_of("+", [DENYING])
    assert not difference([], [])


UNREADABLE: dict[str, Any] = {
    "no JSON": "{",
    "a list": "[]",
    "no statement": "{}",
    "a text for a statement": {"Statement": "x"},
    "a number for an action": {"Statement": {"Action": 1}},
    "a text for a condition": {"Statement": {"Condition": "x"}},
    "nothing": None,
}


def test_what_is_no_document_is_not_read() -> None:
    for case, sentence in UNREADABLE.items():
        with pytest.raises(UnreadableDocumentError, match=r"\Athis is not a policy document\Z"):
            statements_of(sentence)
        assert not is_same(sentence, WANTED), case
        assert not is_same(WANTED, sentence), case


def test_upload_policy_is_the_same_as_itself_alone() -> None:
    assert is_same(UPLOAD, UPLOAD)
    for more in ({"with_sync": True}, {"with_public_read": True}):
        assert not is_same(upload_policy(role_arn=ROLE, bucket="docs", **more), UPLOAD)
