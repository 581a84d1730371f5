"""A bucket as the service's own work on closed builds sees it: pages of two keys, single deletes.

What a session may do is proven on stores that enforce it (`tests/store`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.conftest import EPOCH

PAGE_KEYS = 2


Lie = Callable[[str, list[dict[str, Any]]], Iterable[list[dict[str, Any]]]]


@dataclass
class FakeStore:
    """`objects` are sizes by key, each written a minute after the one before. `sessions` holds what
    clients were made of; `during` runs before each page; `error` is raised instead of one; `lies`
    make the pages for a prefix of it and of the true entries.
    """

    objects: dict[str, int] = field(default_factory=dict)
    sessions: list[Any] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    error: Exception | None = None
    deleted: list[str] = field(default_factory=list)
    keeps_what_is_deleted: bool = False
    lies: dict[str, Lie] = field(default_factory=dict)

    def client_of(self, vended: Any, _patience: Any) -> "FakeStore":
        self.sessions.append(vended)
        return self

    def get_paginator(self, name: str) -> "FakeStore":
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        found = [self.entry(key) for key in self.objects if key.startswith(Prefix)]
        if Prefix in self.lies:
            yield from (
                {"Contents": page, "IsTruncated": False}
                for page in self.lies[Prefix](Prefix, found)
            )
            return
        for start in range(0, len(found) or 1, PAGE_KEYS):
            self.during()
            if self.error:
                raise self.error
            page = found[start : start + PAGE_KEYS]
            yield {"IsTruncated": False} | ({"Contents": page} if page else {})

    def entry(self, key: str) -> dict[str, Any]:
        return {"Key": key, "Size": self.objects[key], "LastModified": self.written_at(key)}

    def written_at(self, key: str) -> datetime:
        return EPOCH + timedelta(minutes=list(self.objects).index(key))

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        self.deleted.append(Key)
        if not self.keeps_what_is_deleted:
            self.objects.pop(Key, None)
