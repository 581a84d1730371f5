"""Indexes and columns that are added and removed while the service runs."""

from collections.abc import Callable

import pytest
from django.db import connection, models
from django.db.migrations import AddField, CreateModel
from django.db.migrations.loader import MigrationLoader

from builds.models import Build
from builds.online_migrations import AddIndex, RemoveIndex

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


def test_new_databases_have_the_schema_of_those_that_were_upgraded() -> None:
    loader, ends = MigrationLoader(None, replace_migrations=False), ("help_texts", "version_1_0_0")
    step_by_step, at_once = (
        loader.project_state([("builds", f"0011_{end}"), ("credentials", f"0028_{end}")])
        for end in ends
    )
    assert at_once == step_by_step


# Older ones were applied before there was a service to keep running.
FIRST = {"builds": "0004", "credentials": "0010"}


def test_older_processes_can_write_where_a_column_was_added() -> None:
    for (app, name), migration in MigrationLoader(None).disk_migrations.items():
        if app not in FIRST or name < FIRST[app]:
            continue
        made = {each.name_lower for each in migration.operations if isinstance(each, CreateModel)}
        for added in migration.operations:
            if isinstance(added, AddField) and added.model_name_lower not in made:
                assert added.field.null or added.field.has_db_default(), f"{app}.{name}"
