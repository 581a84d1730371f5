"""The front page: what needs attention, metrics, charts, and what is busy, open or checked.

Charts are bars in an SVG that the server makes: places and sizes, which a style sheet colours.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model

from builds.models import Build, Store
from credentials.models import (
    Client,
    IsolationRun,
    IssuedSession,
    JobRun,
    Refusal,
    last_runs,
    last_verdicts,
)
from credentials.operations.figures import (
    MOST,
    NEWEST,
    History,
    Period,
    count_up_to,
    history,
)
from ltdkeeper.admin.attention import CHECKS, Attention, Counted, about_figures, about_isolation
from ltdkeeper.admin.audits import found_by
from ltdkeeper.admin.links import list_address, page_address

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
    """The bars of one count, in a scale of their own: few failures show beside many successes."""

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


MaySee = Callable[[type[Model]], bool]
OPEN_BUILDS = 10


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number that is a link to its rows."""

    name: str
    number: str
    address: str
    is_bad: bool = False


def overview(now: datetime, may_see: MaySee) -> dict[str, Any]:
    """The context of the front page: of each model, only what may be seen."""
    sees_sessions, sees_builds = may_see(IssuedSession), may_see(Build)
    counted = [check for check in CHECKS if isinstance(check, Counted) and may_see(check.model)]
    rows = {check.what: check.rows(now) for check in counted}
    if sees_sessions:
        rows[LIVE] = IssuedSession.objects.active(now).for_builds()
    if sees_builds:
        rows[OPEN], rows[UNCOUNTED] = Build.objects.open(now), Build.objects.uncounted()
        rows[FOREIGN] = Build.objects.foreign()
    counts = count_up_to(rows)
    past = history(now) if sees_sessions else None
    verdicts = last_verdicts() if may_see(Store) and may_see(IsolationRun) else []
    doctors = doctor_verdicts() if verdicts and may_see(JobRun) else {}
    return {
        "sees_checks": any(may_see(check.model) for check in CHECKS) or verdicts,
        "attention": [
            *_answers(now, may_see, counts),
            *about_isolation(verdicts, now),
            *(about_figures(past, now) if past else ()),
        ],
        "figures": [
            *(_of_sessions(past, counts) if past else ()),
            *([_of_refusals(past)] if past and may_see(Refusal) else ()),
            *(_of_builds(counts) if sees_builds else ()),
        ],
        "charts": list(_charts(past)) if past else [],
        "history": past,
        "busiest": past.busiest if past and may_see(Client) else [],
        "open_builds": _open_builds(now) if sees_builds and counts[OPEN] else [],
        "verdicts": [(store, run, doctors.get(store.pk)) for store, run in verdicts],
        "newest_counted": NEWEST,
    }


def _answers(now: datetime, may_see: MaySee, counts: dict[str, int]) -> Iterator[Attention]:
    for check in CHECKS:
        if not may_see(check.model):
            continue
        if not isinstance(check, Counted):
            yield from check.ask(now)
        elif counts[check.what]:
            yield check.answer(_at_most(counts[check.what]))


def doctor_verdicts() -> dict[int, Figure]:
    """What the last run of the doctor found at each store."""
    return {
        store: Figure(
            name=f"{run.started_at:%F %H:%M} UTC",
            number=found_by(run) if run.state == JobRun.State.FINISHED else run.state,
            address=page_address(run),
            is_bad=run.errors > 0,
        )
        for store, run in last_runs("doctor").items()
    }


def _at_most(count: int) -> str:
    return f"{count}+" if count >= MOST else str(count)


LIVE = "Sessions active"
OPEN, UNCOUNTED = "Open builds", "Builds not counted yet"
FOREIGN = "Builds written without a session"


def _of_sessions(past: History, counts: dict[str, int]) -> Iterator[Figure]:
    yield Figure(
        name=LIVE,
        number=_at_most(counts[LIVE]),
        address=list_address(IssuedSession, state="active"),
    )
    today = past.days[-1]
    more = "+" if past.is_cut_off else ""
    day = f"{today.begins_at:%F}"
    for name, number, query in (
        ("Issued today", today.issued, {}),
        ("Failed today", today.failed, {"state": "failed"}),
        ("Withheld today", today.withheld, {"state": "withheld"}),
    ):
        yield Figure(
            name=name,
            number=f"{number}{more}",
            address=list_address(IssuedSession, time=day, **query),
            is_bad=query == {"state": "failed"} and number > 0,
        )


def _of_refusals(past: History) -> Figure:
    refused = past.days[-1].refused
    return Figure(name="Refused today", number=str(refused), address=list_address(Refusal))


def _of_builds(counts: dict[str, int]) -> Iterator[Figure]:
    for name, state in ((OPEN, "open"), (UNCOUNTED, "uncounted"), (FOREIGN, "foreign")):
        yield Figure(
            name=name,
            number=_at_most(counts[name]),
            address=list_address(Build, state=state),
            is_bad=name == FOREIGN and counts[name] > 0,
        )


def _charts(past: History) -> Iterator[Chart]:
    yield _chart("Sessions per hour, last 48 hours", "hours", past.hours, "%d %b %H:00")
    yield _chart("Sessions per day, last 90 days", "days", past.days, "%d %b")


def _chart(title: str, slug: str, periods: Sequence[Period], form: str) -> Chart:
    labels = [period.begins_at.strftime(form) for period in periods]
    known = [period.is_known for period in periods]
    numbers = {
        "Issued": [period.issued for period in periods],
        "Failed": [period.failed for period in periods],
        "Refused": [period.refused for period in periods],
    }
    strips = [
        strip(name=name, css_class=name.lower(), points=list(zip(labels, of, known, strict=True)))
        for name, of in numbers.items()
    ]
    return Chart(title=title, slug=slug, strips=strips, labels=labels)


def _open_builds(now: datetime) -> list[Build]:
    """Those that close next, by index: with one upload window for all, the oldest."""
    rows = Build.objects.open(now).select_related("registration__client").order_by("open_until")
    return list(rows[:OPEN_BUILDS])
