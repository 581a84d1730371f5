"""All rows of all tables, to show that a refused request left everything as it was."""

from typing import Any

from django.apps import apps
from django.db import connection


def every_row() -> dict[str, list[tuple[Any, ...]]]:
    """The contents of the database by table; plain SQL, since tables of tests call it often."""
    with connection.cursor() as cursor:
        return {
            table: cursor.execute(f'SELECT {columns} FROM "{table}" ORDER BY 1').fetchall()  # noqa: S608
            for table, columns in sorted(_columns().items())
        }


def _columns() -> dict[str, str]:
    """Of each table all columns but the note of a key's last use, which every call may renew."""
    return {
        model._meta.db_table: ", ".join(
            f'"{field.column}"'
            for field in model._meta.local_fields
            if field.name != "last_used_at"
        )
        for model in apps.get_models(include_auto_created=True)
    }
