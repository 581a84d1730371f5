"""Bars as an SVG that the server makes: places and sizes, which a style sheet colours."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT, STEP, GAP = 40, 10, 2
# Whatever is not zero can be seen.
LEAST = 2


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A number over a moment; `is_known` is False where nobody counted."""

    label: str
    number: int
    is_known: bool
    x: int
    y: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The bars of one figure, in a scale of their own: few failures show beside many successes."""

    name: str
    css_class: str
    bars: Sequence[Bar]
    total: int
    most: int

    @property
    def width(self) -> int:
        return len(self.bars) * STEP


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Strips over the same moments. `rows` say the same as a table, the newest first."""

    title: str
    slug: str
    strips: Sequence[Strip]
    labels: Sequence[str]

    @property
    def first(self) -> str:
        return self.labels[0]

    @property
    def last(self) -> str:
        return self.labels[-1]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        columns = [strip.bars for strip in self.strips]
        return [
            (bars[0].label, [str(bar.number) if bar.is_known else "not counted" for bar in bars])
            for bars in reversed(list(zip(*columns, strict=True)))
        ]


def strip(*, name: str, css_class: str, points: Sequence[tuple[str, int, bool]]) -> Strip:
    """Bars for points of a label, a number and whether it is known."""
    most = max((number for _, number, _ in points), default=0)
    bars = [
        Bar(
            label=label,
            number=number,
            is_known=is_known,
            x=place * STEP,
            y=HEIGHT - _height(number, most),
            height=_height(number, most),
        )
        for place, (label, number, is_known) in enumerate(points)
    ]
    total = sum(number for _, number, _ in points)
    return Strip(name=name, css_class=css_class, bars=bars, total=total, most=most)


def _height(number: int, most: int) -> float:
    return max(LEAST, round(number / most * HEIGHT, 2)) if number else 0
