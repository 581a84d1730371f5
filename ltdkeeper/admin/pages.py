"""Pages of single rows, laid out by the questions that people open them with."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import HttpRequest

from ltdkeeper.admin.links import may_view
from ltdkeeper.admin.records import KeeperAdmin


class Page(KeeperAdmin):
    """The base of such pages. `questions` are their sections; what is not `editable` is shown.

    `seen_with` names the fields that show rows of another model: only who may view that model is
    shown them, and nothing is looked up for others, who are shown what `otherwise` names instead.
    """

    questions: ClassVar[Sequence[tuple[str | None, Sequence[Any]]]] = ()
    editable: ClassVar[Sequence[str]] = ()
    seen_with: ClassVar[Mapping[str, type[Model]]] = {}
    otherwise: ClassVar[Mapping[str, str]] = {}
    page_select_related: ClassVar[Sequence[str]] = ()

    @property
    def media(self) -> Media:
        return super().media + Media(css={"all": ("ltdkeeper/dashboard.css",)})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related(*self.page_select_related) if is_page(request) else rows

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or not self.questions:
            return super().get_fieldsets(request, obj)
        sections = [self.section(request, title, fields) for title, fields in self.questions]
        return self.readable(request, obj, [each for each in sections if each[1]["fields"]])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        given = tuple(super().get_readonly_fields(request, obj))
        if obj is None:
            return given
        asked = [field for _, fields in self.questions for field in fields]
        asked += self.otherwise.values()
        return (*given, *(field for field in asked if field not in (*given, *self.editable)))

    def section(self, request: HttpRequest, title: str | None, fields: Sequence[Any]) -> Any:
        """A section with those of its fields that the account may see."""
        return title, {"fields": [*filter(None, (self._shown(request, each) for each in fields))]}

    def _shown(self, request: HttpRequest, field: Any) -> Any:
        model = self.seen_with.get(field) if isinstance(field, str) else None
        if model is None:
            return field
        return field if may_view(request, model) else self.otherwise.get(field)


def is_page(request: HttpRequest) -> bool:
    """Whether one row is asked for, and not a list."""
    match = request.resolver_match
    return match is not None and "object_id" in match.kwargs
