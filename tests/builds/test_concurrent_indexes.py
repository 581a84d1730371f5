"""Indexes that are added while the service runs."""

import pytest
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from builds.concurrent_indexes import AddIndex
from builds.models import Build


@pytest.mark.django_db(transaction=True)
def test_index_that_is_there_already_is_made_anew() -> None:
    state = MigrationLoader(connection).project_state()
    add = AddIndex("build", models.Index(fields=["slug", "-id"], name="build_by_slug"))
    with connection.schema_editor(atomic=False) as editor:
        add.database_forwards("builds", editor, state, state)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Build._meta.db_table)
    assert found["build_by_slug"]["columns"] == ["slug", "id"]
