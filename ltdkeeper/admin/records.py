"""What the pages of the admin have in common.

An address may hold anything: what cannot be looked up is refused, and is not an error.
"""

import json
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import actions
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import connection, models, transaction
from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.text import capfirst
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from ltdkeeper.admin.exports import FORMATS, export
from ltdkeeper.admin.forms import (
    EditForm,
    JSONField,
    ReasonActionForm,
    ReasonField,
    ReasonForm,
)
from ltdkeeper.admin.links import ACTIVE, in_words
from ltdkeeper.admin.lists import KeysetChangeList, LookupChangeList, is_key

# A filter compares in one of these ways, with at most so many values.
COMPARISONS = {"exact", "isnull", "gt", "gte", "lt", "lte"}
MOST_VALUES = 100
LONGEST_SEARCH = 200


class KeeperAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The base of every page: rows are locked while they are saved, lookups are those on offer."""

    is_exported = False
    is_deletable = True
    delete_confirmation_template = "admin/delete.html"
    delete_selected_confirmation_template = "admin/delete.html"
    show_facets = admin.ShowFacets.NEVER  # they count every row
    form = EditForm
    formfield_overrides = {models.JSONField: {"form_class": JSONField}}

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row of a page; locked, and as it is now, where the page is being saved."""
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not connection.in_atomic_block:
            return found
        return self._rows().select_for_update(no_key=True).filter(pk=found.pk).first()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readable(request, obj, super().get_fieldsets(request, obj))

    def readable(self, request: HttpRequest, obj: Any, fieldsets: Any) -> Any:
        """With booleans that cannot be changed as words, for which Django has a red cross."""
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        booleans = (each for each in self.opts.fields if isinstance(each, models.BooleanField))
        words = {
            each.name: in_words(each.name, yes="yes", no="no", name=str(each.verbose_name))
            for each in booleans
        }
        return [
            (title, {**part, "fields": [words.get(name, name) for name in part["fields"]]})
            for title, part in fieldsets
        ]

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - as Django calls it
        **kwargs: Any,
    ) -> Any:
        """With a reason, where a row is edited."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if obj is None or not change or not self.has_change_permission(request, obj):
            return form
        return type(form.__name__, (ReasonForm, form), {})

    def formfield_for_manytomany(self, *args: Any, **kwargs: Any) -> Any:
        """Without the button that clears several choices at once: Select2 puts it into their list,
        where screen readers take it for one.
        """
        field = super().formfield_for_manytomany(*args, **kwargs)
        if field and isinstance(field.widget, AutocompleteSelectMultiple):
            field.widget.is_required = True
        return field

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        add: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        changed = super().construct_change_message(request, form, formsets, add)
        if not (reason := getattr(form, "given_reason", "")):
            return changed
        words = LogEntry(change_message=json.dumps(changed)).get_change_message()
        return f"{words} Reason: {reason}"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_deletable and super().has_delete_permission(request, obj)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        is_sent = request.method == "POST" and self.has_delete_permission(request)
        if is_sent and not self.given_reason(request):
            return HttpResponseRedirect(request.path)
        return super().delete_view(request, object_id, extra_context)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        words = f"Deleted. Reason: {self.given_reason(request)}"
        return LogEntry.objects.log_actions(int(request.user.pk or 0), queryset, DELETION, words)

    def _rows(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model._base_manager.all()  # noqa: SLF001 - a documented name
        return rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LookupChangeList

    def get_urls(self) -> list[Any]:
        urls: list[Any] = super().get_urls()
        if not self.is_exported:
            return urls
        view = self.admin_site.admin_view(require_POST(self.export_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/<str:form>/", view, name=name), *urls]

    def export_view(self, request: HttpRequest, form: str) -> StreamingHttpResponse:
        """A file with what the list shows on all its pages, for whoever may look at it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in FORMATS:
            raise Http404
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters as err:
            raise BadRequest("A filter cannot be read.") from err
        return export(request, changelist, form)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django titles a list "Select ... to change", also where nothing can be changed, and
        says nothing where it drops filters that it cannot read.
        """
        if request.method == "GET" and ERROR_FLAG in request.GET:
            words = "A filter or page in the address cannot be read: all rows are shown."
            self.message_user(request, words, messages.WARNING)
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Nothing: no link fills in a form."""
        return {}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the fields that the list offers as filters: never a hash, nor through relations."""
        path, _, comparison = lookup.rpartition("__")
        path = path if comparison in COMPARISONS else lookup
        offered = self.list_filter if request is None else self.get_list_filter(request)
        names = (each[0] if isinstance(each, tuple) else each for each in offered)
        filters = {getattr(each, "parameter_name", each) for each in names}
        is_short = request is None or len(request.GET.getlist(lookup)) <= MOST_VALUES
        return is_short and path.removesuffix("__id") in filters

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Nothing is as long as that; the database would refuse some of it."""
        if len(search_term) > LONGEST_SEARCH:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(is_key(self.opts.pk, key) for key in selected):
            return super().response_action(request, queryset, *args)
        self.message_user(request, "The selected rows were not found.", messages.ERROR)
        return None

    @sensitive_variables()
    def page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        """A page of its own, in the frame of the admin's."""
        frame = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, template, frame | context)

    def given_reason(self, request: HttpRequest) -> str:
        """Why an action is done. Without it nothing is to be done, and the page says so."""
        try:
            return str(ReasonField().clean(request.POST.get("reason", "")))
        except ValidationError as err:
            words = f"Nothing was changed. Reason: {' '.join(err.messages)}"
            self.message_user(request, words, messages.ERROR)
            return ""

    def switch(self, request: HttpRequest, queryset: QuerySet[Any], word: str, **to: Any) -> None:
        """Set fields of the selected rows, nothing else, with an entry in the log for each."""
        if not (reason := self.given_reason(request)):
            return
        switched = 0
        for row in queryset:
            if self.has_change_permission(request, row):
                switched += self.switch_one(request, row, f"{word}. Reason: {reason}", to)
        self.message_user(request, f"{word}: {switched}.")

    def switch_one(self, request: HttpRequest, row: Model, word: str, to: dict[str, Any]) -> bool:
        """Whether it was another; with an entry in the log if so."""
        with transaction.atomic():
            others = self._rows().filter(pk=row.pk).exclude(**to)
            changed = bool(others.update(**to))
            if changed:
                self.log_change(request, row, f"{word}.")
        return changed


@admin.action(description="Delete selected %(verbose_name_plural)s", permissions=["delete"])
def delete_selected(
    page: Any, request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    """Django's own, with a reason on the page that confirms it."""
    if request.POST.get("post") and not page.given_reason(request):
        return None
    answer: HttpResponse | None = actions.delete_selected(page, request, queryset)
    return answer


admin.site.add_action(delete_selected)


class SwitchedAdmin(KeeperAdmin):
    """Disabling and enabling are actions of their own: no page that was open before undoes them."""

    actions: tuple[str, ...] = ("disable", "enable")
    action_form = ReasonActionForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = tuple(super().get_readonly_fields(request, obj))
        return (*fields, "is_active", ACTIVE) if obj else fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Of a row that exists, the state is a word."""
        fields = super().get_fields(request, obj)
        return [ACTIVE if obj and name == "is_active" else name for name in fields]

    @admin.action(description="Disable selected %(verbose_name_plural)s", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        self.switch(request, queryset, "Disabled", is_active=False)
        return None

    @admin.action(description="Enable selected %(verbose_name_plural)s", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.switch(request, queryset, "Enabled", is_active=True)


class RecordAdmin(KeeperAdmin):
    """No row is added, edited or deleted by hand, so the page of one has nothing to save.

    Where there are actions, they may ask for the permission to change.
    """

    is_deletable = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and bool(self.actions) and super().has_change_permission(request)


class BigListAdmin(RecordAdmin):
    """Records that grow without end. Their list has pages by key and a fixed order."""

    is_exported = True
    sortable_by = ()
    show_full_result_count = False

    @property
    def media(self) -> Media:
        """With what autocomplete filters need."""
        return super().media + AutocompleteSelect(self.opts.pk, self.admin_site).media

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        """Actions are for rows that somebody saw: what all pages hold may be millions."""
        if request.POST.get("select_across", "0") == "0":
            return super().response_action(request, queryset, *args)
        self.message_user(request, "Select rows on one page only.", messages.ERROR)
        return None
