"""Work that many ask for at once and that is done once; who asks waits for it a bounded time. Pure.

The work goes on when everybody who waited has left. What it leaves behind is its own affair.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

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
