"""What this process caches: work that many request at once, and sessions to serve again.

Nothing here is stored anywhere else. Losing it costs one call of STS per session.
"""

import contextvars
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future, wait
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from credentials.rules.durations import REFRESHING_FLOOR

MINIMUM_REMAINING = timedelta(seconds=REFRESHING_FLOOR)
# A session with its policy takes about 4 kB: some 4 MB for each process when full. Being pushed
# out costs one call of STS more, nothing else.
MAX_SESSIONS = 1000

Result = TypeVar("Result")
Session = TypeVar("Session")


class NotReadyError(Exception):
    """The work has not ended in time, or was not begun: its group has as much as it may."""


class _Flight(NamedTuple, Generic[Result]):
    group: Hashable
    awaited_until: float
    result: "Future[Result]"


class SingleFlight(Generic[Result]):
    """Work under way in this process, by key. `executor` is made when first needed.

    The work goes on when everybody who waited has left; what it leaves behind is its own affair.
    """

    def __init__(
        self, executor: Callable[[], Executor], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._lock = threading.RLock()  # an executor may run the work in the submitting thread
        self._flights: dict[Hashable, _Flight[Result]] = {}

    def do(
        self,
        key: Hashable,
        work: Callable[[], Result],
        *,
        group: Hashable,
        limit: int,
        seconds: float,
    ) -> tuple[Result, bool]:
        """The result of the work of a key, and whether this call began it.

        Waits until `seconds` after the work began, whoever began it: a caller that comes to overdue
        work is refused at once and holds no thread. At most `limit` pieces of work of a group run
        at a time, so that what hangs in one group leaves room for the others; the executor must
        have a thread free for each. Raises NotReadyError, and whatever the work raises.
        """
        with self._lock:
            found = self._flights.get(key)
            flight = found or self._begin(key, work, group, limit, seconds)
        wait([flight.result], max(0.0, flight.awaited_until - self._clock()))
        if not flight.result.done():
            raise NotReadyError
        return flight.result.result(), found is None

    def _begin(
        self, key: Hashable, work: Callable[[], Result], group: Hashable, limit: int, seconds: float
    ) -> _Flight[Result]:
        if sum(each.group == group for each in self._flights.values()) >= limit:
            raise NotReadyError
        until, context = self._clock() + seconds, contextvars.copy_context()
        result = self._executor().submit(context.run, self._run, key, work)
        flight = _Flight(group, until, result)
        if not result.done():  # its last step waits for the lock that is held here
            self._flights[key] = flight
        return flight

    def _run(self, key: Hashable, work: Callable[[], Result]) -> Result:
        try:
            return work()
        finally:
            with self._lock:
                self._flights.pop(key, None)


class SessionKey(NamedTuple):
    """All that must be equal for a session to be served again.

    `asker` is the client and the key or job token that was presented: one key's sessions never
    leave with another, although builds belong to all keys of their client. `scope` is what the
    session may do and where, and who signs in its place.
    """

    build_id: int
    asker: Hashable
    scope: Hashable


class SessionCache(Generic[Session]):
    """A bounded number of sessions, the one longest unused pushed out first. Safe to share.

    Whether a cached session may still be served is for the database to say, every time.
    """

    def __init__(self, max_sessions: int = MAX_SESSIONS) -> None:
        self._max_sessions = max_sessions
        self._lock = threading.Lock()
        self._sessions: OrderedDict[SessionKey, tuple[datetime, Session]] = OrderedDict()

    def get(
        self, key: SessionKey, now: datetime, *, remaining: timedelta = MINIMUM_REMAINING
    ) -> Session | None:
        """The session, if more than `remaining` of it remains, and never less than 16 minutes:
        with 15, SDKs ask at every call.
        """
        with self._lock:
            if (found := self._sessions.get(key)) is None:
                return None
            expires_at, session = found
            if expires_at - now <= max(remaining, MINIMUM_REMAINING):
                del self._sessions[key]
                return None
            self._sessions.move_to_end(key)
            return session

    def keep(self, key: SessionKey, session: Session, expires_at: datetime, now: datetime) -> None:
        """Remember a session; those that are too old to be served are forgotten meanwhile."""
        with self._lock:
            self._sessions[key] = (expires_at, session)
            self._sessions.move_to_end(key)
            self._forget(
                [old for old, (end, _) in self._sessions.items() if end - now <= MINIMUM_REMAINING]
            )
            while len(self._sessions) > self._max_sessions:
                self._sessions.popitem(last=False)

    def drop(self, key: SessionKey) -> None:
        with self._lock:
            self._sessions.pop(key, None)

    def drop_build(self, build_id: int) -> None:
        """Forget the sessions of a build, whoever's they are."""
        with self._lock:
            self._forget([key for key in self._sessions if key.build_id == build_id])

    def clear(self) -> None:
        with self._lock:
            self._sessions.clear()

    def __len__(self) -> int:
        return len(self._sessions)

    def _forget(self, keys: list[SessionKey]) -> None:
        for key in keys:
            del self._sessions[key]
