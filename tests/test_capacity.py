"""The simulation behind the page on capacity says what was measured."""

import pytest

from tests.bench.capacity import DATABASES, plan, points, simulate

CALLS = {
    "one caller": (1, 1, 0, 200),
    "one processor": (8, 1, 0, 200),
    "four processors": (8, 4, 0, 800),
    "STS": (1, 4, 45, 20),
    "many callers": (100, 2, 1000, 99.5),
}


def test_simulation_is_within_a_quarter_of_what_was_measured() -> None:
    for what, said, measured in (point for each in DATABASES for point in points(each)):
        assert said == pytest.approx(measured, rel=0.25), what


def test_calls_of_5_ms_are_as_many_as_processors_and_sts_allow() -> None:
    for case, (callers, processors, wait_ms, per_second) in CALLS.items():
        began = [0.0] * callers
        calls = simulate(began, calls=4000, processors=processors, work_ms=5, wait_ms=wait_ms)
        assert len(calls) == 4000
        assert 4_000_000 / calls[-1][1] == pytest.approx(per_second, rel=0.05), case


def test_plan_needs_no_less_for_more_builds() -> None:
    machines = next(row for row in plan() if row[0].startswith("Machines"))
    assert sorted(machines[1:], key=int) == machines[1:]
