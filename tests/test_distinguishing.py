"""The figure of `tests/bench/authenticating.py` says what it claims."""

import random

import pytest

from tests.bench.distinguishing import Area, area_between

SAME = [1.0, 2.0, 3.0, 4.0]
# first, second -> area
AREAS = {
    "the same": (SAME, SAME, 0.5),
    "always longer": (SAME, [5.0, 6.0], 1.0),
    "always shorter": (SAME, [0.0, 0.5], 0.0),
    "longer than three of four": (SAME, [3.5, 3.5], 0.75),
    "equal ones count half": ([1.0, 1.0], [1.0, 2.0], 0.75),
    "in any order": ([4.0, 1.0, 3.0, 2.0], [3.5, 1.5], 0.5),
}


@pytest.mark.parametrize("case", AREAS)
def test_area_is_the_share_of_pairs_with_the_second_longer(case: str) -> None:
    first, second, expected = AREAS[case]
    assert area_between(first, second).value == pytest.approx(expected)


def series(seed: int, shift: float = 0.0) -> list[float]:
    drawn = random.Random(seed)  # noqa: S311 - not for a secret
    return [drawn.lognormvariate(0, 0.5) + shift for _ in range(200)]


def test_interval_covers_chance_19_times_of_20() -> None:
    covered = [
        not area_between(series(2 * number), series(2 * number + 1)).tells_apart
        for number in range(200)
    ]
    assert 0.90 <= sum(covered) / len(covered) <= 0.99


def test_difference_of_a_sixth_of_the_spread_is_seen() -> None:
    seen = [
        area_between(series(2 * number), series(2 * number + 1, shift=0.25)).tells_apart
        for number in range(50)
    ]
    assert sum(seen) >= 45


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [(0.52, 0.004, "told apart"), (0.48, 0.004, "told apart"), (0.505, 0.004, "not told apart")],
)
def test_verdict_is_whether_chance_lies_within(value: float, error: float, verdict: str) -> None:
    assert str(Area(value=value, error=error)).endswith(f"), {verdict}")
