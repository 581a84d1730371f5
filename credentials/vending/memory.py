"""Work that many ask for at once and that is done once; who asks waits for it a bounded time.

The work goes on when everybody who waited has left. What it leaves behind is its own affair.
"""

import contextvars
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from credentials.rules.durations import REFRESHING_FLOOR

Result = TypeVar("Result")


class StillUnderWayError(Exception):
    """The work has not ended within its time. It goes on; `work` is what was begun for the key."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self.work = work


class TooManyUnderWayError(Exception):
    """As much work of this group is under way as may be; none was begun."""


@dataclass(frozen=True, kw_only=True)
class _Flight(Generic[Result]):
    group: Hashable
    awaited_until: float
    work: Callable[[], Result]
    result: "Future[Result]" = field(default_factory=Future)


class Flights(Generic[Result]):
    """Work under way in this process, by key. `executor` is made when first needed.

    At most `most` pieces of work of one group run at a time, so that what hangs in one group
    leaves room for the others; the executor must have a thread free for each of them.
    """

    def __init__(
        self, executor: Callable[[], Executor], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, _Flight[Result]] = {}

    def join(
        self,
        *,
        key: Hashable,
        group: Hashable,
        most: int,
        seconds: float,
        work: Callable[[], Result],
    ) -> tuple[Result, bool]:
        """The result of the work of a key, and whether this call began it.

        Waits until `seconds` after the work began, whoever began it: who comes to work that is
        overdue is told at once and holds no thread. Raises StillUnderWayError,
        TooManyUnderWayError, and whatever the work raises.
        """
        flight, is_first = self._find_or_add(key, group, most, seconds, work)
        if is_first:
            self._begin(key, flight)
        try:
            remaining = max(0.0, flight.awaited_until - self._clock())
            return flight.result.result(remaining), is_first
        except TimeoutError as err:
            # The work may have ended since, or be what raised it: then its result is the answer.
            if flight.result.done():
                return flight.result.result(), is_first
            raise StillUnderWayError(flight.work) from err

    def _find_or_add(
        self,
        key: Hashable,
        group: Hashable,
        most: int,
        seconds: float,
        work: Callable[[], Result],
    ) -> tuple[_Flight[Result], bool]:
        with self._lock:
            if found := self._under_way.get(key):
                return found, False
            if sum(flight.group == group for flight in self._under_way.values()) >= most:
                raise TooManyUnderWayError
            flight = _Flight[Result](group=group, awaited_until=self._clock() + seconds, work=work)
            self._under_way[key] = flight
            return flight, True

    def _begin(self, key: Hashable, flight: _Flight[Result]) -> None:
        context = contextvars.copy_context()
        try:
            self._executor().submit(context.run, self._fly, key, flight)
        except RuntimeError as err:  # the process is ending
            self._end(key)
            flight.result.set_exception(err)

    def _fly(self, key: Hashable, flight: _Flight[Result]) -> None:
        try:
            result = flight.work()
        except BaseException as err:  # noqa: BLE001 - it is raised again where it is awaited
            self._end(key)
            flight.result.set_exception(err)
        else:
            self._end(key)
            flight.result.set_result(result)

    def _end(self, key: Hashable) -> None:
        with self._lock:
            del self._under_way[key]


# Sessions in the memory of this process, to be served again.
#
# Nothing here is written down anywhere: losing it costs one call of STS per session. Whether a
# kept session may still be served is for the database to say, every time.

FLOOR = timedelta(seconds=REFRESHING_FLOOR)
# A session with its policy takes about 4 kB: some 4 MB for each process when full. Being pushed
# out costs one call of STS more, nothing else.
MOST_SESSIONS = 1000

Session = TypeVar("Session")


@dataclass(frozen=True, kw_only=True)
class SessionKey:
    """All that must be equal for a session to be served again: who asks, for what, in what way.

    Builds belong to a job token, or to a client through any of its keys. The key that was shown
    is part of this all the same, so that one key's sessions never leave with another.
    `signer_key_id` is the key that stands in for a session, where one does.
    """

    build_id: int
    delivery: str
    policy: str
    seconds: int
    role_arn: str
    region: str
    endpoint_url: str
    client_id: int
    api_key_id: int | None
    job_token_id: int | None
    signer_key_id: str = ""


class KeptSessions(Generic[Session]):
    """A bounded number of sessions, the one longest unused pushed out first. Safe to share."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[SessionKey, tuple[datetime, Session]] = OrderedDict()

    def get(self, key: SessionKey, now: datetime) -> Session | None:
        """The session, if more than 16 minutes of it remain: with less, SDKs ask at every call."""
        with self._lock:
            if (found := self._kept.get(key)) is None:
                return None
            expires_at, session = found
            if expires_at - now <= FLOOR:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return session

    def keep(self, key: SessionKey, session: Session, expires_at: datetime, now: datetime) -> None:
        """Remember a session; those that are too old to be served are forgotten meanwhile."""
        with self._lock:
            self._kept[key] = (expires_at, session)
            self._kept.move_to_end(key)
            self._forget([old for old, (end, _) in self._kept.items() if end - now <= FLOOR])
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def drop(self, key: SessionKey) -> None:
        """Forget one session."""
        with self._lock:
            self._kept.pop(key, None)

    def drop_build(self, build_id: int) -> None:
        """Forget the sessions of a build, whoever's they are."""
        with self._lock:
            self._forget([key for key in self._kept if key.build_id == build_id])

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _forget(self, keys: list[SessionKey]) -> None:
        for key in keys:
            del self._kept[key]
