"""Filters of the big lists. None reads a table through to say what there is to choose from.

A filter that an index serves in the list's order has those rows as its `ordered` ones; where they
are a range of keys, it `is_range`, and narrows what another filter's index has (see `lists`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.functional import cached_property
from ulid import ULID

from builds.models import Build, Store
from credentials.models import Delivery, IssuedSession, JobToken, TrustedPublisher
from ltdkeeper.admin.lists import is_key

Rows = QuerySet[Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class KeysetFilter(ListFilter):
    """One parameter of the address, whose value is checked before anything is looked up."""

    template = "admin/includes/list_filter.html"
    parameter_name: ClassVar[str]
    title: str
    is_ordered = False
    is_range = False

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.model_admin = model_admin
        self.now = timezone.now()
        self.value = str(params.pop(self.parameter_name, [""])[-1])
        if self.value and not self.is_known(self.value):
            raise IncorrectLookupParameters(self.parameter_name)

    @property
    def is_used(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.value)

    @property
    def chosen(self) -> str:
        """What is chosen, in words."""
        return self.value

    def is_known(self, value: str) -> bool:
        """Whether it can be looked for at all."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return self.find(queryset) if self.is_used else queryset

    def find(self, rows: Rows) -> Rows:
        """The rows with the value."""
        raise NotImplementedError

    def ordered(self, rows: Rows) -> Rows:
        """All of these rows, and maybe more, such that an index has them in the list's order."""
        return self.find(rows)

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name]

    def choice(self, changelist: ChangeList, value: str, display: str) -> dict[str, Any]:
        """A line of the filter; an empty value takes the filter away."""
        query = changelist.get_query_string({self.parameter_name: value or None})
        return {"selected": self.value == value, "query_string": query, "display": display}


class ChoiceFilter(KeysetFilter):
    """One of a few values that are known without looking."""

    without = "any"

    def lookups(self) -> dict[str, str]:
        """Value -> what it is called."""
        raise NotImplementedError

    @property
    def chosen(self) -> str:
        return self.lookups().get(self.value, self.without)

    def is_known(self, value: str) -> bool:
        return value in self.lookups()

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        yield self.choice(changelist, "", self.without)
        for value, display in self.lookups().items():
            yield self.choice(changelist, value, display)


class SessionState(ChoiceFilter):
    """What a session is now."""

    title = parameter_name = "state"
    # The key of a session begins with the time of its row, and none lives longer than this.
    LONGEST = timedelta(hours=12)

    def lookups(self) -> dict[str, str]:
        return {state.value: state.label.lower() for state in IssuedSession.State}

    @property
    def is_ordered(self) -> bool:  # type: ignore[override]
        return self.value != IssuedSession.State.EXPIRED

    @property
    def is_range(self) -> bool:  # type: ignore[override]
        return self.value == IssuedSession.State.ACTIVE

    def find(self, rows: Any) -> Rows:
        found: Rows = rows.in_state(IssuedSession.State(self.value), self.now)
        # Their index is of the decision to revoke them.
        is_revoked = self.value == IssuedSession.State.REVOKED
        return found.filter(revocation__isnull=False) if is_revoked else found

    def ordered(self, rows: Rows) -> Rows:
        return since(rows, self.now - self.LONGEST) if self.is_range else self.find(rows)


class SessionDelivery(ChoiceFilter):
    """What sessions were for; without a choice those that callers asked for."""

    title = parameter_name = "delivery"
    without = "for builds"

    def lookups(self) -> dict[str, str]:
        return {"all": "all, with internal ones", **dict(Delivery.choices)}

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
    return rows.filter(pk__gte=first_key(moment - LEEWAY))


def first_key(moment: datetime) -> str:
    """The lowest key that a session of a moment can have."""
    milliseconds = int(moment.timestamp() * 1000)
    return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + bytes(10))).lower()


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

    @property
    def chosen(self) -> str:
        if self.value in self.RECENT:
            return self.RECENT[self.value][0]
        return f"{self.value} UTC" if self.value else "any"

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
        return rows.filter(pk__lt=first_key(end + LEEWAY)) if end else rows

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
        end = following(chosen, self._begin()) if chosen else last
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


class Autocomplete(KeysetFilter):
    """A row of another table, chosen in Django's own autocomplete field.

    `source` is a field that refers to that table; whoever may not see it does not get the field.
    """

    template = "admin/includes/autocomplete_filter.html"
    source: ClassVar[tuple[type[Model], str]]
    is_ordered = True

    @property
    def field(self) -> Any:
        model, name = self.source
        return model._meta.get_field(name)

    @property
    def remote(self) -> Any:
        return self.field.remote_field.model

    def is_known(self, value: str) -> bool:
        return is_key(self.remote._meta.pk, value)

    @cached_property
    def row(self) -> Any:
        """The row that is chosen, if it is still there."""
        return self.remote.objects.filter(pk=self.value).first() if self.value else None

    @property
    def chosen(self) -> str:
        return str(self.row or self.value or "any")

    def has_output(self) -> bool:
        page = self.model_admin.admin_site.get_model_admin(self.remote)
        return self.is_used or bool(page.has_view_permission(self.request))

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """One: what the template needs."""
        widget = AutocompleteSelect(self.field, self.model_admin.admin_site)
        rows = self.remote.objects.all()
        widget.choices = forms.ModelChoiceField(rows, widget=widget, required=False).choices
        attrs = {"aria-label": self.title, "id": f"filter-{self.parameter_name}"}
        others = changelist.get_query_string(remove=[self.parameter_name])
        yield {
            "widget": widget.render(self.parameter_name, None, attrs),
            "others": list(QueryDict(others.lstrip("?")).items()),
            "query_string": others,
            "is_used": self.is_used,
        }


class ByClient(Autocomplete):
    title = parameter_name = "client"
    source: ClassVar[tuple[type[Model], str]] = (IssuedSession, "client")

    def find(self, rows: Rows) -> Rows:
        return rows.filter(client=self.value)


class JobTokenClient(ByClient):
    source = (JobToken, "client")


class ByProduct(Autocomplete):
    """Builds of a product."""

    title = parameter_name = "product"
    source = (Build, "product")

    def find(self, rows: Rows) -> Rows:
        return rows.filter(product=self.value)


class SessionProduct(ByProduct):
    """Sessions for a product, by the slug that they copied."""

    def find(self, rows: Rows) -> Rows:
        return rows.filter(product_slug=self.row.slug if self.row else "")


class BuildClient(ByClient):
    """Builds that a client registered."""

    is_ordered = False

    def find(self, rows: Rows) -> Rows:
        return rows.filter(registration__client=self.value)


def names_of(rows: Rows) -> dict[str, str]:
    """Key -> name of the rows of a small table."""
    return {str(pk): name for pk, name in rows.order_by("name").values_list("pk", "name")}


class ByStore(ChoiceFilter):
    title = parameter_name = "store"
    is_ordered = True

    def lookups(self) -> dict[str, str]:
        return self.names

    @cached_property
    def names(self) -> dict[str, str]:
        return names_of(Store.objects.all())

    def find(self, rows: Rows) -> Rows:
        return rows.filter(store=self.value)


class LinkFilter(KeysetFilter):
    """A value that links of other pages bring; the list only shows it, to take it away."""

    is_ordered = True

    def is_known(self, value: str) -> bool:
        return is_key(self.field, value)

    @property
    def field(self) -> Any:
        return IssuedSession._meta.get_field(self.parameter_name)

    def has_output(self) -> bool:
        return self.is_used

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        yield self.choice(changelist, "", "any")
        yield self.choice(changelist, self.value, self.value)

    def find(self, rows: Rows) -> Rows:
        return rows.filter(**{self.parameter_name: self.value})


class SessionBuild(LinkFilter):
    title = parameter_name = "build"

    def is_known(self, value: str) -> bool:
        return is_key(Build._meta.pk, value)


class SessionToken(LinkFilter):
    """What the ledger calls a token, whole."""

    parameter_name = "token_name"
    title = "token"


class BuildState(ChoiceFilter):
    """What became of a build, and what an operator looks for among builds."""

    title = parameter_name = "state"
    NAMES: ClassVar = {
        "open": "open",
        "expired": "expired unfinished",
        "finished": "finished",
        "superseded": "superseded",
        "deleted": "deleted",
        "uncounted": "finished, not counted",
        "foreign": "written without a session",
    }

    def lookups(self) -> dict[str, str]:
        return self.NAMES

    @property
    def is_ordered(self) -> bool:  # type: ignore[override]
        return self.value not in {"finished", "superseded", "deleted"}

    def find(self, rows: Any) -> Rows:
        found: Rows = {
            "open": lambda: rows.open(self.now),
            "expired": lambda: rows.expired(self.now),
            "finished": lambda: rows.filter(finished_at__isnull=False, deleted_at=None),
            "superseded": lambda: rows.filter(
                superseded_at__isnull=False, finished_at=None, deleted_at=None
            ),
            "deleted": lambda: rows.filter(deleted_at__isnull=False),
            "uncounted": rows.uncounted,
            "foreign": rows.foreign,
        }[self.value]()
        return found


class JobTokenState(ChoiceFilter):
    """Whether a job token can still be used."""

    title = parameter_name = "state"
    NAMES: ClassVar = {"alive": "alive", "expired": "expired", "ended": "ended early"}

    def lookups(self) -> dict[str, str]:
        return self.NAMES

    def find(self, rows: Rows) -> Rows:
        condition = {
            "alive": Q(ended_at=None, expires_at__gt=self.now),
            "expired": Q(ended_at=None, expires_at__lte=self.now),
            "ended": Q(ended_at__isnull=False),
        }[self.value]
        return rows.filter(condition)


class ByPublisher(ChoiceFilter):
    """Job tokens that came from a trusted publisher."""

    title = parameter_name = "publisher"
    is_ordered = False

    def lookups(self) -> dict[str, str]:
        return self.names

    @cached_property
    def names(self) -> dict[str, str]:
        return names_of(TrustedPublisher.objects.all())

    def find(self, rows: Rows) -> Rows:
        return rows.filter(publisher=self.value)
