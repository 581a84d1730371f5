"""An answer that is no listing, or the part of one, is not believed."""

from collections.abc import Iterator
from typing import Any

import pytest

from builds.models import Build
from credentials.errors import ListingOutsideBuild, ListingUnusable
from credentials.vending.listing import listed_folders, listed_objects, listed_uploads

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

    def list_multipart_uploads(self, **_: str) -> dict[str, Any]:
        return self._pages[0]

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        yield from self._pages


def test_answer_that_is_no_whole_listing_is_refused() -> None:
    for expected in WRONG.values():
        build = Build(root="guide/builds/v1", bucket_name="docs-bucket")
        with pytest.raises(ListingUnusable):
            list(listed_objects(FakeS3(expected), build))


def test_whole_listing_is_believed() -> None:
    build = Build(root="guide/builds/v1", bucket_name="docs-bucket")
    pages = [
        {"IsTruncated": True, "NextContinuationToken": "more", "Contents": [OBJECT]},
        {"IsTruncated": False},
    ]
    assert list(listed_objects(FakeS3(pages), build)) == [OBJECT]


FOLDERS: dict[str, list[dict[str, Any]]] = {
    "delimiter ignored": [{"IsTruncated": False, "Contents": [OBJECT]}],
    "folder of a folder": [{"IsTruncated": False, "CommonPrefixes": [{"Prefix": "a/b/"}]}],
    "folder that is none": [{"IsTruncated": False, "CommonPrefixes": [{"Prefix": "a"}]}],
    "folder without a name": [{"IsTruncated": False, "CommonPrefixes": [{}]}],
    "folder twice": [{"IsTruncated": False, "CommonPrefixes": [{"Prefix": "a/"}]}] * 2,
}


def test_folders_that_cannot_be_are_refused() -> None:
    for expected in FOLDERS.values():
        with pytest.raises(ListingUnusable):
            list(listed_folders(FakeS3(expected), bucket="docs-bucket"))


UPLOAD = {"Key": "a b+%2B", "UploadId": "1", "Initiated": "then"}
UPLOADS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "outside": ({"Uploads": [UPLOAD | {"Key": "b"}]}, ListingOutsideBuild),
    "without an id": ({"Uploads": [UPLOAD | {"UploadId": ""}]}, ListingUnusable),
    "without a time": ({"Uploads": [UPLOAD | {"Initiated": None}]}, ListingUnusable),
    "no way on": ({"IsTruncated": True}, ListingUnusable),
    "no end": ({"IsTruncated": True, "NextKeyMarker": "a"}, ListingUnusable),
}


def test_uploads_that_cannot_be_are_refused() -> None:
    for page, error in UPLOADS.values():
        with pytest.raises(error):
            list(listed_uploads(FakeS3([page]), bucket="docs-bucket", prefix="a"))


def test_keys_of_uploads_are_decoded_where_the_store_encoded_them() -> None:
    for encoding, key in [({"EncodingType": "url"}, "a b +"), ({}, "a b+%2B")]:
        pages = [{"Uploads": [UPLOAD]} | encoding]
        assert [each["Key"] for each in listed_uploads(FakeS3(pages), bucket="docs-bucket")] == [
            key
        ], encoding
