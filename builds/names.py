"""Names and texts of builds, and the root that slugs make. Pure.

Slugs are matched as a whole and in ASCII. A valid slug therefore never contains a slash, a
wildcard, a policy variable, a control character, or anything that means something else in a URL, a
key or an IAM policy.
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

# General category Cc, the separators of lines and paragraphs, the surrogates, and all of
# Bidi_Control (Unicode 15.0, PropList.txt). Written out, so that nothing depends on which
# characters the interpreter's Unicode tables know.
CONTROLS = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = re.compile(f"[{CONTROLS}]")


def has_controls(text: str) -> bool:
    """Whether a text holds what ends a line, drives a terminal, reorders the text around it, or is
    half a character. Everything else that people write is theirs: joiners, private use, characters
    newer than this program.
    """
    return _CONTROLS.search(text) is not None


def escape_controls(text: str) -> str:
    """The text as it may go to a terminal or a log: those characters as `\\uXXXX`, as in JSON."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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


def is_in_root(key: str, root: str) -> bool:
    """Whether a key is a build's root itself or lies below it."""
    return key == root or key.startswith(f"{root}/")


def is_build_root(text: str) -> bool:
    """Whether a text is exactly what `build_root` makes."""
    product_slug, _, build_slug = text.partition("/builds/")
    return is_product_slug(product_slug) and is_build_slug(build_slug)


def root_of(key: str) -> str | None:
    """The root that a key would be, or lie below, whether there is such a build or not."""
    root = "/".join(key.split("/")[:3])
    return root if is_build_root(root) else None


# What a template of addresses may name. The end of the host is fixed: names that clients choose
# lead to no other site.
_NAME = r"\{(?:product|build)\}"
_URL_TEMPLATE = re.compile(
    rf"https://(?:(?:(?:[A-Za-z0-9-]|{_NAME})+\.)*[A-Za-z0-9-]+\.)?[A-Za-z0-9-]+(?::[0-9]{{1,5}})?"
    rf"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?#%-]|{_NAME})*)?\Z",
    re.ASCII,
)


def is_url_template(text: str) -> bool:
    """Whether a text is an https address with `{build}` in it, and perhaps `{product}`."""
    return "{build}" in text and _URL_TEMPLATE.match(text) is not None


def fill_url_template(template: str, *, product_slug: str, build_slug: str) -> str:
    return template.replace("{product}", product_slug).replace("{build}", build_slug)


GIT_REF_LENGTH = 255


def short_ref(ref: str) -> str:
    """A branch or tag as people call it: `refs/heads/main` is `main`. Cut to its column."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")[:GIT_REF_LENGTH]


# The forms of bucket names and ARNs. Pure.
#
# Role ARNs of S3-compatible stores may have an empty account (Ceph: `arn:aws:iam:::role/upload`).

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z", re.ASCII)
_IPV4 = re.compile(r"[0-9]+(\.[0-9]+){3}\Z", re.ASCII)
_ROLE_ARN = re.compile(r"arn:(aws[a-z-]*):iam::[\w-]*:role/[\w+=,.@/-]{1,190}\Z", re.ASCII)
_KMS_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]{1,64}\Z", re.ASCII)
_PARTITION = re.compile(r"aws[a-z-]*\Z", re.ASCII)
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z", re.ASCII)


def is_bucket_name(text: str) -> bool:
    """S3's rule for new buckets: 3 to 63 of `a-z0-9.-`, letters or digits at the ends; no IP."""
    return bool(_BUCKET.match(text)) and ".." not in text and not _IPV4.match(text)


def is_role_arn(text: str) -> bool:
    return _ROLE_ARN.match(text) is not None


def is_kms_key_arn(text: str) -> bool:
    """Whether a text is the ARN of a KMS key. Aliases are not: policies do not match them."""
    return _KMS_KEY_ARN.match(text) is not None


def is_partition(text: str) -> bool:
    """Whether a text has the form of an ARN partition: `aws`, `aws-cn`, `aws-us-gov`, ..."""
    return _PARTITION.match(text) is not None


def is_region(text: str) -> bool:
    return _REGION.match(text) is not None


def partition_of(role_arn: str) -> str:
    """The partition of a role ARN: `aws`, `aws-cn`, `aws-us-gov`, ...

    Raises ValueError when the text is no role ARN.
    """
    if (match := _ROLE_ARN.match(role_arn)) is None:
        raise ValueError("not the ARN of a role")
    return match.group(1)
