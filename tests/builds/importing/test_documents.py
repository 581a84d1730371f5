"""Answers of LTD Keeper are read strictly: what becomes a row is what was meant."""

from datetime import UTC, datetime
from typing import Any

import pytest

from builds.importing import DocumentError, KeeperBuild, KeeperProduct, last_part, read_document

PRODUCT: dict[str, Any] = {
    "slug": "pipelines",
    "bucket_name": "docs",
    "title": "Pipelines",
    "doc_repo": None,
    "root_domain": "lsst.example",
    "surrogate_key": "ab" * 16,
}
BUILD: dict[str, Any] = {
    "slug": "1",
    "bucket_name": "docs",
    "bucket_root_dir": "pipelines/builds/1",
    "uploaded": True,
    "git_refs": ["main"],
    "github_requester": None,
    "surrogate_key": "ab" * 16,
    "date_created": "2016-03-01T10:21:27Z",
    "date_ended": None,
}
WRONG: list[tuple[str, Any]] = [
    ("slug", 1),
    ("slug", ""),
    ("bucket_name", None),
    ("bucket_root_dir", ["x"]),
    ("uploaded", "true"),
    ("uploaded", None),
    ("git_refs", "main"),
    ("git_refs", [1]),
    ("git_refs", ["ma\0in"]),
    ("git_refs", ["main\u202e"]),
    ("github_requester", "a\x1b[2J"),
    ("github_requester", 7),
    ("surrogate_key", "AB" * 16),
    ("surrogate_key", "ab" * 16 + "\n"),
    ("date_created", None),
    ("date_created", "yesterday"),
    ("date_created", "1999-12-31T23:59:59Z"),
    ("date_created", "2200-01-01T00:00:00Z"),
    ("date_created", "9999-12-31T23:59:59Z"),
    ("date_ended", 1456827687),
]


def read_build(document: Any) -> KeeperBuild:
    return read_document(document, KeeperBuild)


def read_product(document: Any) -> KeeperProduct:
    return read_document(document, KeeperProduct)


def test_member_of_another_kind_is_refused_by_name() -> None:
    for name, value in WRONG:
        with pytest.raises(DocumentError, match=f"not what LTD Keeper returns: .*{name}"):
            read_build(BUILD | {name: value})


def test_answer_without_a_member_is_refused() -> None:
    for read, whole in [(read_build, BUILD), (read_product, PRODUCT)]:
        for name in whole:
            wanted = f"returns: .*missing required field `{name}`"
            with pytest.raises(DocumentError, match=wanted):
                read({key: value for key, value in whole.items() if key != name})


def test_some_members_may_be_null_or_empty() -> None:
    assert read_product(PRODUCT | {"title": ""}).doc_repo is None
    assert read_build(BUILD).github_requester is None


def test_moments_are_aware() -> None:
    for text in ["2016-03-01T10:21:27", "2016-03-01T12:21:27+02:00"]:
        expected = datetime(2016, 3, 1, 10, 21, 27, tzinfo=UTC)
        assert read_build(BUILD | {"date_created": text}).created_at == expected, text


def test_build_that_was_deleted_says_when() -> None:
    build = read_build(BUILD | {"date_ended": "2016-03-02T10:21:27Z"})
    assert build.ended_at == datetime(2016, 3, 2, 10, 21, 27, tzinfo=UTC)
    assert read_build(BUILD).ended_at is None


def test_surrogate_key_is_kept() -> None:
    assert read_build(BUILD).surrogate_key == "ab" * 16


ADDRESSES = {
    "https://k.example/builds/17": "17",
    "https://k.example/builds/17/": "17",
    "https://k.example/products/XX": "XX",
    "7": "7",
}


def test_last_part_of_an_address() -> None:
    assert {url: last_part(url) for url in ADDRESSES} == ADDRESSES


def test_what_is_no_address_is_refused() -> None:
    for url in ["", "/", None, 17, {}]:
        with pytest.raises(DocumentError, match=r"\Aan address in a list is not one\Z"):
            last_part(url)


def test_first_and_last_credible_moments_are_taken() -> None:
    for text in ["2000-01-01T00:00:00Z", "2199-12-31T23:59:59Z"]:
        assert read_build(BUILD | {"date_created": text}).created_at == datetime.fromisoformat(
            text
        ), text


def test_last_part_has_at_most_255_characters() -> None:
    assert last_part(f"https://keeper.example.org/{'a' * 255}/") == "a" * 255
    with pytest.raises(DocumentError, match=r"\Aan address in a list is not one\Z"):
        last_part(f"https://keeper.example.org/{'a' * 256}")
