"""Filters of the big lists. None reads a table through to say what there is to choose from.

A filter that an index serves in the list's order has those rows as its `ordered` ones; where they
are a range of keys, it `is_range`, and narrows what another filter's index has (see `lists`).
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import BooleanFieldListFilter, ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.functional import cached_property

from builds.models import Build, Store
from credentials.models import ApiKey, Client, IssuedSession, JobToken, TrustedPublisher
from ltdkeeper.admin.links import may_view
from ltdkeeper.admin.lists import is_key

Rows = QuerySet[Any]


class KeysetFilter(ListFilter):
    """One parameter of the address, whose value is checked before anything is looked up."""

    parameter_name: ClassVar[str]
    title: str
    column = ""  # where it is not called as the parameter
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

    def is_known(self, value: str) -> bool:
        """Whether it can be looked for at all."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return self.find(queryset) if self.is_used else queryset

    def find(self, rows: Rows) -> Rows:
        return rows.filter(**{self.column or self.parameter_name: self.value})

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
    """One of a few values, each with what it is called."""

    names: ClassVar[dict[str, str]]
    without = "any"

    def is_known(self, value: str) -> bool:
        return value in self.names

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        yield self.choice(changelist, "", self.without)
        for value, display in self.names.items():
            yield self.choice(changelist, value, display)


class RowFilter(ChoiceFilter):
    """A row of a small table."""

    model: ClassVar[type[Model]]

    @cached_property
    def names(self) -> dict[str, str]:  # type: ignore[override]
        rows = self.model._base_manager.order_by("name")  # noqa: SLF001 - a documented name
        return {str(pk): name for pk, name in rows.values_list("pk", "name")}


class LinkFilter(KeysetFilter):
    """A value that links of other pages bring; the list only shows it, to take it away."""

    def is_known(self, value: str) -> bool:
        return "\0" not in value

    def has_output(self) -> bool:
        return self.is_used

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        yield self.choice(changelist, "", "any")
        yield self.choice(changelist, self.value, self.chosen)

    @property
    def chosen(self) -> str:
        return self.value


class ByBuild(LinkFilter):
    title = parameter_name = "build"

    def is_known(self, value: str) -> bool:
        return is_key(Build._meta.pk, value)


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
        return self.is_used or may_view(self.request, self.remote)

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


class JobTokenClient(ByClient):
    source = (JobToken, "client")


class ByProduct(Autocomplete):
    title = parameter_name = "product"
    source = (Build, "product")


class BuildClient(ByClient):
    column = "registration__client"
    is_ordered = False


class ByStore(RowFilter):
    title, parameter_name, model = "store", "store", Store
    is_ordered = True


class BuildState(ChoiceFilter):
    """What became of a build, and what an operator looks for among builds."""

    title = parameter_name = "state"
    ATTENTION = "attention"
    names: ClassVar = {
        ATTENTION: "needs attention",
        **{state.value: state.label.lower() for state in Build.State},
        "uncounted": Build.Concern.UNCOUNTED.label,
        "foreign": Build.Concern.FOREIGN.label,
    }

    @property
    def is_ordered(self) -> bool:  # type: ignore[override]
        return self.value not in {"finished", "superseded", "deleted"}

    def find(self, rows: Any) -> Rows:
        if self.value in Build.State.values:
            found: Rows = rows.in_state(Build.State(self.value), self.now)
        elif self.value == self.ATTENTION:
            found = rows.needing_attention(self.now)
        else:
            found = {"uncounted": rows.uncounted, "foreign": rows.foreign}[self.value]()
        return found


class JobTokenState(ChoiceFilter):
    title = parameter_name = "state"
    names: ClassVar = {"alive": "active", "expired": "expired", "ended": "revoked"}

    def find(self, rows: Rows) -> Rows:
        condition = {
            "alive": Q(ended_at=None, expires_at__gt=self.now),
            "expired": Q(ended_at=None, expires_at__lte=self.now),
            "ended": Q(ended_at__isnull=False),
        }[self.value]
        return rows.filter(condition)


class KeyState(ChoiceFilter):
    title = parameter_name = "state"
    EXPIRING = "expiring"
    names: ClassVar = {
        "active": "active",
        EXPIRING: "expires within 14 days",
        "expired": "expired",
        "revoked": "revoked",
    }

    def find(self, rows: Any) -> Rows:
        expired = Q(revoked_at=None, expires_at__lte=self.now)
        found: dict[str, Rows] = {
            "active": rows.filter(Q(revoked_at=None) & ~expired),
            self.EXPIRING: rows.expiring(self.now),
            "expired": rows.filter(expired),
            "revoked": rows.filter(revoked_at__isnull=False),
        }
        return found[self.value]


class ByRow(LinkFilter):
    """What belongs to a row, whose page links to it."""

    model: ClassVar[type[Model]]

    @property
    def chosen(self) -> str:
        return str(self.model._base_manager.filter(pk=self.value).first() or "none")  # noqa: SLF001

    def is_known(self, value: str) -> bool:
        return is_key(self.model._meta.pk, value)


class ByKey(ByRow):
    title, parameter_name, model = "API key", "api_key", ApiKey


class KeyClient(ByRow):
    title, parameter_name, model = "client", "client", Client


class ActiveState(BooleanFieldListFilter):
    """Django's own, in the words of the lists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "state"

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        words = {"All": "any", "Yes": "active", "No": "disabled"}
        for choice in super().choices(changelist):
            yield {**choice, "display": words[str(choice["display"])]}


class ByPublisher(RowFilter):
    title, parameter_name, model = "publisher", "publisher", TrustedPublisher
