"""How pages of the admin refer to one another, and what they are made of: links, tables, times,
words."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

# Of related rows, a page shows the newest so many and links to the rest.
NEWEST = 20
NOTHING = "-"


def page_address(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_address(model: type[Model], **query: Any) -> str:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(query)}" if query else address


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Whether the account may look at the rows of a model."""
    return bool(admin.site.get_model_admin(model).has_view_permission(request))


def link(row: Model | None, text: object = "") -> SafeString | str:
    """A row by its name; where it is gone, the name alone."""
    words = str(text or row or NOTHING)
    return anchor(page_address(row), words) if row else words


def anchor(address: str, words: str) -> SafeString:
    """A link to any page of the admin."""
    return format_html('<a href="{}">{}</a>', address, words)


def links(rows: Iterable[Model]) -> SafeString | str:
    """Rows by their names, with commas between."""
    return format_html_join(", ", "{}", ((link(row),) for row in rows)) or NOTHING


def newest_and_all(rows: Iterable[Model], address: str, words: str) -> SafeString:
    """The newest rows by their names, and a link to all of them in their list."""
    shown, every = links(rows), anchor(address, words)
    return every if shown == NOTHING else format_html("{}; {}", shown, every)


def moment(time: datetime | None) -> str:
    """A time as everywhere in the admin."""
    return str(localize(localtime(time))) if time else NOTHING


def lines(texts: Iterable[object]) -> SafeString | str:
    """One below the other."""
    return format_html_join("", "<div>{}</div>", ((text,) for text in texts)) or NOTHING


def whole_lines(texts: Iterable[object]) -> SafeString:
    """The same, of words that are never broken in two."""
    return format_html_join("", "<span>{}</span>", ((text,) for text in texts))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> SafeString | str:
    """A table whose cells carry the name of their column, for narrow screens."""
    body = [
        format_html_join("", '<td data-label="{}"><div>{}</div></td>', zip(head, row, strict=True))
        for row in rows
    ]
    if not body:
        return NOTHING
    return format_html(
        '<table class="keeper-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", '<th scope="col">{}</th>', ((name,) for name in head)),
        format_html_join("", "<tr>{}</tr>", ((cells,) for cells in body)),
    )


def newest(
    head: Sequence[str], rows: Iterable[Sequence[object]], address: str, what: str
) -> SafeString | str:
    """A table of the newest related rows, and a link to all of them in their list."""
    shown = table(head, rows)
    return shown if shown == NOTHING else format_html("{}<p>{}</p>", shown, anchor(address, what))


def folded(summary: str, text: str) -> SafeString:
    """Text that is read when it is wanted, as it is."""
    return format_html("<details><summary>{}</summary><pre>{}</pre></details>", summary, text)


def in_words(field: str, *, yes: str, no: str, name: str = "") -> Callable[[Any], str]:
    """A boolean as a column or line that says what it means."""

    @admin.display(description=name or field.replace("_", " "), ordering=field)
    def words(row: Any) -> str:
        return yes if getattr(row, field) else no

    words.__name__ = f"{field}_in_words"  # Django shows the help of a field of that name
    return words


def linked(field: str) -> Callable[[Any, Any], str]:
    """A related row as a line of a page, which says it with a link: for the body of its class."""

    @admin.display(description=field)
    def shown(_page: Any, row: Any) -> str:
        return link(getattr(row, field))

    return shown


def named(field: str) -> Callable[[Any, Any], str]:
    """A related row by its name alone, where few may look at it: for the body of its class."""

    @admin.display(description=field.replace("_", " "))
    def shown(_page: Any, row: Any) -> str:
        return str(getattr(row, field) or NOTHING)

    return shown


ACTIVE = in_words("is_active", yes="active", no="disabled", name="state")
