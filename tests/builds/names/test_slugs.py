"""What may become part of an object key, and that roots never collide or contain each other."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from builds.names import (
    build_root,
    escape_controls,
    has_controls,
    is_build_root,
    is_build_slug,
    is_in_root,
    is_product_slug,
    new_build_slug,
    short_ref,
)
from tests.builds.name_samples import HOSTILE, build_slugs, product_slugs

MOMENT = datetime(2026, 11, 23, 12, tzinfo=UTC)
REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"\u200e", "\u200f", "\u061c"}
FORBIDDEN = re.compile(r"[^\x21-\x7e]|[/*?$%\\\"'{}]")


def test_hostile_name_is_no_slug() -> None:
    for is_slug in [is_product_slug, is_build_slug]:
        assert [case for case, name in HOSTILE.items() if is_slug(name)] == [], is_slug


def test_no_root_is_made_of_a_hostile_name() -> None:
    for name in HOSTILE.values():
        assert not is_build_root(f"{name}/builds/1")
        assert not is_build_root(f"guide/builds/{name}")
        for names in [(name, "1"), ("guide", name)]:
            with pytest.raises(ValueError, match="not a legal product and build slug"):
                build_root(*names)


WRITTEN_BY_PEOPLE = {
    "spaces": " a  b ",
    "Sinhala, zero-width joiner": "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "Persian, zero-width non-joiner": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "emoji of several": "\U0001f469\u200d\U0001f4bb",
    "zero-width space": "a\u200bb",
    "soft hyphen": "a\u00adb",
    "byte order mark": "\ufeffa",
    "private use": "\ue000\U000f0000\U0010fffd",
    "unassigned": "\u0378\U000323b0",
    "noncharacter": "\uffff",
    "tag": "a\U000e0041",
    "no-break space": "a\u00a0b",
    "word joiner": "a\u2060b",
    "before and behind each that is refused": "\x20\x7e\xa0\u061b\u061d\u200d\u2010\u2027"
    "\u202f\u2065\u206a\ud7ff\ue000",
}
CONTROLS = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e",
    *"\u2066\u2067\u2068\u2069\ud800\udbff\udc00\udfff",
]


def test_text_that_people_write_has_no_controls() -> None:
    assert [case for case, text in WRITTEN_BY_PEOPLE.items() if has_controls(text)] == []


def test_control_character_is_found_wherever_it_is() -> None:
    texts = [
        f"{before}{each}{after}" for each in CONTROLS for before in ("", "a") for after in ("", "b")
    ]
    assert [text for text in texts if not has_controls(text)] == []


def test_controls_are_written_as_in_json() -> None:
    assert escape_controls("a\x1b[2J\u2028b \u00e9") == r"a\u001b[2J\u2028b " + "\u00e9"


@given(st.characters())
def test_controls_are_what_unicode_calls_so(character: str) -> None:
    """Categories and directions as the interpreter's own tables have them."""
    is_control = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
    reorders = unicodedata.bidirectional(character) in REORDERING or character in MARKS
    assert has_controls(character) is (is_control or reorders)


PRODUCT_SLUGS = {
    "two letters": ("ab", True),
    "letter and digit": ("a1", True),
    "63 characters": ("a" * 63, True),
    "64 characters": ("a" * 64, False),
    "one character": ("a", False),
    "inner hyphens": ("a--b", True),
    "leading hyphen": ("-ab", False),
    "trailing hyphen": ("ab-", False),
    "leading digit": ("1ab", False),
    "upper case": ("Doc", False),
    "dot": ("a.b", False),
    "underscore": ("a_b", False),
}


def test_product_slug_has_the_contracts_form() -> None:
    for case, (text, legal) in PRODUCT_SLUGS.items():
        assert is_product_slug(text) is legal, case


BUILD_SLUGS = {
    "one character": ("1", True),
    "64 characters": ("x" * 64, True),
    "three dots": ("...", True),
    "leading dot": (".x", True),
    "leading hyphen": ("-x", True),
    "upper case": ("V1.0_rc-2", True),
}


def test_build_slug_has_the_contracts_form() -> None:
    for case, (text, legal) in BUILD_SLUGS.items():
        assert is_build_slug(text) is legal, case


def test_root_is_product_builds_and_slug() -> None:
    assert build_root("guide", "v1") == "guide/builds/v1"


NO_ROOTS = ["", "guide", "guide/builds", "guide/builds/", "/guide/builds/1", "guide/builds/1/"]
NO_ROOTS += ["guide/Builds/1", "guide/build/1", "guide//1", "guide/builds/a/b", "a/b/builds/1"]
NO_ROOTS += ["guide/builds/../builds/1", "guide/builds/1\n", "\nguide/builds/1", "*/builds/*"]


def test_other_text_is_no_root() -> None:
    assert [text for text in NO_ROOTS if is_build_root(text)] == []


SIBLINGS = {
    "doc and docs": (("doc", "1"), ("docs", "1")),
    "1 and 10": (("guide", "1"), ("guide", "10")),
    "a case pair": (("guide", "V1"), ("guide", "v1")),
    "a hyphen more": (("guide", "v1"), ("guide", "v1-rc")),
}


def test_sibling_root_lies_outside() -> None:
    for case, expected in SIBLINGS.items():
        first, second = (build_root(*names) for names in expected)
        assert first != second, case
        assert not f"{second}/index.html".startswith(f"{first}/"), case


@given(product=product_slugs, build=build_slugs)
def test_every_root_of_legal_slugs_is_a_root(product: str, build: str) -> None:
    root = build_root(product, build)
    assert is_build_root(root)
    assert root.split("/") == [product, "builds", build]
    assert len(root) <= 135


@given(product=st.text(), build=st.text())
def test_root_is_made_only_of_legal_slugs(product: str, build: str) -> None:
    try:
        root = build_root(product, build)
    except ValueError:
        assert not (is_product_slug(product) and is_build_slug(build))
    else:
        assert is_build_root(root)


@given(one=st.tuples(product_slugs, build_slugs), other=st.tuples(product_slugs, build_slugs))
def test_two_builds_never_share_or_contain_a_root(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assume(one != other)
    first, second = build_root(*one), build_root(*other)
    assert first != second
    assert not second.startswith(f"{first}/")


@given(text=product_slugs | build_slugs)
def test_legal_slug_holds_nothing_that_is_read_in_another_way(text: str) -> None:
    assert is_product_slug(text) or is_build_slug(text)
    assert FORBIDDEN.search(text) is None


@given(text=build_slugs, intruder=st.from_regex(FORBIDDEN, fullmatch=True), at=st.integers(0, 64))
def test_one_forbidden_character_makes_any_slug_illegal(text: str, intruder: str, at: int) -> None:
    spoilt = text[:at] + intruder + text[at:]
    assert not is_build_slug(spoilt)
    assert not is_product_slug(spoilt)


@given(st.text())
def test_whatever_is_taken_for_a_root_is_one(text: str) -> None:
    if is_build_root(text):
        product, _, build = text.split("/")
        assert build_root(product, build) == text


def test_server_made_slug_is_a_lower_case_ulid() -> None:
    slug = new_build_slug(MOMENT)
    assert re.fullmatch(r"[0-7][0-9a-hjkmnp-tv-z]{25}", slug)
    assert is_build_slug(slug)


def test_server_made_slugs_of_one_moment_differ() -> None:
    assert len({new_build_slug(MOMENT) for _ in range(1000)}) == 1000


def test_server_made_slugs_sort_by_time() -> None:
    moments = [MOMENT + timedelta(milliseconds=step) for step in range(50)]
    slugs = [new_build_slug(moment) for moment in moments]
    assert slugs == sorted(slugs)


IN_ROOT = {
    "guide/builds/1": True,
    "guide/builds/1/": True,
    "guide/builds/1/a/b": True,
    "guide/builds/10": False,
    "guide/builds/1-more": False,
    "/guide/builds/1/a": False,
    "x/guide/builds/1/a": False,
    "guide/builds": False,
    "": False,
}


def test_only_the_root_and_what_lies_below_is_in_it() -> None:
    assert {key: is_in_root(key, "guide/builds/1") for key in IN_ROOT} == IN_ROOT


SHORT = {
    "main": "main",
    "refs/heads/main": "main",
    "refs/tags/v1.0": "v1.0",
    "refs/pull/7/merge": "refs/pull/7/merge",
    "x/refs/heads/main": "x/refs/heads/main",
    "refs/heads/" + "a" * 300: "a" * 255,
}


def test_branch_and_tag_are_called_as_people_call_them() -> None:
    assert {ref: short_ref(ref) for ref in SHORT} == SHORT
