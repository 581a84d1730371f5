"""What LTD Keeper says of products and builds, read strictly. Pure.

Source: answers recorded from ltd-keeper 1.23.0 (`GET /products/<slug>`, `GET /builds/<id>`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from builds.slugs import has_controls

NAME_LENGTH = 255
CREDIBLE_YEARS = range(2000, 2200)
SURROGATE_KEY = re.compile(r"[0-9a-f]{32}\Z")

Value = TypeVar("Value")


class DocumentError(ValueError):
    """An answer is not what LTD Keeper gives; the message names the member."""


@dataclass(frozen=True, kw_only=True)
class KeeperProduct:
    """A product as it is there."""

    slug: str
    bucket: str
    title: str
    doc_repo: str
    root_domain: str
    surrogate_key: str


@dataclass(frozen=True, kw_only=True)
class KeeperBuild:
    """A build as it is there. `ended_at` is when it was deleted: then it is not listed any more."""

    slug: str
    bucket: str
    root: str
    is_finished: bool
    git_refs: list[str]
    github_requester: str
    surrogate_key: str
    created_at: datetime
    ended_at: datetime | None


def read_product(document: Any) -> KeeperProduct:
    """Raises DocumentError."""
    return KeeperProduct(
        slug=_member(document, "slug", _text),
        bucket=_member(document, "bucket_name", _text),
        title=_member(document, "title", _text_or_none),
        doc_repo=_member(document, "doc_repo", _text_or_none),
        root_domain=_member(document, "root_domain", _text_or_none),
        surrogate_key=_member(document, "surrogate_key", _surrogate_key),
    )


def read_build(document: Any) -> KeeperBuild:
    """Raises DocumentError."""
    return KeeperBuild(
        slug=_member(document, "slug", _text),
        bucket=_member(document, "bucket_name", _text),
        root=_member(document, "bucket_root_dir", _text),
        is_finished=_member(document, "uploaded", _flag),
        git_refs=_member(document, "git_refs", _texts),
        github_requester=_member(document, "github_requester", _text_or_none),
        surrogate_key=_member(document, "surrogate_key", _surrogate_key),
        created_at=_member(document, "date_created", _moment),
        ended_at=_member(
            document, "date_ended", lambda value: None if value is None else _moment(value)
        ),
    )


def last_part(url: Any) -> str:
    """The slug or id at the end of an address. Raises DocumentError."""
    found = url.rstrip("/").rpartition("/")[2] if isinstance(url, str) else ""
    if not 0 < len(found) <= NAME_LENGTH:
        raise DocumentError("an address in a list is not one")
    return found


def _member(document: Any, name: str, read: Callable[[Any], Value]) -> Value:
    if not isinstance(document, dict) or name not in document:
        raise DocumentError(f"the answer has no {name}")
    try:
        return read(document[name])
    except ValueError as err:
        raise DocumentError(f"{name} is not as LTD Keeper gives it") from err


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or has_controls(value):
        raise ValueError
    return value


def _text_or_none(value: Any) -> str:
    return _text(value) if value else ""


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004 - told as one that is not as it should be
    return [_text(each) for each in value]


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - as above
    return value


def _surrogate_key(value: Any) -> str:
    if not SURROGATE_KEY.match(_text(value)):
        raise ValueError
    return str(value)


def _moment(value: Any) -> datetime:
    """ISO 8601; what names no zone is UTC, as LTD Keeper keeps it."""
    moment = datetime.fromisoformat(_text(value))
    if moment.year not in CREDIBLE_YEARS:
        raise ValueError
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
