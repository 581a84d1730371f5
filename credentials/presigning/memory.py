"""A bounded number of things kept in memory, the longest unused let go first. Pure."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


class BoundedMemory(Generic[Key, Kept]):
    """Safe to share between threads. Losing an entry costs one more call, nothing else."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, key: Key, value: Kept) -> None:
        """Keep a value, in place of what was there."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)

    def find(self, key: Key) -> Kept | None:
        """The value that was kept, if it still is."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def forget(self, key: Key) -> None:
        """Let a value go."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._entries.clear()
