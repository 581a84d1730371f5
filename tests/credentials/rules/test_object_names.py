"""Which directories and keys a client may name, and what they become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.object_names import (
    BadNameError,
    check_directories,
    check_files,
    directory_key,
    files_prefix,
)

ROOT = "guide/builds/01m84t2cevmmwpwrna51e3maf3"

GOOD_DIRECTORIES = [
    "/", "_static/", "a/b/c/", "with space/", "ü/", "日本/", ".hidden/", "..a/", "a../",
    ".../", "%2e%2e/", "a&b=c/", "-/", "'quoted'/", '"/',
    "\u0dc1\u0dca\u200d\u0dbb\u0dd3/", "\u0645\u06cc\u200c\u062e/", "\ue000/", "\u0378/", "\ufeff/",
]  # fmt: skip
BAD_PARTS = {
    "..": "part that is",
    ".": "part that is",
    "a//b": "empty part",
    "a\\b": "backslash",
    "a\x00b": "control",
    "a\tb": "control",
    "a\nb": "control",
    "a\x7fb": "control",
    "a\u202eb": "control",
    "a\u2028b": "control",
    "/a": "begins with a slash",
    "//": "begins with a slash",
}
WILD = ["*", "a*", "?", "$", "${filename}", "${aws:username}", "a/**/b"]


@pytest.mark.parametrize("name", GOOD_DIRECTORIES)
def test_directory_of_a_real_tree_is_taken(name: str) -> None:
    check_directories(["/", name] if name != "/" else ["/"], root_bytes=len(ROOT))


@pytest.mark.parametrize("name", BAD_PARTS)
def test_bad_name_is_refused_alone_in_front_in_the_middle_and_last(name: str) -> None:
    for within in [name, f"{name}/x", f"x/{name}/y", f"x/{name}"]:
        with pytest.raises(BadNameError):
            check_directories([f"{within}/"], root_bytes=len(ROOT))
        with pytest.raises(BadNameError):
            check_files([within], root_bytes=len(ROOT))


@pytest.mark.parametrize("name", BAD_PARTS)
def test_refusal_says_why(name: str) -> None:
    with pytest.raises(BadNameError, match=BAD_PARTS[name]):
        check_directories(["good/", f"{name}/", "*/"], root_bytes=len(ROOT))


@pytest.mark.parametrize("name", WILD)
def test_wildcards_and_variables_are_refused_in_directories_alone(name: str) -> None:
    with pytest.raises(BadNameError, match="wildcard or a dollar"):
        check_directories([f"{name}/"], root_bytes=len(ROOT))
    check_files([name], root_bytes=len(ROOT))


@pytest.mark.parametrize("names", [[], ["a"], [""], ["a/", "a"]])
def test_directory_ends_with_a_slash(names: list[str]) -> None:
    with pytest.raises(BadNameError):
        check_directories(names, root_bytes=len(ROOT))


@pytest.mark.parametrize("name", ["", "/", "a/", "a/b/"])
def test_file_does_not(name: str) -> None:
    with pytest.raises(BadNameError):
        check_files([name], root_bytes=len(ROOT))


def test_same_name_twice_is_refused() -> None:
    with pytest.raises(BadNameError, match="'b/' is there more than once"):
        check_directories(["a/", "b/", "c/", "b/"], root_bytes=len(ROOT))


def test_names_that_differ_in_form_alone_are_different() -> None:
    check_directories(["\u00e9/", "e\u0301/", "A/", "a/"], root_bytes=len(ROOT))


@pytest.mark.parametrize(("count", "fits"), [(5000, True), (5001, False)])
def test_number_of_directories_is_limited(*, count: int, fits: bool) -> None:
    names = [f"{number}/" for number in range(count)]
    if fits:
        check_directories(names, root_bytes=len(ROOT))
        return
    with pytest.raises(BadNameError, match="1 to 5000"):
        check_directories(names, root_bytes=len(ROOT))


@pytest.mark.parametrize(("count", "fits"), [(1000, True), (1001, False)])
def test_number_of_files_is_limited(*, count: int, fits: bool) -> None:
    names = [str(number) for number in range(count)]
    if fits:
        check_files(names, root_bytes=len(ROOT))
        return
    with pytest.raises(BadNameError, match="1 to 1000"):
        check_files(names, root_bytes=len(ROOT))


@pytest.mark.parametrize("character", ["a", "ü", "日"])
def test_keys_have_at_most_1024_bytes(character: str) -> None:
    room = 1024 - len(f"{ROOT}/")
    longest = character * (room // len(character.encode()))
    longest += "x" * (room - len(longest.encode()))
    check_files([longest], root_bytes=len(ROOT))
    with pytest.raises(BadNameError, match="too long"):
        check_files([f"{longest}x"], root_bytes=len(ROOT))


def test_directory_leaves_room_for_a_file() -> None:
    room = 1024 - len(ROOT) - 1
    check_directories(["a" * (room - 2) + "/"], root_bytes=len(ROOT))
    with pytest.raises(BadNameError, match="too long"):
        check_directories(["a" * (room - 1) + "/"], root_bytes=len(ROOT))


def test_long_name_is_cut_and_hostile_text_is_escaped() -> None:
    with pytest.raises(BadNameError) as caught:
        check_directories(["<b>\u202e" + "x" * 5000], root_bytes=len(ROOT))
    assert str(caught.value).isascii()
    assert "\\u202e" in str(caught.value)
    assert len(str(caught.value)) < 200


parts = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=8)


@given(st.one_of(st.text(max_size=12), st.lists(parts, max_size=3).map("/".join)))
def test_what_is_taken_becomes_keys_right_below_the_root(text: str) -> None:
    """A prefix and a key at or below the root, which a path reads as they are written."""
    name = f"{text}/"
    try:
        check_directories([name], root_bytes=len(ROOT))
    except BadNameError:
        return
    prefix, key = files_prefix(ROOT, name), directory_key(ROOT, name)
    assert prefix == f"{ROOT}/" if name == "/" else prefix == f"{ROOT}/{name}"
    assert key == ROOT if name == "/" else key.startswith(f"{ROOT}/")
    assert f"{key}/" == prefix
    assert not {"", ".", ".."} & set(key.split("/"))
    assert "$" not in prefix


# directory -> the whole sentence
SENTENCES = {
    "a": "'a' does not end with a slash.",
    "a*/": "'a*/' holds a wildcard or a dollar sign.",
    "/a/": "'/a/' begins with a slash, and names are relative to the root.",
    "a//b/": "'a//b/' has an empty part.",
    "a/../": "'a/../' has a part that is . or ...",
    "a\\b/": "'a\\\\b/' holds a backslash.",
    "a\tb/": "'a\\tb/' holds a control character.",
    "\u00fc" * 99 + "*": "'" + "\\xfc" * 99 + "*' does not end with a slash.",
    "a" * 101: "'" + "a" * 100 + "...' does not end with a slash.",
}


@pytest.mark.parametrize("name", SENTENCES, ids=range(len(SENTENCES)))
def test_refusal_is_one_sentence_with_the_name(name: str) -> None:
    with pytest.raises(BadNameError) as caught:
        check_directories([name], root_bytes=len(ROOT))
    assert str(caught.value) == SENTENCES[name]
