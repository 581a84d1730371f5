"""Failures are counted by address and minute, up to the limit, whatever the cache does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.db import DatabaseError, OperationalError
from pytest_django import Settings

from credentials.access import throttling
from credentials.access.throttling import Throttle, count_failure, take_back
from tests.ltdkeeper.log_lines import log_at

NOW = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)
ADDRESS, OTHER = "192.0.2.7", "192.0.2.8"
LIMIT = 3


@pytest.fixture(autouse=True)
def _limit(settings: Settings) -> None:
    settings.LTD_FAILURES_A_MINUTE = LIMIT


def fail(times: int = 1, address: str = ADDRESS, now: datetime = NOW, **more: Any) -> Any:
    """Fail so often; what the last one was told."""
    told = [
        count_failure(**{"throttle": Throttle.TOKEN, "address": address, "now": now, **more})
        for _ in range(times)
    ]
    return told[-1]


def test_failures_up_to_the_limit_are_not_told_to_wait() -> None:
    assert [fail() for _ in range(LIMIT + 2)] == [None] * LIMIT + [45, 45]


# seconds into the minute -> seconds to wait
LEFT = {0.9: 60, 1.0: 59, 59.9: 1}


def test_the_wait_ends_with_the_minute() -> None:
    minute = NOW.replace(second=0)
    waits = {second: fail(LIMIT + 1, now=minute + timedelta(seconds=second)) for second in LEFT}
    assert waits == LEFT


def test_the_next_minute_counts_anew() -> None:
    fail(LIMIT + 1)
    assert fail(LIMIT, now=NOW + timedelta(seconds=45)) is None
    assert fail(now=NOW + timedelta(seconds=45)) == 60


# fails, is asked about -> is throttled with it
TOGETHER = {
    "the same": (ADDRESS, ADDRESS, True),
    "another": (ADDRESS, OTHER, False),
    "mapped into IPv6": (f"::ffff:{ADDRESS}", ADDRESS, True),
    "the same /64": ("2001:db8::7", "2001:db8::8", True),
    "another /64": ("2001:db8::7", "2001:db8:0:1::7", False),
    "what cannot be read": ("?", "!", True),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_addresses_are_counted_together_or_apart(case: str) -> None:
    failing, asked, together = TOGETHER[case]
    fail(LIMIT, address=failing)
    assert (fail(address=asked) is not None) is together


def test_tokens_and_logins_are_counted_apart() -> None:
    fail(LIMIT + 1)
    assert fail(throttle=Throttle.LOGIN) is None


def test_what_was_right_is_taken_back_once() -> None:
    asked = {"throttle": Throttle.TOKEN, "address": ADDRESS, "now": NOW}
    for _ in range(LIMIT + 1):
        assert fail() is None
        take_back(**asked)
    assert [fail() for _ in range(LIMIT + 1)] == [None] * LIMIT + [45]


def test_taking_back_one_of_many_at_once_lets_no_other_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LocMemCache, "get", lambda *_: 0)  # all looked before any was counted
    assert [fail() for _ in range(LIMIT + 5)] == [None] * LIMIT + [45] * 5
    take_back(throttle=Throttle.TOKEN, address=ADDRESS, now=NOW)
    assert fail() == 45


WRITES = ("add", "incr", "set", "touch", "delete")


def test_nothing_is_written_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(LIMIT)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("written")

    for name in WRITES:
        monkeypatch.setattr(LocMemCache, name, refuse)
    assert fail(50) == 45


def test_counters_outlive_their_minute_and_are_not_kept_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[float] = []
    add = LocMemCache.add

    def note(self: Any, key: str, value: int, timeout: float) -> Any:
        kept.append(timeout)
        return add(self, key, value, timeout)

    monkeypatch.setattr(LocMemCache, "add", note)
    fail(LIMIT + 1)
    assert kept == [120]


def test_first_failure_of_two_at_once_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    fail()
    monkeypatch.setattr(LocMemCache, "get", lambda *_: 0)
    fail()
    monkeypatch.undo()
    assert fail(LIMIT - 1) is not None


def test_reaching_the_limit_is_logged_once() -> None:
    with log_at("INFO") as lines:
        fail(LIMIT + 5, address="2001:db8::7")
        [line] = lines()
    assert (line["event"], line["level"]) == ("too_many_failures", "warning")
    assert (line["limit"], line["network"]) == ("token", "2001:db8::/64")


AWAY: dict[str, Exception] = {
    "connection": ConnectionError("refused"),
    "database": DatabaseError("no such table: ltdkeeper_cache"),
    "time-out": TimeoutError("timed out"),
    "broken answer": ValueError("invalid literal for int()"),
}


@pytest.fixture
def away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A cache that fails, and what it was asked for."""
    asked: list[str] = []

    def fails(_self: Any, key: str, *_: Any, **__: Any) -> Any:
        asked.append(key)
        raise AWAY[getattr(request, "param", "connection")]

    for name in ("get", "add", "incr", "decr"):
        monkeypatch.setattr(LocMemCache, name, fails)
    return asked


@pytest.mark.parametrize("away", AWAY, indirect=True)
def test_cache_that_is_away_tells_nobody_to_wait(away: list[str]) -> None:
    for ask in (count_failure, take_back):
        asked = [ask(throttle=Throttle.TOKEN, address=ADDRESS, now=NOW) for _ in range(LIMIT + 2)]
        assert asked == [None] * (LIMIT + 2)
        throttling.cooldown.clear()


def test_cache_that_failed_is_left_alone_for_a_moment(
    away: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(20)
    assert len(away) == 1
    throttling.cooldown.clear()
    fail()
    assert len(away) == 2


BUSY = OperationalError("database is locked")


@pytest.mark.parametrize(("throttle", "told"), [(Throttle.LOGIN, 1), (Throttle.TOKEN, None)])
def test_busy_table_has_logins_wait_and_nobody_else(
    throttle: Throttle, told: int | None, away: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AWAY, "connection", BUSY)
    assert [fail(throttle=Throttle.TOKEN), fail(throttle=throttle), fail(throttle=throttle)] == [
        None,
        told,
        told,
    ]


def test_first_failure_that_was_not_added_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocMemCache, "add", lambda *_, **__: False)
    assert fail(throttle=Throttle.LOGIN) == 1


def test_cache_that_is_away_is_logged(away: list[str]) -> None:
    with log_at("INFO") as lines:
        fail()
        [line] = lines()
    assert (line["event"], line["level"]) == ("failures_not_counted", "warning")
    assert "refused" in line["error"]
