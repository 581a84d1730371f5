"""Work that many ask for is done once; sessions are served again while enough of them remains."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
import structlog
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from credentials.vending.memory import (
    MINIMUM_REMAINING,
    NotReadyError,
    SessionCache,
    SessionKey,
    SingleFlight,
)
from tests.conftest import EPOCH

MANY = 30
LONG = 120.0


class Clock:
    """Seconds that pass when told."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flights(clock: Clock) -> Iterator[SingleFlight[str]]:
    with ThreadPoolExecutor(8) as executor:
        yield SingleFlight(lambda: executor, clock)


class Work:
    """Work that ends when told; `begun` counts how often it was done."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = Event()
        self.has_ended = Event()

    def __call__(self) -> str:
        self.begun += 1
        assert self.may_end.wait(LONG)
        self.has_ended.set()
        return "done"


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.may_end.set()


def do(
    flights: SingleFlight[str],
    work: Callable[[], str],
    *,
    key: str = "key",
    group: str = "store",
    seconds: float = LONG,
    limit: int = 4,
) -> tuple[str, bool]:
    return flights.do(key, work, group=group, limit=limit, seconds=seconds)


def test_many_that_ask_at_once_share_one_piece_of_work(
    flights: SingleFlight[str], work: Work
) -> None:
    with pytest.raises(NotReadyError):
        do(flights, work, seconds=0)
    for _ in range(MANY):
        with pytest.raises(NotReadyError):
            do(flights, work)
    assert work.begun == 1


def test_all_that_wait_get_the_result(flights: SingleFlight[str], work: Work) -> None:
    with ThreadPoolExecutor(MANY) as askers:
        asking = [askers.submit(do, flights, work) for _ in range(MANY)]
        work.may_end.set()
        answers = [each.result() for each in asking]
    assert {result for result, _ in answers} == {"done"}
    assert sum(is_first for _, is_first in answers) == work.begun


def test_work_goes_on_when_nobody_waits(flights: SingleFlight[str], work: Work) -> None:
    with pytest.raises(NotReadyError):
        do(flights, work, seconds=0)
    work.may_end.set()
    assert work.has_ended.wait(LONG)


def test_overdue_work_holds_no_more_threads(
    flights: SingleFlight[str], work: Work, clock: Clock
) -> None:
    with pytest.raises(NotReadyError):
        do(flights, work, seconds=0.01)
    clock.seconds += LONG
    with pytest.raises(NotReadyError):
        do(flights, work, seconds=3600)  # would wait as long, were the time counted from now
    assert work.begun == 1


def test_each_key_has_work_of_its_own(flights: SingleFlight[str]) -> None:
    assert do(flights, lambda: "one", key="a") == ("one", True)
    assert do(flights, lambda: "two", key="b") == ("two", True)


def test_ended_work_is_begun_anew(flights: SingleFlight[str]) -> None:
    assert do(flights, lambda: "one") == ("one", True)
    assert do(flights, lambda: "two") == ("two", True)


def fail() -> str:
    raise ZeroDivisionError


def time_out() -> str:
    raise TimeoutError


@pytest.mark.parametrize(("work", "error"), [(fail, ZeroDivisionError), (time_out, TimeoutError)])
def test_failure_reaches_who_waits_and_is_over(
    work: Callable[[], str], error: type[Exception], flights: SingleFlight[str]
) -> None:
    with pytest.raises(error):
        do(flights, work)
    assert do(flights, lambda: "well again") == ("well again", True)


def test_group_that_hangs_leaves_room_for_the_others(
    flights: SingleFlight[str], work: Work
) -> None:
    for key in ("a", "b", "c"):
        with pytest.raises(NotReadyError):
            do(flights, work, key=key, seconds=0, limit=2)
    assert do(flights, lambda: "well", key="d", group="other", limit=2) == ("well", True)
    work.may_end.set()
    assert work.begun == 2


def test_executor_that_takes_nothing_more_is_a_failure_and_leaves_nothing() -> None:
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    flights: SingleFlight[str] = SingleFlight(lambda: ended)
    for key in ("one", "another"):
        with pytest.raises(RuntimeError):  # and not NotReadyError
            do(flights, lambda: "never", key=key, limit=1)


def test_work_logs_under_the_request_that_began_it(flights: SingleFlight[str]) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        found = do(flights, lambda: str(structlog.contextvars.get_contextvars()))
    assert found == ("{'request_id': 'r1'}", True)


KEY = SessionKey(build_id=1, asker=(1, 1, None), scope=("container", "{}"))
HALF_AN_HOUR = EPOCH + timedelta(minutes=30)


@pytest.fixture
def sessions() -> SessionCache[str]:
    sessions: SessionCache[str] = SessionCache()
    sessions.keep(KEY, "session", HALF_AN_HOUR, EPOCH)
    return sessions


LEFT = {
    "fresh": (timedelta(minutes=30), "session"),
    "a moment more than 16 minutes": (timedelta(minutes=16, microseconds=1), "session"),
    "16 minutes": (timedelta(minutes=16), None),
    "long expired": (timedelta(days=-1), None),
}


@pytest.mark.parametrize("case", LEFT)
def test_session_is_served_while_more_than_16_minutes_remain(
    case: str, sessions: SessionCache[str]
) -> None:
    left, expected = LEFT[case]
    assert sessions.get(KEY, HALF_AN_HOUR - left) == expected
    assert len(sessions) == (1 if expected else 0)


@pytest.mark.parametrize("minutes", [1, 15, 17, 29])
def test_more_may_be_asked_for_than_16_minutes_and_never_less(
    minutes: int, sessions: SessionCache[str]
) -> None:
    least = timedelta(minutes=minutes)
    limit = HALF_AN_HOUR - max(least, MINIMUM_REMAINING)
    moment = timedelta(microseconds=1)
    assert sessions.get(KEY, limit - moment, remaining=least) == "session"
    assert sessions.get(KEY, limit, remaining=least) is None


@pytest.mark.parametrize("name", KEY._fields)
def test_each_part_of_the_key_counts(name: str, sessions: SessionCache[str]) -> None:
    assert sessions.get(KEY._replace(**{name: 2}), EPOCH) is None
    assert sessions.get(KEY, EPOCH) == "session"


def test_build_that_closed_is_dropped_for_everybody(sessions: SessionCache[str]) -> None:
    sessions.keep(KEY._replace(asker=2), "another's", HALF_AN_HOUR, EPOCH)
    other_build = KEY._replace(build_id=2)
    sessions.keep(other_build, "other build's", HALF_AN_HOUR, EPOCH)
    sessions.drop_build(1)
    assert (len(sessions), sessions.get(other_build, EPOCH)) == (1, "other build's")


MOST = 3
KEYS = st.builds(
    lambda build, asker: KEY._replace(build_id=build, asker=asker),
    st.integers(1, 3),
    st.integers(1, 2),
)


class Memory(RuleBasedStateMachine):
    """Against a plain list that holds, in order of use, what may still be served."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: SessionCache[int] = SessionCache(max_sessions=MOST)
        self.model: list[tuple[SessionKey, int]] = []
        self.ends: dict[int, timedelta] = {}
        self.now = timedelta(0)

    @rule(key=KEYS, minutes=st.integers(10, 60))
    def keep(self, key: SessionKey, minutes: int) -> None:
        session, end = len(self.ends), self.now + timedelta(minutes=minutes)
        self.ends[session] = end
        self.sessions.keep(key, session, EPOCH + end, EPOCH + self.now)
        rest = [(k, s) for k, s in self.model if k != key]
        self.model = [(k, s) for k, s in [*rest, (key, session)] if self.is_good(s)][-MOST:]

    @rule(key=KEYS)
    def get(self, key: SessionKey) -> None:
        found = self.sessions.get(key, EPOCH + self.now)
        expected = next((s for k, s in self.model if k == key and self.is_good(s)), None)
        assert found == expected
        self.model = [(k, s) for k, s in self.model if k != key]
        self.model += [(key, expected)] if expected is not None else []

    @rule(key=KEYS)
    def drop(self, key: SessionKey) -> None:
        self.sessions.drop(key)
        self.model = [(k, s) for k, s in self.model if k != key]

    @rule(build=st.integers(1, 3))
    def drop_build(self, build: int) -> None:
        self.sessions.drop_build(build)
        self.model = [(k, s) for k, s in self.model if k.build_id != build]

    @rule(minutes=st.integers(0, 20))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def is_good(self, session: int) -> bool:
        return self.ends[session] - self.now > MINIMUM_REMAINING

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.sessions) == len(self.model) <= MOST


TestMemory = Memory.TestCase
