"""Figures: each closed hour is counted once, whoever counts, and pages read within bounds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from credentials.models import EVERYBODY, Client, HourlyCount, IssuedSession, Refusal
from credentials.operations import figures
from credentials.operations.figures import (
    HOUR,
    History,
    count_up_to,
    history,
    hour_of,
    roll_up,
    rolled_up_until,
)
from tests.credentials.ledger_rows import failed_row, issued_row

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)
THIS_HOUR = hour_of(NOW)


def session(before: timedelta, **changes: Any) -> IssuedSession:
    return issued_row(requested_at=NOW - before, **changes)


def failed(before: timedelta) -> IssuedSession:
    return failed_row(requested_at=NOW - before)


def counts() -> list[tuple[datetime, str, int, int, int]]:
    rows = HourlyCount.objects.order_by("hour", "client_name")
    return list(rows.values_list("hour", "client_name", "issued", "failed", "withheld"))


def test_closed_hour_is_counted_for_everybody_and_for_each_client() -> None:
    session(timedelta(minutes=31))
    failed(timedelta(minutes=40))
    session(timedelta(minutes=50), status="withheld", client_name="other")
    session(timedelta(minutes=50), delivery="list")
    assert roll_up(NOW) == 1
    hour = THIS_HOUR - HOUR
    assert counts() == [(hour, "", 1, 1, 1), (hour, "ci", 1, 1, 0), (hour, "other", 0, 0, 1)]


def refused(client: Client | None, calls: int, hours_ago: int = 1) -> None:
    hour = THIS_HOUR - hours_ago * HOUR
    Refusal.objects.create(
        hour=hour, network="192.0.2.7", reason=f"r{calls}", client=client, calls=calls, last_at=hour
    )


def test_refused_calls_are_counted_with_the_sessions_of_their_hour(client_row: Client) -> None:
    session(timedelta(minutes=31))
    refused(client_row, 3)
    refused(client_row, 4)
    refused(None, 20)
    before = history(NOW)
    roll_up(NOW)
    rows = HourlyCount.objects.values_list("client_name", "issued", "refused")
    assert sorted(rows) == [("", 1, 27), ("ci", 1, 7)]
    after = history(NOW)
    for found in (before, after):
        assert (found.hours[-2].refused, found.days[-1].refused) == (27, 27)
        assert [(each.name, each.refused) for each in found.busiest] == [("ci", 7)]


def test_running_hour_and_rows_that_may_still_wait_are_left() -> None:
    session(timedelta(minutes=29))
    session(timedelta(minutes=31))
    assert roll_up(THIS_HOUR + timedelta(seconds=119)) == 0
    assert roll_up(THIS_HOUR + timedelta(seconds=120)) == 1
    assert rolled_up_until() == THIS_HOUR


def test_rolling_up_again_changes_nothing_and_goes_on_where_it_stopped() -> None:
    session(timedelta(hours=5))
    assert roll_up(NOW - 3 * HOUR) == 2
    before = counts()
    session(timedelta(hours=1))
    assert (roll_up(NOW), roll_up(NOW)) == (3, 0)
    assert counts()[: len(before)] == before
    assert sum(issued for _, name, issued, *_ in counts() if not name) == 2


def test_hour_that_is_counted_twice_has_one_count() -> None:
    session(timedelta(hours=1))
    for _ in range(2):
        figures._count_hour(THIS_HOUR - HOUR)
    assert [issued for *_, issued, _, _ in counts()] == [1, 1]


def test_old_counts_of_clients_are_removed_and_older_sessions_are_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = timedelta(days=2)
    monkeypatch.setattr(figures, "KEPT", kept)
    for name in (EVERYBODY, "ci"):
        HourlyCount.objects.create(hour=NOW - kept - HOUR, client_name=name)
    session(kept + timedelta(days=1))
    session(timedelta(hours=1))
    roll_up(NOW)
    assert HourlyCount.objects.get(hour__lt=NOW - kept).client_name == EVERYBODY
    assert HourlyCount.objects.of_everybody().count() <= 24 * kept.days + 1


def test_empty_ledger_is_rolled_up() -> None:
    assert roll_up(NOW) <= 1


def numbers(found: History, hours_ago: int) -> tuple[int, int, bool]:
    hour = found.hours[-1 - hours_ago]
    return hour.issued, hour.failed, hour.is_known


@pytest.mark.parametrize("rolled_up", ["not yet", "until now"])
def test_history_is_the_same_before_and_after_the_roll_up(rolled_up: str) -> None:
    for before in (timedelta(0), HOUR, HOUR, timedelta(hours=20), timedelta(hours=47)):
        session(before)
    failed(HOUR)
    session(HOUR, delivery="probe")
    if rolled_up == "until now":
        roll_up(NOW)
    found = history(NOW)
    assert [numbers(found, ago) for ago in (0, 1, 2, 20)] == [
        (1, 0, True),
        (2, 1, True),
        (0, 0, True),
        (1, 0, True),
    ]
    assert (found.days[-1].issued, found.days[-2].issued) == (3, 1)
    assert [(each.name, each.issued, each.failed) for each in found.busiest] == [("ci", 4, 1)]


def test_what_was_never_counted_is_not_shown_as_nothing() -> None:
    found = history(NOW)
    assert not any(day.is_known for day in found.days[:-3])
    assert found.until is None


def test_hours_that_a_clock_ahead_counted_are_left_out() -> None:
    session(timedelta(minutes=5))
    roll_up(NOW + 3 * HOUR)
    found = history(NOW)
    assert (numbers(found, 0), found.days[-1].issued) == ((1, 0, True), 1)


def test_only_the_newest_rows_are_counted_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "NEWEST", 3)
    for minutes in (0, 5, 10, 90, 150):
        session(timedelta(minutes=minutes))
    found = history(NOW)
    assert found.is_cut_off
    assert (numbers(found, 0), numbers(found, 2)) == ((3, 0, True), (0, 0, False))


def test_history_costs_the_same_however_long_the_ledger_is(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    for hours in range(30):
        session(timedelta(hours=hours))
    roll_up(NOW - 3 * HOUR)
    with django_assert_num_queries(2):
        history(NOW)


def test_counts_end_at_a_bound_and_are_one_statement(
    django_assert_num_queries: Callable[..., Any],
) -> None:
    for _ in range(4):
        session(HOUR, expires_at=NOW + HOUR)
    rows = {
        "all": IssuedSession.objects.all(),
        "failed": IssuedSession.objects.filter(status="failed"),
        "live": IssuedSession.objects.active(NOW),
        "recent": IssuedSession.objects.since(NOW),
    }
    with django_assert_num_queries(1):
        assert count_up_to(rows, most=3) == {"all": 3, "failed": 0, "live": 3, "recent": 0}
    assert count_up_to({}) == {}
