"""Django's SQLite backend, with a queue in front of the write lock.

SQLite lets one write at a time, and whoever finds it taken sleeps and looks again: nobody is next.
Of 16 callers some then waited for the whole lock wait and got an error. Here the writers of all
processes first take the turn: a queue of the threads of a process, then locks on two files between
processes. The files lie beside the database and hold nothing; the kernel gives a lock back when a
process dies. Whoever gets no turn within the lock wait gets the error that SQLite itself gives.
Programs that know nothing of the turn are still kept apart by SQLite's own lock.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

POLL_SECONDS = 0.0005
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class Queue:
    """A lock that threads get in the order in which they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, seconds: float) -> bool:
        """Whether it was had within that time."""
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        if called.acquire(timeout=seconds):
            return True
        with self._guard:
            if called not in self._waiting:  # it was called in this very moment
                return True
            self._waiting.remove(called)
            return False

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False


class Turn:
    """The turn to write to one database file. One thread holds it at a time, of all processes.

    Of each process one thread at most stands before the files. The first file is held by whoever
    is next, so that a process with many writers does not pass by another's.
    """

    def __init__(self, path: str) -> None:
        self._paths = (f"{path}.next", f"{path}.turn")
        self._files: list[int] = []
        self._queue = Queue()

    def take(self, seconds: float) -> None:
        """Raises OperationalError when it is not had within that time."""
        until = time.monotonic() + seconds
        if not self._queue.acquire(seconds):
            raise OperationalError("database is locked")
        try:
            self._files = self._files or [_open(path) for path in self._paths]
            following, turn = self._files
            _lock(following, until)
            try:
                _lock(turn, until)
            finally:
                fcntl.flock(following, fcntl.LOCK_UN)
        except BaseException:
            self._queue.release()
            raise

    def give_back(self) -> None:
        """For whoever holds it."""
        fcntl.flock(self._files[1], fcntl.LOCK_UN)
        self._queue.release()


def _lock(file: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise OperationalError("database is locked") from None
            time.sleep(POLL_SECONDS)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise OperationalError(f"unable to open {path}: {err.strerror}") from err


@cache
def _turn(path: str, _process: int) -> Turn:
    """Of each process its own: what a fork inherits would be one lock for both."""
    return Turn(path)


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes the turn before a write transaction begins, and gives it back when it has ended."""

    _held: Turn | None = None

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_back_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._give_back_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._give_back_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._give_back_turn()

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = self.connection.cursor(factory=_Cursor)
        cursor.wrapper = self
        return cursor

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The turn for one statement, unless a transaction holds it already."""
        if self._held or self.in_atomic_block:
            yield
            return
        self._take_turn()
        try:
            yield
        finally:
            self._give_back_turn()

    @contextmanager
    def without_flush(self) -> Iterator[None]:
        """Commits in here do not wait for the disk. In WAL mode the next one that does takes them
        along (SQLite's manual, PRAGMA synchronous). Only outside a transaction.
        """
        self.ensure_connection()
        self.connection.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA synchronous=FULL")

    def _take_turn(self) -> None:
        path = str(self.settings_dict["NAME"])
        if self._held or path.startswith((":memory:", "file:")):
            return  # in memory: no other process has it
        turn = _turn(path, os.getpid())
        turn.take(float(self.settings_dict["OPTIONS"].get("timeout", 5)))
        self._held = turn

    def _give_back_turn(self) -> None:
        if held := self._held:
            self._held = None
            held.give_back()


class _Cursor(base.SQLiteCursorWrapper):
    """Takes the turn for a write that stands alone."""

    wrapper: DatabaseWrapper

    def execute(self, query: Any, params: Any = None) -> Any:
        if not query.lstrip()[:7].upper().startswith(WRITES):
            return super().execute(query, params)
        with self.wrapper.turn():
            return super().execute(query, params)

    def convert_query(self, query: str, *, param_names: Any = None) -> str:
        return _converted(query, param_names and tuple(param_names))

    def executemany(self, query: Any, param_list: Any) -> Any:
        with self.wrapper.turn():
            return super().executemany(query, param_list)


@lru_cache(maxsize=256)
def _converted(query: str, names: tuple[str, ...] | None) -> str:
    """A statement with SQLite's placeholders. The main path's texts are the same at every call."""
    convert: Any = base.SQLiteCursorWrapper.convert_query
    return str(convert(None, query, param_names=names))
