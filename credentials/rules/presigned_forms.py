"""What a presigned POST allows, and the fields that go with it. Pure.

The names and values are LTD Keeper's: clients send every field back as it is, then `Content-Type`
(for files), then the file. A store refuses a POST with a field that the policy has no condition
for (AWS S3 API reference, "POST Policy").
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from credentials.rules.object_names import directory_key, files_prefix

CACHE_CONTROL = "max-age=31536000"
SURROGATE_KEY = "x-amz-meta-surrogate-key"
DIR_REDIRECT = "x-amz-meta-dir-redirect"
FILENAME = "${filename}"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What all POSTs of a build have in common. `acl` is empty where none is sent."""

    bucket: str
    root: str
    surrogate_key: str
    max_bytes: int
    acl: str = ""


@dataclass(frozen=True, kw_only=True)
class Form:
    """The fields of a POST and the conditions of its policy, neither signed nor expiring yet."""

    fields: Mapping[str, str]
    conditions: Sequence[Any]


def file_form(terms: Terms, directory: str) -> Form:
    """A POST of any file, of any content type, right below a directory."""
    prefix = files_prefix(terms.root, directory)
    return _form(
        terms,
        key=f"{prefix}{FILENAME}",
        rules=[["starts-with", "$key", prefix], ["starts-with", "$Content-Type", ""]],
    )


def directory_form(terms: Terms, directory: str) -> Form:
    """A POST of the object that stands for a directory, from which pages are redirected.

    Without a condition for the content type, since clients send none.
    """
    key = directory_key(terms.root, directory)
    return _form(terms, key=key, rules=[{"key": key}], more={DIR_REDIRECT: "true"})


def _form(
    terms: Terms, *, key: str, rules: Sequence[Any], more: Mapping[str, str] | None = None
) -> Form:
    fixed = {
        "Cache-Control": CACHE_CONTROL,
        SURROGATE_KEY: terms.surrogate_key,
        "success_action_status": "204",
        **({"acl": terms.acl} if terms.acl else {}),
        **(more or {}),
    }
    exact = [{name: value} for name, value in fixed.items()]
    size = ["content-length-range", 0, terms.max_bytes]
    return Form(
        fields={"key": key, **fixed},
        conditions=[{"bucket": terms.bucket}, *rules, *exact, size],
    )


# The headers of a presigned PUT: each is signed, so it is sent as it is or the PUT is refused.
# Beside what the client asked for they are those of a presigned POST, so that an object is
# the same whichever way it came. `x-amz-checksum-sha256` is the hash in Base64; the store
# compares it with what arrives (AWS S3 user guide, "Checking object integrity").


@dataclass(frozen=True, kw_only=True)
class WantedFile:
    """A file to be uploaded. `key` is relative to the root, the hashes are hexadecimal digits.

    None where the client has not said, and nothing is held to it.
    """

    key: str
    size: int | None = None
    sha256: str | None = None
    content_type: str | None = None
    cache_control: str | None = None
    md5: str | None = None


def put_headers(terms: Terms, file: WantedFile) -> dict[str, str]:
    """What has to be sent with a PUT of the file, host aside."""
    headers = {
        "Cache-Control": file.cache_control or CACHE_CONTROL,
        SURROGATE_KEY: terms.surrogate_key,
    }
    if terms.acl:
        headers["x-amz-acl"] = terms.acl
    if file.size is not None:
        headers["Content-Length"] = str(file.size)
    if file.content_type is not None:
        headers["Content-Type"] = file.content_type
    hashes = {"x-amz-checksum-sha256": file.sha256, "Content-MD5": file.md5}
    for name, digits in hashes.items():
        if digits is not None:
            headers[name] = base64.b64encode(bytes.fromhex(digits)).decode()
    return headers
