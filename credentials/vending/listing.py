"""A store's listing, accepted only if it can be correct.

S3 lists every key once, page after page in the order of their UTF-8 bytes, which is Python's order
of text (AWS, `ListObjectsV2`). Some stores ignore the prefix, repeat a page or never come to an
end: what such a listing names is neither counted nor deleted.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from builds.models import Build
from credentials.errors import ListingOutsideBuild, ListingUnusable

# Beyond both, a listing has no end. A session that lists lives for 900 s, which is not enough for
# so many.
MOST_OBJECTS = 10_000_000
MOST_EMPTY_PAGES = 1000
LARGEST_OBJECT = 2**50
# The auditor lists all builds of a product, for as long as it takes.
MOST_OF_A_PRODUCT = 1_000_000_000
MOST_UPLOADS = 1_000_000
ENCODED = re.compile(r"[A-Za-z0-9%/._~+*-]*")


def listed_objects(s3: Any, build: Build) -> Iterator[Any]:
    """Everything below the root, in memory that does not grow with it.

    Raises ListingOutsideBuild, ListingUnusable, and botocore's errors.
    """
    for page in listed_pages(s3, bucket=build.bucket_name, prefix=f"{build.root}/"):
        yield from page


def listed_pages(
    s3: Any, *, bucket: str, prefix: str, most: int | None = None
) -> Iterator[list[Any]]:
    """The same below any prefix, page by page."""
    last, count = "", 0
    for page in _pages(s3, Bucket=bucket, Prefix=prefix):
        entries = objects_on(page, prefix, after=last)
        count += len(entries)
        if count > (most or MOST_OBJECTS):
            raise ListingUnusable
        yield entries
        last = max((entry["Key"] for entry in entries), default=last)


def listed_folders(s3: Any, *, bucket: str) -> Iterator[tuple[list[Any], list[str]]]:
    """The objects that lie in no folder, and the folders at the top, page by page."""
    last = ""
    for page in _pages(s3, Bucket=bucket, Prefix="", Delimiter="/"):
        entries = objects_on(page, "", after=last)
        folders = [each.get("Prefix", "") for each in page.get("CommonPrefixes", [])]
        if any("/" in entry["Key"] for entry in entries):
            raise ListingUnusable
        if any(folder.find("/") != len(folder) - 1 for folder in folders):
            raise ListingUnusable
        _require_order(folders, after=last)
        yield entries, folders
        last = max([*(entry["Key"] for entry in entries), *folders], default=last)


def _pages(s3: Any, **request: str) -> Iterator[Any]:
    empty = 0
    for page in s3.get_paginator("list_objects_v2").paginate(**request):
        if page.get("IsTruncated") and not page.get("NextContinuationToken"):
            raise ListingUnusable
        empty = 0 if page.get("Contents") or page.get("CommonPrefixes") else empty + 1
        if empty > MOST_EMPTY_PAGES:
            raise ListingUnusable
        yield page


def objects_on(page: Any, prefix: str, *, after: str = "") -> list[Any]:
    """The objects on one page, whose keys come after another. Raises as `listed_objects` does."""
    if not isinstance(page.get("IsTruncated"), bool):
        raise ListingUnusable  # no listing at all: botocore makes an empty one of any answer
    entries: list[Any] = page.get("Contents", [])
    if any(not entry.get("Key") or not _is_size(entry.get("Size")) for entry in entries):
        raise ListingUnusable
    keys = [entry["Key"] for entry in entries]
    if not all(key.startswith(prefix) for key in keys):
        raise ListingOutsideBuild
    _require_order(keys, after=after)
    return entries


def _require_order(names: list[str], *, after: str) -> None:
    if len(set(names)) < len(names) or min(names, default=after) < after or after in names:
        raise ListingUnusable


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= LARGEST_OBJECT


def listed_uploads(s3: Any, *, bucket: str, prefix: str = "") -> Iterator[Any]:
    """The multipart uploads that were neither completed nor aborted, in whatever order.

    Keys are asked for in the form of URLs, as botocore does it for objects: XML cannot carry all
    of them. Raises ListingOutsideBuild, ListingUnusable, and botocore's errors.
    """
    marker: dict[str, str] = {}
    for _ in range(MOST_UPLOADS):
        page = s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix, EncodingType="url", **marker)
        is_encoded = page.get("EncodingType") == "url"
        for upload in page.get("Uploads", []):
            if not (key := _decoded(upload.get("Key", ""), is_encoded=is_encoded)).startswith(
                prefix
            ):
                raise ListingOutsideBuild
            if not key or not upload.get("UploadId") or not upload.get("Initiated"):
                raise ListingUnusable
            yield upload | {"Key": key}
        if not page.get("IsTruncated"):
            return
        before = marker
        marker = {
            "KeyMarker": _decoded(page.get("NextKeyMarker", ""), is_encoded=is_encoded),
            "UploadIdMarker": page.get("NextUploadIdMarker", ""),
        }
        if marker == before or not marker["KeyMarker"]:
            raise ListingUnusable
    raise ListingUnusable


def _decoded(key: str, *, is_encoded: bool) -> str:
    """Ceph 16.2.15 encodes and does not say so; what other stores leave as it is often shows it."""
    return unquote_plus(key) if is_encoded or ENCODED.fullmatch(key) else key
