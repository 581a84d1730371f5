"""Names that become part of an object key, and the root they make. Pure.

Slugs are matched whole and in ASCII. A legal slug therefore never holds a slash, a wildcard, a
policy variable, a control character, or anything that a URL, a key or an IAM policy reads in
another way than it is written.
"""

import re
from datetime import datetime

from ulid import ULID

PRODUCT_SLUG_LENGTH = 63
BUILD_SLUG_LENGTH = 64
ULID_LENGTH = 26

PRODUCT_SLUG_PATTERN = r"^[a-z]+[-a-z0-9]*[a-z0-9]+\Z"
BUILD_SLUG_PATTERN = r"^[a-zA-Z0-9._-]+\Z"

_PRODUCT_SLUG = re.compile(PRODUCT_SLUG_PATTERN, re.ASCII)
_BUILD_SLUG = re.compile(BUILD_SLUG_PATTERN, re.ASCII)


def is_product_slug(text: str) -> bool:
    """Two to 63 of `a-z0-9-`, beginning with a letter, not ending with a hyphen.

    The pattern is LTD Keeper's own.
    """
    return len(text) <= PRODUCT_SLUG_LENGTH and _PRODUCT_SLUG.match(text) is not None


def is_build_slug(text: str) -> bool:
    """One to 64 of `a-zA-Z0-9._-`, but neither `.` nor `..`."""
    if len(text) > BUILD_SLUG_LENGTH or text in {".", ".."}:
        return False
    return _BUILD_SLUG.match(text) is not None


def new_build_slug(now: datetime) -> str:
    """A ULID in lower case: 26 characters, sorted by time, 80 random bits."""
    return str(ULID.from_datetime(now)).lower()


def build_root(product_slug: str, build_slug: str) -> str:
    """The key prefix of a build, without a slash at either end: `<product>/builds/<build>`.

    Raises ValueError for a slug that is not legal, so that no root is ever made of one.
    """
    if not is_product_slug(product_slug) or not is_build_slug(build_slug):
        raise ValueError("not a legal product and build slug")
    return f"{product_slug}/builds/{build_slug}"


def is_build_root(text: str) -> bool:
    """Whether a text is exactly what `build_root` makes."""
    product_slug, _, build_slug = text.partition("/builds/")
    return is_product_slug(product_slug) and is_build_slug(build_slug)
