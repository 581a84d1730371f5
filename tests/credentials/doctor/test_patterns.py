"""Wildcards: what one pattern covers of another."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.doctor.patterns import covers, covers_action

# wide, narrow -> covers
COVERS = {
    "the same": ("docs/a", "docs/a", True),
    "another": ("docs/a", "docs/b", False),
    "everything": ("*", "docs/a", True),
    "everything covers wildcards": ("*", "docs/*", True),
    "slashes are crossed": ("docs/*", "docs/a/b", True),
    "wildcard in the middle": ("docs/*/builds/*", "docs/guide/builds/*", True),
    "narrower is no wider": ("docs/guide/builds/*", "docs/*/builds/*", False),
    "begin only": ("docs/*", "docs2/a", False),
    "end only": ("*/builds", "a/builds/x", False),
    "one character": ("doc?", "docs", True),
    "one character is not none": ("docs?", "docs", False),
    "one character is no wildcard": ("doc?", "doc*", False),
    "one of one": ("doc?", "doc?", True),
    "any run covers one": ("doc*", "doc?", True),
    "text covers no wildcard": ("docs", "doc?", False),
    "newlines too": ("docs/*", "docs/a\nb", True),
    "nothing special": ("docs.[ab]", "docs.a", False),
    "empty": ("", "", True),
}


@pytest.mark.parametrize("case", COVERS)
def test_pattern_covers_another(case: str) -> None:
    wide, narrow, expected = COVERS[case]
    assert covers(wide, narrow) is expected


# action pattern, action -> covers
ACTIONS = {
    "case does not matter": ("S3:putobject", "s3:PutObject", True),
    "wildcard": ("s3:Put*", "s3:PutObjectAcl", True),
    "another service": ("iam:*", "s3:PutObject", False),
    "everything": ("*", "s3:PutObject", True),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_action_covers_another(case: str) -> None:
    wide, narrow, expected = ACTIONS[case]
    assert covers_action(wide, narrow) is expected


patterns = st.text("ab*?", max_size=6)


def as_regex(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern.replace("*", "[ab]*").replace("?", "[ab]"))


@given(wide=patterns, narrow=patterns, text=st.text("ab", max_size=6))
def test_covered_pattern_matches_nothing_that_the_wide_one_does_not(
    wide: str, narrow: str, text: str
) -> None:
    if covers(wide, narrow) and as_regex(narrow).fullmatch(text):
        assert as_regex(wide).fullmatch(text)
