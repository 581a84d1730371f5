"""Metrics of the ledger for people: closed hours from a roll-up, the rest counted within bounds.

However long the ledger is, a page that shows them reads the roll-up, the newest rows since then
and, of anything else that it counts, `MOST` rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from credentials.models import EVERYBODY, HourlyCount, IssuedSession, Refusal
from credentials.rules.durations import STUCK_AFTER

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS, DAYS = 48, 90
KEPT = timedelta(days=100)
# The newest rows that are counted where the roll-up has not come yet, and all that is counted of
# anything else: what there is more is said to be more.
NEWEST = 5_000
MOST = 10_000
# How many clients of a day are named.
BUSIEST = 10

Status = IssuedSession.Status
OUTCOMES = {
    "issued": Status.ISSUED,
    "failed": Status.FAILED,
    "withheld": Status.WITHHELD,
}
NAMES: dict[str, str] = {status: name for name, status in OUTCOMES.items()}
FIGURES = (*OUTCOMES, "refused")
COUNTED = {name: Count("pk", filter=Q(status=status)) for name, status in OUTCOMES.items()}


def hour_of(moment: datetime) -> datetime:
    """When the hour of a moment began."""
    return moment.replace(minute=0, second=0, microsecond=0)


# The roll-up.


def roll_up(now: datetime) -> int:
    """Count the hours that closed since the last time, each once; how many these were.

    An hour is closed when none of its sessions can still be waiting for STS. Safe to repeat, and
    to break off: each hour is written as a whole. What clients asked for longer than `KEPT` ago is
    removed; what all of them did stays, since sessions may be pruned.
    """
    first = _first_hour(now)
    hours = max(0, (hour_of(now - STUCK_AFTER) - first) // HOUR)
    for number in range(hours):
        _count_hour(first + number * HOUR)
    HourlyCount.objects.of_clients().filter(hour__lt=now - KEPT).delete()
    return hours


def rolled_up_until() -> datetime | None:
    """Up to when hours were counted; None: never."""
    last = HourlyCount.objects.of_everybody().order_by("-hour").values_list("hour", flat=True)
    newest = last.first()
    return newest + HOUR if newest else None


def _first_hour(now: datetime) -> datetime:
    """The first hour that was not counted yet and is worth it."""
    oldest_kept = hour_of(now - KEPT) + HOUR
    if until := rolled_up_until():
        return max(until, oldest_kept)
    rows = IssuedSession.objects.order_by("requested_at").filter(requested_at__gte=oldest_kept)
    first = rows.values_list("requested_at", flat=True).first()
    return hour_of(first or now - STUCK_AFTER - HOUR)


def count_missing_hours(moments: Iterable[datetime]) -> None:
    """Count the hours of moments that no roll-up counted in time, before their sessions go."""
    hours = set(map(hour_of, moments))
    counted = HourlyCount.objects.of_everybody().filter(hour__in=hours)
    for hour in sorted(hours.difference(counted.values_list("hour", flat=True))):
        _count_hour(hour)


def _count_hour(hour: datetime) -> None:
    sessions = IssuedSession.objects.filter(requested_at__gte=hour, requested_at__lt=hour + HOUR)
    by_client = sessions.for_builds().order_by().values("client_name")
    rows: list[Any] = list(by_client.annotate(client_pk=Max("client"), **COUNTED))
    everybody = HourlyCount(hour=hour, client_name=EVERYBODY)
    counts = {EVERYBODY: everybody}
    for row in rows:
        name, client_pk = row.pop("client_name"), row.pop("client_pk")
        _add(row, everybody)
        if name != EVERYBODY:
            counts[name] = HourlyCount(hour=hour, client_name=name, client_id=client_pk, **row)
    refusals = Refusal.objects.filter(hour=hour).order_by().values_list("client__name", "client")
    for name, client_pk, refused in refusals.annotate(total=Sum("calls")):
        _add({"refused": refused}, everybody)
        if name is not None:
            fresh = HourlyCount(hour=hour, client_name=name, client_id=client_pk)
            _add({"refused": refused}, counts.setdefault(name, fresh))
    HourlyCount.objects.bulk_create(
        counts.values(),
        update_conflicts=True,
        unique_fields=["hour", "client_name"],
        update_fields=FIGURES,
    )


def _add(numbers: Mapping[str, int], to: Any) -> None:
    for name, number in numbers.items():
        setattr(to, name, getattr(to, name) + number)


# What the front page shows.


@dataclass(kw_only=True)
class Period:
    """An hour or a day; `is_known` is False where nothing was counted."""

    begins_at: datetime
    issued: int = 0
    failed: int = 0
    withheld: int = 0
    refused: int = 0
    is_known: bool = False

    def add(self, counts: Mapping[str, int]) -> None:
        """Counts of a part of it."""
        _add(counts, self)
        self.is_known = True


@dataclass(kw_only=True)
class BusyClient:
    """What a client asked for within a day; `pk` is None when it no longer exists."""

    pk: int | None
    name: str
    issued: int = 0
    failed: int = 0
    withheld: int = 0
    refused: int = 0


@dataclass(frozen=True, kw_only=True)
class History:
    """Hours and days up to now, the oldest first, and the clients with most sessions of a day.

    Hours up to `until` come from the roll-up; None: there is none. `is_cut_off` says that more
    rows came since than are counted, so that the newest counts are lower bounds.
    """

    hours: Sequence[Period]
    days: Sequence[Period]
    busiest: Sequence[BusyClient]
    until: datetime | None
    is_cut_off: bool


@dataclass(kw_only=True)
class _Newest:
    """The newest rows of the ledger, by hour and by client."""

    is_cut_off: bool
    hours: dict[datetime, Counter[str]] = field(default_factory=dict)
    clients: dict[str, BusyClient] = field(default_factory=dict)

    def count(self, client_name: str, client_pk: int | None, numbers: Mapping[str, int]) -> None:
        fresh = BusyClient(pk=client_pk, name=client_name)
        _add(numbers, self.clients.setdefault(client_name, fresh))

    def refuse(self, hour: datetime, client_name: str | None, pk: int | None, calls: int) -> None:
        """Refused calls, in an hour that is counted; of a client where one is named."""
        if hour in self.hours:
            self.hours[hour]["refused"] += calls
            if client_name is not None:
                self.count(client_name, pk, {"refused": calls})


def history(now: datetime) -> History:
    """Counts for charts: two queries, however long the ledger is."""
    first_day = now.replace(hour=0, minute=0, second=0, microsecond=0) - (DAYS - 1) * DAY
    first_hour = hour_of(now) - (HOURS - 1) * HOUR
    day = hour_of(now) - DAY + HOUR
    rows: dict[str, list[tuple[Any, ...]]] = {EVERYBODY: [], CLIENTS: [], REFUSED: []}
    for kind, *row in _counted(first_day, day, first_hour, hour_of(now)):
        rows[kind].append(tuple(row))
    counted = {
        hour: Counter(dict(zip(FIGURES, numbers, strict=True)))
        for hour, _, _, *numbers in rows[EVERYBODY]
    }
    until = max(counted) + HOUR if counted else None
    newest = _newest(max(until or first_hour, first_hour), now, clients_since=day)
    for _, name, client, *numbers in rows[CLIENTS]:
        newest.count(name, client, dict(zip(FIGURES, numbers, strict=True)))
    for hour, name, client, *_, refused in rows[REFUSED]:
        newest.refuse(hour, name if hour >= day else None, client, refused)
    counted |= newest.hours
    return History(
        hours=_periods(counted, first_hour, HOUR, HOURS),
        days=_periods(counted, first_day, DAY, DAYS),
        busiest=sorted(newest.clients.values(), key=_rank)[:BUSIEST],
        until=until,
        is_cut_off=newest.is_cut_off,
    )


def _periods(
    counted: Mapping[datetime, Counter[str]], first: datetime, length: timedelta, number: int
) -> list[Period]:
    """So many periods from the first on, each with the counted hours that lie in it."""
    periods = [Period(begins_at=first + place * length) for place in range(number)]
    for hour, counts in counted.items():
        if hour >= first:
            periods[(hour - first) // length].add(counts)
    return periods


CLIENTS, REFUSED = "clients", "refused"


def _counted(
    since: datetime, clients_since: datetime, first: datetime, until: datetime
) -> Iterable[tuple[Any, ...]]:
    """Of the roll-up everybody's hours and each client's day, then what was refused since, or since
    the first hour that is shown: kind, hour, client, its key, counts. Hours from `until` on were
    counted by a clock that was ahead.
    """
    hours = HourlyCount.objects.of_everybody().filter(hour__gte=since, hour__lt=until).order_by()
    clients = HourlyCount.objects.of_clients().filter(hour__gte=clients_since).order_by()
    by_client: Any = clients.values("client_name").annotate(
        until=Max("hour"), client_pk=Max("client"), **{f"of_{name}": Sum(name) for name in FIGURES}
    )
    columns = ("until", "client_name", "client_pk", *(f"of_{name}" for name in FIGURES))
    last = Coalesce(Subquery(hours.order_by("-hour").values("hour")[:1]), Value(first - HOUR))
    refused: Any = Refusal.objects.filter(hour__gte=first, hour__gt=last).order_by()
    by_hour = refused.values("hour", "client__name", "client").annotate(total=Sum("calls"))
    nothing = [Value(0)] * (len(FIGURES) - 1)
    return hours.values_list(Value(EVERYBODY), "hour", "client_name", "client_id", *FIGURES).union(
        by_client.values_list(Value(CLIENTS), *columns),
        by_hour.values_list(Value(REFUSED), "hour", "client__name", "client", *nothing, "total"),
        all=True,
    )


def _newest(since: datetime, now: datetime, *, clients_since: datetime) -> _Newest:
    """What came since a moment; where there is too much, since the moment that is `NEWEST` back."""
    rows = (
        IssuedSession.objects.since(since)
        .for_builds()
        .order_by("-requested_at")
        .values_list("requested_at", "status", "client_name", "client_id")
    )
    found = list(rows[:NEWEST])
    newest = _Newest(is_cut_off=len(found) == NEWEST)
    first = hour_of(found[-1][0]) if newest.is_cut_off else since
    for number in range((hour_of(now) - first) // HOUR + 1):
        newest.hours[first + number * HOUR] = Counter()
    for requested_at, status, name, client in found:
        outcome = NAMES.get(status)
        if outcome is None or requested_at > now:
            continue
        newest.hours[hour_of(requested_at)][outcome] += 1
        if requested_at >= clients_since:
            newest.count(name, client, {outcome: 1})
    return newest


def _rank(client: BusyClient) -> tuple[int, int, str]:
    return -client.issued, -client.refused, client.name


def count_up_to(rows: Mapping[str, QuerySet[Any]], most: int = MOST) -> dict[str, int]:
    """How many rows each query finds, `most` at the most, in one statement."""
    parts: list[str] = []
    parameters: list[Any] = []
    for queryset in rows.values():
        text, its = queryset.order_by().values_list(Value(1))[:most].query.sql_with_params()
        parts.append(f"(SELECT COUNT(*) FROM ({text}) AS counted)")  # noqa: S608 - the ORM's own text
        parameters.extend(its)
    if not parts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", parameters)
        return dict(zip(rows, cursor.fetchone(), strict=True))
