"""A filtered list as a file: CSV or JSON lines, in a stream whose memory does not grow with it."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

import orjson
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import urlencode

ROWS_AT_A_TIME = 500
# What is derived from secrets stays here, though nothing can be done with it.
HIDDEN = ("secret_sha256", "password")
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = tuple[Any, ...]


def columns(model: type[Model]) -> list[str]:
    """The columns of the file, named as on the model."""
    names = [field.attname for field in model._meta.concrete_fields]
    return [name for name in names if not name.endswith(HIDDEN)]


def csv_lines(names: list[str], rows: Iterable[Row]) -> Iterator[str]:
    """A header and a line for each row, some at a time."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(names)
    for some in batches(rows):
        writer.writerows([cell(value) for value in row] for row in some)
        yield written.getvalue()
        written.seek(0)
        written.truncate()
    yield written.getvalue()


def cell(value: Any) -> str:
    """A value as text that no spreadsheet calculates."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (bool, list, dict)):
        return json.dumps(value)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def json_lines(names: list[str], rows: Iterable[Row]) -> Iterator[bytes]:
    for some in batches(rows):
        yield b"".join(
            orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
            for row in some
        )


Lines = Callable[[list[str], Iterable[Row]], Iterator[Any]]
FORMATS: dict[str, tuple[Lines, str]] = {
    "csv": (csv_lines, "text/csv; charset=utf-8"),
    "jsonl": (json_lines, "application/jsonl"),
}


def export(request: HttpRequest, changelist: ChangeList, form: str) -> StreamingHttpResponse:
    """The rows of a list with its filters, in a file. Who took it is in the admin's log."""
    model = changelist.model
    names = columns(model)
    lines, content_type = FORMATS[form]
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        object_repr=str(model._meta.verbose_name_plural)[:200],
        action_flag=CHANGE,
        change_message=f"Exported as {form}: {filters_in_words(changelist)}.",
    )
    body = lines(names, stored_rows(changelist.queryset, names))
    response = StreamingHttpResponse(body, content_type=content_type)
    file_name = f"{model._meta.model_name}.{form}"
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response["Cache-Control"] = "no-store"
    return response


def filters_in_words(changelist: ChangeList) -> str:
    """The filters of a list. What was searched for may be a secret that somebody pasted."""
    chosen = urlencode(changelist.get_filters_params(), doseq=True) or "no filter"
    return f"{chosen}, and a search" if changelist.params.get(SEARCH_VAR) else chosen


def stored_rows(queryset: "QuerySet[Any]", names: list[str]) -> Iterator[Row]:
    """The rows by one cursor of the database, however long it takes."""
    with unlimited_reading():
        yield from queryset.values_list(*names).iterator(ROWS_AT_A_TIME)


@contextmanager
def unlimited_reading() -> Iterator[None]:
    """PostgreSQL: a transaction, which its cursor needs, in which statements may take their time.

    SQLite reads a snapshot by itself; a transaction would keep others from writing.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        yield


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_A_TIME)):
        yield some
