"""Where a key lies, which keys an operator allows, and how one is shown."""

import pytest

from credentials.rules.bucket_layout import (
    allowed_prefixes,
    is_allowed,
    may_lie_in,
    place_of,
    shown_key,
    shown_place,
)

PLACES = {
    "robots.txt": "",
    "secret/top.txt": "secret/",
    "guide/v/main/a/index.html": "guide/v/",
    "guide/builds/index.html": "guide/builds/index.html",
    "guide/builds/v1": "guide/builds/v1",
    "guide/builds/v1/": "guide/builds/v1",
    "guide/builds/v1/a/b": "guide/builds/v1",
    "guide/builds/a b/page": "guide/builds/",
    "guide/builds/../page": "guide/builds/",
    "Guide/builds/v1/page": "Guide/builds/",
    "guide/build/v1/page": "guide/build/",
    "/guide/builds/v1/page": "/guide/",
    "guide//builds/v1": "guide//",
}


def test_key_lies_in_a_root_or_in_a_folder() -> None:
    assert {key: place_of(key) for key in PLACES} == PLACES


ORDER = ["a", "a!x", "a-b", "a-b/1", "a-c/1", "a.b/1", "a/1", "a/2"]


def test_place_stays_open_until_the_listing_is_past_it() -> None:
    assert sorted(ORDER) == ORDER
    assert all(may_lie_in(key, "a") for key in ORDER)
    assert [may_lie_in(key, "a") for key in ("a0", "aa", "b", "")] == [False] * 4
    assert [may_lie_in(key, "a-b") for key in ("a-b", "a-b/1", "a-c/1")] == [True, True, False]
    assert [may_lie_in(key, "a/") for key in ("a/~", "a/b/c", "a0")] == [True, True, False]
    assert may_lie_in("anything", "")


ALLOWED = "*/v/, dashboards/,*/builds/index.html,robots.txt ,a.b/*/c/"
KEYS = {
    "guide/v/main/index.html": True,
    "guide/v/": True,
    "guide/v": False,
    "guide/x/v/main": False,
    "dashboards/a/b": True,
    "dashboards-more/a": False,
    "guide/builds/index.html": True,
    "guide/builds/index.html/evil": False,
    "robots.txt": True,
    "robots.txt2": False,
    "/v/main": False,
    "a.b/x/c/d": True,
    "aXb/x/c/d": False,
    "guide/builds/index.html\n": False,
}


def test_key_is_allowed_by_a_whole_pattern() -> None:
    assert {key: is_allowed(key, allowed_prefixes(ALLOWED)) for key in KEYS} == KEYS
    assert not any(is_allowed(key, ()) for key in KEYS)


FORM = "not keys, or prefixes that end with a slash, separated by commas"
PART = r"an asterisk stands for a whole part of a key, as in \*/v/"
EVERY = "a prefix of every build"
WRONG = {
    **dict.fromkeys(["", "/", "/v/", "a//b", "a\tb", "a" * 256], FORM),
    **dict.fromkeys(["*v/", "a**/b"], PART),
    **dict.fromkeys(["*/", "*/*/", "*/builds/", "*/builds/x/"], EVERY),
}


def test_wrong_pattern_is_refused() -> None:
    for text, sentence in WRONG.items():
        with pytest.raises(ValueError, match=rf"\A{sentence}\Z"):
            allowed_prefixes(f"*/v/,{text}")


def test_pattern_that_is_as_long_as_may_be_is_taken_and_spaces_are_not() -> None:
    assert allowed_prefixes(f" {'a' * 255} , */*") == ("a" * 255, "*/*")
    assert allowed_prefixes("") == ()


def test_key_is_shown_in_one_line_and_cut() -> None:
    assert shown_key("a\nb\x1b\u202e") == "a\\u000ab\\u001b\\u202e"
    assert shown_key("a" * 100) == "a" * 100
    assert shown_key("a" * 101) == f"{'a' * 100}..."


def test_places_that_are_cut_still_differ() -> None:
    assert (shown_place(""), shown_place("a\n/")) == ("/", "a\\u000a/")
    assert shown_place("a" * 150) == "a" * 150
    one, other = shown_place("a" * 151), shown_place("a" * 152)
    assert one != other
    assert one.startswith(f"{'a' * 100}...")
    assert len(one) == len(other) == 119
