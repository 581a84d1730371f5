"""The filters of the ledger's list."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.admin.views.main import ChangeList
from django.db.models import Q

from credentials.models import Delivery, IssuedSession
from credentials.models.sessions import first_ledger_id
from ltdkeeper.admin.filters import ByBuild, ByProduct, ChoiceFilter, KeysetFilter, LinkFilter, Rows
from ltdkeeper.admin.lists import is_key

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class SessionState(ChoiceFilter):
    title = parameter_name = "state"
    names: ClassVar = {state.value: state.label.lower() for state in IssuedSession.State}
    # The key of a session begins with the time of its row, and none lives longer than this.
    LONGEST = timedelta(hours=12)
    # Few rows, which an index has in another order: they are read first, as a set. Otherwise
    # SQLite goes through all rows in the order of the list.
    RARE: ClassVar = {
        IssuedSession.State.REVOKED: Q(revocation__isnull=False),
        IssuedSession.State.STUCK: Q(status=IssuedSession.Status.REQUESTED),
        IssuedSession.State.REQUESTED: Q(status=IssuedSession.Status.REQUESTED),
    }

    @property
    def is_ordered(self) -> bool:  # type: ignore[override]
        return self.value != IssuedSession.State.EXPIRED

    @property
    def is_range(self) -> bool:  # type: ignore[override]
        return self.value == IssuedSession.State.ACTIVE

    def find(self, rows: Any) -> Rows:
        state = IssuedSession.State(self.value)
        found: Rows = rows.in_state(state, self.now)
        if state not in self.RARE:
            return found
        return found.filter(pk__in=IssuedSession.objects.filter(self.RARE[state]).values("pk"))

    def ordered(self, rows: Rows) -> Rows:
        return since(rows, self.now - self.LONGEST) if self.is_range else self.find(rows)


class SessionDelivery(ChoiceFilter):
    """What sessions were for; without a choice those that callers asked for."""

    title = parameter_name = "delivery"
    names: ClassVar = {"all": "all, with internal ones", **dict(Delivery.choices)}
    without = "for builds"

    @property
    def is_used(self) -> bool:
        return self.value != "all"

    def find(self, rows: Any) -> Rows:
        found: Rows = rows.filter(delivery=self.value) if self.value else rows.for_builds()
        return found


# A session's key begins with the time at which its row was made. Clocks of two processes differ by
# less than this: AWS STS refuses calls of one that is more than 15 minutes off.
LEEWAY = timedelta(minutes=20)


def since(rows: Rows, moment: datetime) -> Rows:
    """The sessions whose keys are not older."""
    return rows.filter(pk__gte=first_ledger_id(moment - LEEWAY))


class SessionTime(KeysetFilter):
    """When sessions were requested: some time until now, or a year, month, day or hour (UTC)."""

    title = parameter_name = "time"
    is_ordered = is_range = True
    RECENT: ClassVar = {
        "1h": ("last hour", HOUR),
        "24h": ("last 24 hours", DAY),
        "7d": ("last 7 days", 7 * DAY),
    }
    FORMATS: ClassVar = {4: "%Y", 7: "%Y-%m", 10: "%Y-%m-%d", 13: "%Y-%m-%dT%H"}

    def is_known(self, value: str) -> bool:
        return value in self.RECENT or self._moment(value) is not None

    def _moment(self, value: str) -> datetime | None:
        """When a year, month, day or hour begins; None: it is none of these."""
        if len(value) not in self.FORMATS or not value.isascii():
            return None
        try:
            begin = datetime.strptime(f"{value} +0000", f"{self.FORMATS[len(value)]} %z")
        except ValueError:
            return None
        return begin if FIRST_YEAR <= begin.year <= LAST_YEAR else None

    def find(self, rows: Rows) -> Rows:
        found = self.ordered(rows).filter(requested_at__gte=self._begin())
        end = self._end()
        return found.filter(requested_at__lt=end) if end else found

    def ordered(self, rows: Rows) -> Rows:
        end = self._end()
        rows = since(rows, self._begin())
        return rows.filter(pk__lt=first_ledger_id(end + LEEWAY)) if end else rows

    def _begin(self) -> datetime:
        if self.value in self.RECENT:
            return self.now - self.RECENT[self.value][1]
        return self._moment(self.value) or self.now

    def _end(self) -> datetime | None:
        return following(self.value, self._begin()) if self.value not in self.RECENT else None

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        yield self.choice(changelist, "", "any")
        for value, (display, _) in self.RECENT.items():
            yield self.choice(changelist, value, display)
        chosen = "" if self.value in self.RECENT else self.value
        for length in (4, 7, 10, 13):
            if length <= len(chosen):
                yield self.choice(changelist, chosen[:length], f"{chosen[:length]} UTC")
        for value in self._finer(chosen):
            yield self.choice(changelist, value, value)

    def _finer(self, chosen: str) -> list[str]:
        """The years, or the parts of what is chosen, from the first session to the last."""
        moments = IssuedSession.objects.order_by("requested_at")
        ends = [
            next(iter(each.values_list("requested_at", flat=True)[:1]), None)
            for each in (moments, moments.reverse())
        ]
        first, last = ends
        finer = {0: 4, 4: 7, 7: 10}.get(len(chosen))
        if first is None or last is None or finer is None:
            return []
        begin = max(first, self._begin()) if chosen else first
        end = following(chosen, self._begin()) - HOUR if chosen else last
        return list(parts(begin, min(last, end), self.FORMATS[finer]))


FIRST_YEAR, LAST_YEAR = 1970, 9000


def following(value: str, begin: datetime) -> datetime:
    """When the year, month, day or hour ends that is written so."""
    match len(value):
        case 4:
            return begin.replace(year=begin.year + 1)
        case 7:
            return (begin + 31 * DAY).replace(day=1)
        case 10:
            return begin + DAY
    return begin + HOUR


def parts(first: datetime, last: datetime, form: str) -> Iterator[str]:
    """The years, months or days from a moment to another, newest first."""
    day, shown = last, ""
    while day.date() >= first.date():
        if (text := day.strftime(form)) != shown:
            yield text
            shown = text
        day -= DAY


class SessionProduct(ByProduct):
    """Sessions for a product, by the slug that they copied."""

    def find(self, rows: Rows) -> Rows:
        return rows.filter(product_slug=self.row.slug if self.row else "")


class SessionBuild(ByBuild):
    is_ordered = True


class SessionToken(LinkFilter):
    """What the ledger calls a token, whole."""

    parameter_name = "token_name"
    title = "token"
    is_ordered = True

    def is_known(self, value: str) -> bool:
        return is_key(IssuedSession._meta.get_field("token_name"), value)
