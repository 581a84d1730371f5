"""All rows of all tables, to show that a refused request left everything as it was."""

from typing import Any

from django.apps import apps
from django.db import connection


def every_row() -> dict[str, list[tuple[Any, ...]]]:
    """The contents of the database by table; plain SQL, since tables of tests call it often."""
    with connection.cursor() as cursor:
        return {
            table: cursor.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()  # noqa: S608
            for table in sorted(model._meta.db_table for model in apps.get_models())
        }
