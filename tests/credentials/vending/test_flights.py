"""Work that many ask for is done once, its wait is bounded, and it goes on when nobody waits."""

import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
import structlog

from credentials.vending.memory import Flights, StillUnderWayError, TooManyUnderWayError

MANY = 30
PATIENT = 120.0


class Clock:
    """Seconds that pass when told."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flights(clock: Clock) -> Iterator[Flights[str]]:
    with ThreadPoolExecutor(8) as executor:
        yield Flights(lambda: executor, clock)


class Work:
    """Work that ends when told; `begun` counts how often it was done."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = Event()
        self.has_begun = Event()

    def __call__(self) -> str:
        self.begun += 1
        self.has_begun.set()
        assert self.may_end.wait(PATIENT)
        return "done"


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.may_end.set()


def join(
    flights: Flights[str],
    work: Callable[[], str],
    *,
    key: str = "key",
    group: str = "store",
    seconds: float = PATIENT,
    most: int = 4,
) -> tuple[str, bool]:
    return flights.join(key=key, group=group, most=most, seconds=seconds, work=work)


def test_many_that_ask_at_once_share_one_piece_of_work(flights: Flights[str], work: Work) -> None:
    together = Barrier(MANY)

    def ask(_: int) -> tuple[str, bool]:
        together.wait(PATIENT)
        return join(flights, work, most=MANY)

    with ThreadPoolExecutor(MANY) as askers:
        asking = [askers.submit(ask, number) for number in range(MANY)]
        assert work.has_begun.wait(PATIENT)
        time.sleep(0.2)  # for those that would begin it again
        assert work.begun == 1
        work.may_end.set()
        assert {each.result()[0] for each in asking} == {"done"}


def test_who_waited_too_long_is_told_and_the_work_goes_on(
    flights: Flights[str], work: Work
) -> None:
    ended = Event()

    def noted() -> str:
        result = work()
        ended.set()
        return result

    with pytest.raises(StillUnderWayError):
        join(flights, noted, seconds=0)
    work.may_end.set()
    assert ended.wait(PATIENT)


def test_work_that_is_overdue_holds_no_more_threads(
    flights: Flights[str], work: Work, clock: Clock
) -> None:
    with pytest.raises(StillUnderWayError):
        join(flights, work, seconds=0.01)
    clock.seconds += PATIENT
    with pytest.raises(StillUnderWayError):
        join(flights, work, seconds=3600)  # would wait as long, were the time counted from now
    assert work.begun == 1


class _EndsInBetween(Flights[str]):
    """The work ends after the wait for it, and before anybody can look whether it did."""

    def _begin(self, key: Hashable, flight: Any) -> None:
        really_wait = flight.result.result

        def wait(timeout: float | None = None) -> str:
            if flight.result.done():
                return str(really_wait(timeout))
            self._fly(key, flight)
            raise TimeoutError

        flight.result.result = wait


def test_result_that_comes_as_the_wait_ends_is_returned() -> None:
    assert join(_EndsInBetween(ThreadPoolExecutor), lambda: "done", seconds=0) == ("done", True)


def test_failure_that_comes_as_the_wait_ends_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        join(_EndsInBetween(ThreadPoolExecutor), fail, seconds=0)


def test_each_key_has_work_of_its_own(flights: Flights[str]) -> None:
    assert join(flights, lambda: "one", key="a") == ("one", True)
    assert join(flights, lambda: "two", key="b") == ("two", True)


def test_ended_work_is_begun_anew(flights: Flights[str]) -> None:
    assert join(flights, lambda: "one") == ("one", True)
    assert join(flights, lambda: "two") == ("two", True)


def fail() -> str:
    raise ZeroDivisionError


def time_out() -> str:
    raise TimeoutError


@pytest.mark.parametrize(("work", "error"), [(fail, ZeroDivisionError), (time_out, TimeoutError)])
def test_failure_reaches_who_waits_and_is_over(
    work: Callable[[], str], error: type[Exception], flights: Flights[str]
) -> None:
    with pytest.raises(error):
        join(flights, work)
    assert join(flights, lambda: "well again") == ("well again", True)


def test_group_that_hangs_leaves_room_for_the_others(flights: Flights[str], work: Work) -> None:
    for key in ("a", "b"):
        with pytest.raises(StillUnderWayError):
            join(flights, work, key=key, seconds=0, most=2)
    with pytest.raises(TooManyUnderWayError):
        join(flights, work, key="c", seconds=0, most=2)
    assert join(flights, lambda: "well", key="d", group="other", most=2) == ("well", True)


def test_executor_that_takes_nothing_more_is_a_failure_and_leaves_nothing() -> None:
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    flights: Flights[str] = Flights(lambda: ended)
    with pytest.raises(RuntimeError):
        join(flights, lambda: "never", most=1)
    with pytest.raises(RuntimeError):  # and not TooManyUnderWayError
        join(flights, lambda: "never", key="another", most=1)


def test_work_logs_under_the_request_that_began_it(flights: Flights[str]) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        found = join(flights, lambda: str(structlog.contextvars.get_contextvars()))
    assert found == ("{'request_id': 'r1'}", True)
