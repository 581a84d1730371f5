"""Indexes that are added and removed while the service runs."""

from collections.abc import Callable

import pytest
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from builds.concurrent_indexes import AddIndex, RemoveIndex
from builds.models import Build

NAME = "build_by_slug"
Operation = AddIndex | RemoveIndex


@pytest.fixture
def run(transactional_db: None) -> Callable[[Operation], None]:
    state = MigrationLoader(connection).project_state()

    def run(operation: Operation) -> None:
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("builds", editor, state, state)

    return run


def columns() -> list[str] | None:
    """Of the index; None where there is none."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Build._meta.db_table)
    return found[NAME]["columns"] if NAME in found else None


def test_both_can_be_repeated(run: Callable[[Operation], None]) -> None:
    remove = RemoveIndex("build", NAME)
    add = AddIndex("build", models.Index(fields=["slug", "-id"], name=NAME))
    run(remove)
    run(remove)
    assert columns() is None
    run(add)
    run(add)
    assert columns() == ["slug", "id"]
