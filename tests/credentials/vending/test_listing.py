"""An answer that is no listing, or the part of one, is not believed."""

from collections.abc import Iterator
from typing import Any

import pytest

from builds.models import Build
from credentials.errors import ListingUnusable
from credentials.vending.listing import listed_objects

OBJECT = {"Key": "guide/builds/v1/page", "Size": 1}
WRONG: dict[str, list[dict[str, Any]]] = {
    # botocore makes this of a page of HTML, of nothing, and of XML of another kind.
    "no listing": [{"ResponseMetadata": {"HTTPStatusCode": 200}}],
    "a flag that is none": [{"IsTruncated": "yes", "Contents": [OBJECT]}],
    "more to come, and no way to it": [{"IsTruncated": True, "Contents": [OBJECT]}],
    "no listing on the second page": [
        {"IsTruncated": True, "NextContinuationToken": "more", "Contents": [OBJECT]},
        {},
    ],
}


class FakeS3:
    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self._pages = pages

    def get_paginator(self, _name: str) -> "FakeS3":
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        yield from self._pages


@pytest.mark.parametrize("case", WRONG)
def test_answer_that_is_no_whole_listing_is_refused(case: str) -> None:
    build = Build(root="guide/builds/v1", bucket_name="docs-bucket")
    with pytest.raises(ListingUnusable):
        list(listed_objects(FakeS3(WRONG[case]), build))


def test_whole_listing_is_believed() -> None:
    build = Build(root="guide/builds/v1", bucket_name="docs-bucket")
    pages = [
        {"IsTruncated": True, "NextContinuationToken": "more", "Contents": [OBJECT]},
        {"IsTruncated": False},
    ]
    assert list(listed_objects(FakeS3(pages), build)) == [OBJECT]
