"""What is in memory is served with more than 16 minutes left, to the same asker, for the same."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from credentials.vending.memory import FLOOR, KeptSessions, SessionKey
from tests.conftest import EPOCH
from tests.credentials.vending.keys import KEY, OTHER

HALF_AN_HOUR = EPOCH + timedelta(minutes=30)


@pytest.fixture
def kept() -> KeptSessions[str]:
    sessions: KeptSessions[str] = KeptSessions()
    sessions.keep(KEY, "session", HALF_AN_HOUR, EPOCH)
    return sessions


LEFT = {
    "fresh": (timedelta(minutes=30), "session"),
    "a moment more than 16 minutes": (timedelta(minutes=16, microseconds=1), "session"),
    "16 minutes": (timedelta(minutes=16), None),
    "botocore's 15 minutes": (timedelta(minutes=15), None),
    "expired": (timedelta(0), None),
    "long expired": (timedelta(days=-1), None),
}


@pytest.mark.parametrize("case", LEFT)
def test_session_is_served_while_more_than_16_minutes_remain(
    case: str, kept: KeptSessions[str]
) -> None:
    left, expected = LEFT[case]
    assert kept.get(KEY, HALF_AN_HOUR - left) == expected


def test_session_that_is_too_old_is_forgotten(kept: KeptSessions[str]) -> None:
    kept.get(KEY, HALF_AN_HOUR - FLOOR)
    assert len(kept) == 0


def test_every_part_of_the_key_is_tried() -> None:
    assert set(OTHER) == {field.name for field in fields(SessionKey)}


@pytest.mark.parametrize("name", OTHER)
def test_asker_that_differs_in_one_thing_gets_nothing(name: str, kept: KeptSessions[str]) -> None:
    assert kept.get(replace(KEY, **{name: OTHER[name]}), EPOCH) is None
    assert kept.get(KEY, EPOCH) == "session"


def test_build_that_closed_is_dropped_for_everybody(kept: KeptSessions[str]) -> None:
    kept.keep(replace(KEY, client_id=2), "another's", HALF_AN_HOUR, EPOCH)
    other_build = replace(KEY, build_id=2)
    kept.keep(other_build, "other build's", HALF_AN_HOUR, EPOCH)
    kept.drop_build(1)
    assert (len(kept), kept.get(other_build, EPOCH)) == (1, "other build's")


def test_the_longest_unused_makes_room() -> None:
    sessions: KeptSessions[int] = KeptSessions(most=2)
    first, second, third = (replace(KEY, build_id=number) for number in range(3))
    for key in (first, second):
        sessions.keep(key, key.build_id, HALF_AN_HOUR, EPOCH)
    sessions.get(first, EPOCH)
    sessions.keep(third, 2, HALF_AN_HOUR, EPOCH)
    assert [sessions.get(key, EPOCH) for key in (first, second, third)] == [0, None, 2]


def test_session_kept_again_is_the_newer(kept: KeptSessions[str]) -> None:
    kept.keep(KEY, "newer", HALF_AN_HOUR, EPOCH)
    assert (kept.get(KEY, EPOCH), len(kept)) == ("newer", 1)


def test_old_sessions_are_forgotten_when_another_is_kept(kept: KeptSessions[str]) -> None:
    later = HALF_AN_HOUR - FLOOR
    kept.keep(replace(KEY, build_id=2), "new", later + timedelta(minutes=30), later)
    assert len(kept) == 1


MOST = 3
KEYS = st.builds(
    lambda build, client: replace(KEY, build_id=build, client_id=client),
    st.integers(1, 3),
    st.integers(1, 2),
)


class Memory(RuleBasedStateMachine):
    """Against a plain list that holds, in order of use, what may still be served."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: KeptSessions[int] = KeptSessions(most=MOST)
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
        return self.ends[session] - self.now > FLOOR

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.sessions) == len(self.model) <= MOST


TestMemory = Memory.TestCase
