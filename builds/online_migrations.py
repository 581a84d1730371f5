"""Operations of migrations that run while the service does: on PostgreSQL nobody waits for them.

Indexes are added and removed concurrently; a constraint of a large table is first added for new
rows only, and the old ones are read in a later migration that blocks nobody (PostgreSQL, ALTER
TABLE, notes on NOT VALID). For migrations with `atomic = False`, which PostgreSQL requires but for
adding a constraint; they are safe to repeat after an interruption. Django's own operations for
this support PostgreSQL only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import migrations
from django.db.migrations.operations.base import Operation


class RemoveIndex(migrations.RemoveIndex):
    """Remove an index if it is there."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        with _without_lock_timeout(schema_editor):
            _drop(schema_editor, self.name)


class AddIndex(migrations.AddIndex):
    """Make an index anew: one that was left half made is unusable."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        how = {"concurrently": True} if _is_postgresql(schema_editor) else {}
        with _without_lock_timeout(schema_editor):
            _drop(schema_editor, self.index.name)
            schema_editor.add_index(model, self.index, **how)


class AlterFieldIndex(migrations.AlterField):
    """Add or remove the index that a field has by itself (`db_index`), and nothing else of it.

    Django's own operation copies the whole table on SQLite.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.name)
        how = {"concurrently": True} if _is_postgresql(schema_editor) else {}
        with _without_lock_timeout(schema_editor):
            for name in schema_editor._constraint_names(model, [field.column], index=True):  # noqa: SLF001
                _drop(schema_editor, name)
            if field.db_index:
                sql = schema_editor._create_index_sql(model, fields=[field], **how)  # noqa: SLF001
                schema_editor.execute(sql)


class AddConstraintForNewRows(migrations.AddConstraint):
    """Add a check that PostgreSQL holds new rows to; other databases hold all to it at once."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if not _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        text = str(self.constraint.create_sql(model, schema_editor))
        schema_editor.execute(f"{text} NOT VALID", params=None)


class ValidateConstraint(Operation):
    """Hold the old rows to it as well; safe to repeat."""

    def __init__(self, model_name: str, name: str) -> None:
        self.model_name = model_name
        self.name = name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing: the state has the constraint already."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if _is_postgresql(schema_editor):
            table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
            schema_editor.execute(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{self.name}"')

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Nothing: a constraint that was validated may stay so."""

    def describe(self) -> str:
        return f"Validate constraint {self.name} of {self.model_name}"


def _drop(schema_editor: Any, name: str) -> None:
    how = "CONCURRENTLY " if _is_postgresql(schema_editor) else ""
    schema_editor.execute(f"DROP INDEX {how}IF EXISTS {name}")


@contextmanager
def _without_lock_timeout(schema_editor: Any) -> Iterator[None]:
    """It waits for transactions that began before it, and lets all others pass meanwhile."""
    if not _is_postgresql(schema_editor):
        yield
        return
    schema_editor.execute("SET lock_timeout = 0")
    try:
        yield
    finally:
        schema_editor.execute("RESET lock_timeout")


def _is_postgresql(schema_editor: Any) -> bool:
    return bool(schema_editor.connection.vendor == "postgresql")
