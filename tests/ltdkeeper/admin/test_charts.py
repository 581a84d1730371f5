"""Charts: places and sizes of bars, and the same numbers as a table."""

import pytest

from ltdkeeper.admin.overview import HEIGHT, LEAST, STEP, Chart, strip


def bars(*numbers: int) -> list[tuple[float, float]]:
    points = [(str(place), number, True) for place, number in enumerate(numbers)]
    return [(bar.y, bar.height) for bar in strip(name="x", css_class="x", points=points).bars]


@pytest.mark.parametrize(
    ("numbers", "heights"),
    [((), []), ((0, 0), [0, 0]), ((1, 2, 4), [10, 20, HEIGHT]), ((1, 1000), [LEAST, HEIGHT])],
    ids=["none", "nothing", "in proportion", "least"],
)
def test_bars_are_as_high_as_their_numbers(numbers: tuple[int, ...], heights: list[int]) -> None:
    assert bars(*numbers) == [(HEIGHT - height, height) for height in heights]


def test_chart_is_also_a_table_with_the_newest_first() -> None:
    points = [("13:00", 0, False), ("14:00", 3, True), ("15:00", 0, True)]
    made = strip(name="Issued", css_class="issued", points=points)
    chart = Chart(title="x", slug="x", strips=[made], labels=["13:00", "14:00", "15:00"])
    assert chart.rows == [("15:00", ["0"]), ("14:00", ["3"]), ("13:00", ["not counted"])]
    assert (made.total, made.most, made.width, chart.first) == (3, 3, 3 * STEP, "13:00")
