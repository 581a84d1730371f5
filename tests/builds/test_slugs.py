"""What may become part of an object key, and that roots never collide or contain each other."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from builds.slugs import build_root, is_build_root, is_build_slug, is_product_slug, new_build_slug
from tests.builds.names import HOSTILE, build_slugs, product_slugs

MOMENT = datetime(2026, 11, 23, 12, tzinfo=UTC)
FORBIDDEN = re.compile(r"[^\x21-\x7e]|[/*?$%\\\"'{}]")


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_name_is_no_product_slug(case: str) -> None:
    assert not is_product_slug(HOSTILE[case])


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_name_is_no_build_slug(case: str) -> None:
    assert not is_build_slug(HOSTILE[case])


@pytest.mark.parametrize("case", HOSTILE)
def test_no_root_is_made_of_a_hostile_name(case: str) -> None:
    for names in [(HOSTILE[case], "1"), ("guide", HOSTILE[case])]:
        with pytest.raises(ValueError, match="not a legal product and build slug"):
            build_root(*names)


@pytest.mark.parametrize("case", HOSTILE)
def test_text_with_a_hostile_name_is_no_root(case: str) -> None:
    assert not is_build_root(f"{HOSTILE[case]}/builds/1")
    assert not is_build_root(f"guide/builds/{HOSTILE[case]}")


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


@pytest.mark.parametrize("case", PRODUCT_SLUGS)
def test_product_slug_has_the_contract_s_form(case: str) -> None:
    text, legal = PRODUCT_SLUGS[case]
    assert is_product_slug(text) is legal


BUILD_SLUGS = {
    "one character": ("1", True),
    "64 characters": ("x" * 64, True),
    "three dots": ("...", True),
    "leading dot": (".x", True),
    "leading hyphen": ("-x", True),
    "upper case": ("V1.0_rc-2", True),
}


@pytest.mark.parametrize("case", BUILD_SLUGS)
def test_build_slug_has_the_contract_s_form(case: str) -> None:
    text, legal = BUILD_SLUGS[case]
    assert is_build_slug(text) is legal


def test_root_is_product_builds_and_slug() -> None:
    assert build_root("guide", "v1") == "guide/builds/v1"


NO_ROOTS = ["", "guide", "guide/builds", "guide/builds/", "/guide/builds/1", "guide/builds/1/"]
NO_ROOTS += ["guide/Builds/1", "guide/build/1", "guide//1", "guide/builds/a/b", "a/b/builds/1"]
NO_ROOTS += ["guide/builds/../builds/1", "guide/builds/1\n", "\nguide/builds/1", "*/builds/*"]


@pytest.mark.parametrize("text", NO_ROOTS)
def test_other_text_is_no_root(text: str) -> None:
    assert not is_build_root(text)


SIBLINGS = {
    "doc and docs": (("doc", "1"), ("docs", "1")),
    "1 and 10": (("guide", "1"), ("guide", "10")),
    "a case pair": (("guide", "V1"), ("guide", "v1")),
    "a hyphen more": (("guide", "v1"), ("guide", "v1-rc")),
}


@pytest.mark.parametrize("case", SIBLINGS)
def test_sibling_root_lies_outside(case: str) -> None:
    first, second = (build_root(*names) for names in SIBLINGS[case])
    assert first != second
    assert not f"{second}/index.html".startswith(f"{first}/")


def test_names_that_would_join_to_one_root_are_refused() -> None:
    for names in [("a/b", "c"), ("a", "b/c"), ("a/builds", "c"), ("ab", "builds/c")]:
        with pytest.raises(ValueError, match="not a legal"):
            build_root(*names)


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
