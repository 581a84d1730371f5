"""What a presigned POST allows, and the fields that go with it. Pure.

The names and values are LTD Keeper's: clients send every field back as it is, then `Content-Type`
(for files), then the file. A store refuses a POST with a field that the policy has no condition
for (AWS S3 API reference, "POST Policy").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from credentials.presigning.keys import directory_key, files_prefix

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
