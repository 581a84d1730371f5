"""Which directories and files a client may name, and what they become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import BadDirectory, BadFile
from credentials.rules.object_names import (
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
    "\u00e9/", "e\u0301/", "A/", "a/",
]  # fmt: skip
# name -> what the refusal says of it, as a file and as a directory
BAD_NAMES = {
    "..": "'..' has a part that is . or ...",
    ".": "'.' has a part that is . or ...",
    "a/../b": "'a/../b' has a part that is . or ...",
    "a/./b": "'a/./b' has a part that is . or ...",
    "a//b": "'a//b' has an empty part.",
    "a\\b": "'a\\\\b' holds a backslash.",
    "a\x00b": "'a\\x00b' holds a control character.",
    "a\tb/x": "'a\\tb/x' holds a control character.",
    "x/a\nb": "'x/a\\nb' holds a control character.",
    "a\x7fb": "'a\\x7fb' holds a control character.",
    "a\u202eb": "'a\\u202eb' holds a control character.",
    "a\u2028b": "'a\\u2028b' holds a control character.",
    "/a": "'/a' begins with a slash, and names are relative to the root.",
    "//": "'//' begins with a slash, and names are relative to the root.",
}
WILD = ["*", "a*", "?", "$", "${filename}", "${aws:username}", "a/**/b"]


def refusal_of_directories(*names: str) -> str:
    with pytest.raises(BadDirectory) as caught:
        check_directories(names, root_bytes=len(ROOT))
    return caught.value.message


def refusal_of_files(*names: str) -> str:
    with pytest.raises(BadFile) as caught:
        check_files(names, root_bytes=len(ROOT))
    return caught.value.message


def test_directories_of_real_trees_are_taken() -> None:
    check_directories(GOOD_DIRECTORIES, root_bytes=len(ROOT))


def test_bad_name_is_refused_in_one_sentence() -> None:
    for name, sentence in BAD_NAMES.items():
        assert refusal_of_files("good", name, "*") == f"files: {sentence}"
        as_directory = sentence.replace("' ", "/' ", 1)
        assert refusal_of_directories("good/", f"{name}/", "*/") == f"directories: {as_directory}"


def test_wildcards_and_variables_are_refused_in_directories_alone() -> None:
    for name in WILD:
        sentence = f"directories: '{name}/' contains a wildcard or a dollar sign."
        assert refusal_of_directories(f"{name}/") == sentence, name
        check_files([name], root_bytes=len(ROOT))


def test_directory_ends_with_a_slash_and_a_file_does_not() -> None:
    for name in ("a", ""):
        sentence = f"directories: '{name}' does not end with a slash."
        assert refusal_of_directories("a/", name) == sentence
    for name in ("", "a/", "a/b/"):
        assert refusal_of_files(name) == f"files: '{name}' has an empty part."


def test_same_name_twice_is_refused() -> None:
    sentence = "directories: 'b/' is there more than once."
    assert refusal_of_directories("a/", "b/", "c/", "b/") == sentence


def test_number_of_directories_is_limited() -> None:
    for count in [0, 5001]:
        sentence = f"directories: 1 to 5000 may be asked for at a time; these are {count}."
        assert refusal_of_directories(*map("{}/".format, range(count))) == sentence, count
        check_directories([*map("{}/".format, range(5000))], root_bytes=len(ROOT))


def test_number_of_files_is_limited() -> None:
    for count in [0, 1001]:
        sentence = f"files: 1 to 1000 may be asked for at a time; these are {count}."
        assert refusal_of_files(*map(str, range(count))) == sentence, count
        check_files([*map(str, range(1000))], root_bytes=len(ROOT))


def test_keys_have_at_most_1024_bytes() -> None:
    for character in ["a", "ü", "日"]:
        room = 1024 - len(f"{ROOT}/")
        longest = character * (room // len(character.encode()))
        longest += "x" * (room - len(longest.encode()))
        check_files([longest], root_bytes=len(ROOT))
        assert refusal_of_files(f"{longest}x").endswith(
            " is too long: keys have at most 1024 bytes."
        ), character


def test_directory_leaves_room_for_a_file() -> None:
    room = 1024 - len(ROOT) - 1
    check_directories(["a" * (room - 2) + "/"], root_bytes=len(ROOT))
    assert "too long" in refusal_of_directories("a" * (room - 1) + "/")


# name -> how the refusal writes it
LONG_NAMES = {
    "\u00fc" * 99 + "*": "'" + "\\xfc" * 99 + "*'",
    "a" * 100: "'" + "a" * 100 + "'",
    "a" * 101: "'" + "a" * 100 + "...'",
}


def test_refusal_names_in_ascii_and_cuts_what_is_long() -> None:
    for name, expected in LONG_NAMES.items():
        sentence = f"directories: {expected} does not end with a slash."
        assert refusal_of_directories(name) == sentence, name


# directory -> prefix of its files, key of its object
PLACES = {
    "/": (f"{ROOT}/", ROOT),
    "a/": (f"{ROOT}/a/", f"{ROOT}/a"),
    "a/b/": (f"{ROOT}/a/b/", f"{ROOT}/a/b"),
    "X/": (f"{ROOT}/X/", f"{ROOT}/X"),
}


def test_directory_has_a_prefix_and_a_key() -> None:
    for directory, expected in PLACES.items():
        assert (files_prefix(ROOT, directory), directory_key(ROOT, directory)) == expected, (
            directory
        )


parts = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=8)


@given(st.one_of(st.text(max_size=12), st.lists(parts, max_size=3).map("/".join)))
def test_what_is_taken_becomes_keys_right_below_the_root(text: str) -> None:
    """A prefix and a key at or below the root, which a path reads as they are written."""
    name = f"{text}/"
    try:
        check_directories([name], root_bytes=len(ROOT))
    except BadDirectory:
        return
    prefix, key = files_prefix(ROOT, name), directory_key(ROOT, name)
    assert prefix in {f"{ROOT}/", f"{ROOT}/{name}"}
    assert f"{key}/" == prefix
    assert not {"", ".", ".."} & set(key.split("/"))
    assert "$" not in prefix
