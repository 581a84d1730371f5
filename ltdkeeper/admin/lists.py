"""Lists of what grows without end: each page costs the same, wherever it is and whatever filters.

Pages begin at a key (`?p=before-KEY`, `after-KEY`, `last`), so nothing is counted and nothing is
skipped. Lists are in the order of their keys, newest first. A filter that an index serves in that
order, its `ordered` rows, decides which rows are gone through. Where other filters pick among
these, a page goes through a bounded number of them, and says so when it found none.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.db import DataError, connection
from django.db.models import Field, QuerySet
from django.http import HttpRequest

PAGE_SIZE = 100
# So many rows are gone through for one page: some 50 ms of the database.
WINDOW = 20_000


def is_key(field: "Field[Any, Any]", text: str) -> bool:
    """Whether a primary key can be so at all, in the database's own bounds."""
    try:
        field.clean(text, None)
    except ValidationError:
        return False
    return "\0" not in text


@contextmanager
def refusing_lookups() -> Iterator[None]:
    """A value that the database refuses is treated like one that Django refuses itself."""
    try:
        yield
    except (DataError, OverflowError, ValueError) as err:
        raise IncorrectLookupParameters from err


class LookupChangeList(ChangeList):
    """Django's list, for tables that stay small."""

    def get_results(self, request: HttpRequest) -> None:
        with refusing_lookups():
            super().get_results(request)


@dataclass(frozen=True)
class Place:
    """Where a page begins: at the first or last row, `before` a key or `after` it."""

    side: Literal["first", "before", "after", "last"]
    key: str = ""

    @classmethod
    def parse(cls, text: str, field: "Field[Any, Any]") -> "Place":
        """Raises IncorrectLookupParameters."""
        side, _, key = text.partition("-")
        if side in {"", "last"} and not key:
            return cls("last" if side else "first")
        if side in {"before", "after"} and key and is_key(field, key):
            return cls("before" if side == "before" else "after", key)
        raise IncorrectLookupParameters(text)

    @property
    def is_upward(self) -> bool:
        """Whether rows are read from older to newer."""
        return self.side in {"after", "last"}

    def beyond(self, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        """The rows on its side, nearest first."""
        if self.key:
            rows = rows.filter(**{"pk__gt" if self.is_upward else "pk__lt": self.key})
        return rows.order_by("pk" if self.is_upward else "-pk")


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows, newest first, and the places of the pages beside it (None: there is none)."""

    rows: list[Any]
    newer: Place | None
    older: Place | None
    # Whether there were more rows to go through than a page does.
    is_partial: bool


def read_page(
    found: "QuerySet[Any]", ordered: "QuerySet[Any] | None", place: Place, size: int = PAGE_SIZE
) -> Page:
    """One page of what was `found`. With `ordered`, only so many of those are gone through."""
    rows = place.beyond(found)
    edge = None
    if ordered is not None:
        keys = place.beyond(ordered).values_list("pk", flat=True)
        edge = next(iter(keys[WINDOW : WINDOW + 1]), None)
    if edge is not None:
        rows = rows.filter(**{"pk__lte" if place.is_upward else "pk__gte": edge})
    shown = list(rows[: size + 1])
    is_full = len(shown) > size
    del shown[size:]
    if place.side == "after" and not is_full and edge is None:
        return read_page(found, ordered, Place("first"), size)
    near = str(shown[0].pk) if shown else place.key
    far = str(shown[-1].pk) if is_full else None if edge is None else str(edge)
    if place.is_upward:
        newer = Place("after", far) if far else None
        older = Place("before", near) if place.side == "after" else None
        return Page(rows=shown[::-1], newer=newer, older=older, is_partial=edge is not None)
    older = Place("before", far) if far else None
    newer = Place("after", near) if place.side == "before" else None
    return Page(rows=shown, newer=newer, older=older, is_partial=edge is not None)


class KeysetChangeList(ChangeList):
    """A list whose pages begin at a key. Its order is fixed, and it has no search of its own."""

    is_keyset = True

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        with refusing_lookups():
            place = Place.parse(request.GET.get(PAGE_VAR, ""), self.lookup_opts.pk)
            page = read_page(self.queryset, self._ordered(), place)
        self.result_list = page.rows
        self.page = page
        self.is_first, self.is_last = place.side == "first", page.older is None
        # Django offers to select all rows of all pages where these differ.
        self.result_count = self.full_result_count = len(page.rows)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True

    def _ordered(self) -> "QuerySet[Any] | None":
        """The rows to go through, in the order of an index; None: what was found is in one."""
        specs: list[Any] = self.filter_specs
        used = [spec for spec in specs if spec.is_used]
        ranges = [spec for spec in used if spec.is_range]
        leading = next((spec for spec in used if spec.is_ordered and not spec.is_range), None)
        if not used or used == [leading]:
            return None
        rows: QuerySet[Any] = self.root_queryset.order_by()
        for spec in (*ranges, *([leading] if leading else [])):
            rows = spec.ordered(rows)
        return rows

    def link(self, place: Place | None) -> str:
        """The address of a page of this list; empty: there is none."""
        if place is None:
            return ""
        text = place.side if not place.key else f"{place.side}-{place.key}"
        return self.get_query_string({PAGE_VAR: text if place.side != "first" else None})

    @property
    def newer_link(self) -> str:
        return self.link(self.page.newer)

    @property
    def older_link(self) -> str:
        return self.link(self.page.older)

    @property
    def newest_link(self) -> str:
        return "" if self.is_first else self.link(Place("first"))

    @property
    def oldest_link(self) -> str:
        return "" if self.is_last else self.link(Place("last"))

    @property
    def count_in_words(self) -> str:
        """How many rows there are: exactly where all are on the page, else an estimate."""
        names = self.opts.verbose_name_plural
        shown = len(self.page.rows)
        if not (self.page.newer or self.page.older):
            return f"{shown} {self.opts.verbose_name if shown == 1 else names}"
        estimate = estimated_rows(self.queryset)
        return f"about {estimate:,} {names}" if estimate > shown else f"more than {shown} {names}"


def estimated_rows(queryset: "QuerySet[Any]") -> int:
    """What PostgreSQL's planner expects, to two digits; 0 on SQLite, which keeps no statistics."""
    if connection.vendor != "postgresql":
        return 0
    plan = json.loads(queryset.order_by().explain(format="json"))
    rows = int(plan[0]["Plan"]["Plan Rows"])
    return int(float(f"{rows:.1e}"))
