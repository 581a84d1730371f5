"""The simulation behind the page on capacity says what was measured."""

import pytest

from tests.bench.capacity import DATABASES, plan, points, simulate

POINTS = [
    pytest.param(said, measured, id=f"{database}: {what}")
    for database in DATABASES
    for what, said, measured in points(database)
]


@pytest.mark.parametrize(("said", "measured"), POINTS)
def test_simulation_is_within_a_quarter_of_what_was_measured(said: float, measured: float) -> None:
    assert said == pytest.approx(measured, rel=0.25)


@pytest.mark.parametrize(
    ("callers", "processors", "wait_ms", "per_second"),
    [(1, 1, 0, 200), (8, 1, 0, 200), (8, 4, 0, 800), (1, 4, 45, 20), (100, 2, 1000, 99.5)],
    ids=["one caller", "one processor", "four processors", "STS", "many callers"],
)
def test_calls_of_5_ms_are_as_many_as_processors_and_sts_allow(
    callers: int, processors: int, wait_ms: float, per_second: float
) -> None:
    began = [0.0] * callers
    calls = simulate(began, calls=4000, processors=processors, work_ms=5, wait_ms=wait_ms)
    assert len(calls) == 4000
    assert 4_000_000 / calls[-1][1] == pytest.approx(per_second, rel=0.05)


def test_plan_needs_no_less_for_more_builds() -> None:
    machines = next(row for row in plan() if row[0].startswith("Machines"))
    assert sorted(machines[1:], key=int) == machines[1:]
