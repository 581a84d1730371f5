"""What a store lists below a build's root, believed only where it can be true.

S3 lists every key once, page after page in the order of their UTF-8 bytes, which is Python's order
of text (AWS, `ListObjectsV2`). Some stores ignore the prefix, repeat a page or never come to an
end: what such a listing names is neither counted nor deleted.
"""

from collections.abc import Iterator
from typing import Any

from builds.models import Build
from builds.names import is_in_root
from credentials.errors import ListingOutsideBuild, ListingUnusable

# Beyond both, a listing has no end. A session that lists lives for 900 s, which is not enough for
# so many.
MOST_OBJECTS = 10_000_000
MOST_EMPTY_PAGES = 1000
LARGEST_OBJECT = 2**50


def listed_objects(s3: Any, build: Build) -> Iterator[Any]:
    """Everything below the root, in memory that does not grow with it.

    Raises ListingOutsideBuild, ListingUnusable, and botocore's errors.
    """
    pages = s3.get_paginator("list_objects_v2")
    last, count, empty = "", 0, 0
    for page in pages.paginate(Bucket=build.bucket_name, Prefix=f"{build.root}/"):
        entries = objects_on(page, build, after=last)
        if page["IsTruncated"] and not page.get("NextContinuationToken"):
            raise ListingUnusable
        count, empty = count + len(entries), 0 if entries else empty + 1
        if count > MOST_OBJECTS or empty > MOST_EMPTY_PAGES:
            raise ListingUnusable
        yield from entries
        last = max((entry["Key"] for entry in entries), default=last)


def objects_on(page: Any, build: Build, *, after: str = "") -> list[Any]:
    """The objects on one page, whose keys come after another. Raises as `listed_objects` does."""
    if not isinstance(page.get("IsTruncated"), bool):
        raise ListingUnusable  # no listing at all: botocore makes an empty one of any answer
    entries: list[Any] = page.get("Contents", [])
    if any(not entry.get("Key") or not _is_size(entry.get("Size")) for entry in entries):
        raise ListingUnusable
    keys = [entry["Key"] for entry in entries]
    if not all(is_in_root(key, build.root) for key in keys):
        raise ListingOutsideBuild
    if len(set(keys)) < len(keys) or min(keys, default=after) < after or after in keys:
        raise ListingUnusable
    return entries


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= LARGEST_OBJECT
