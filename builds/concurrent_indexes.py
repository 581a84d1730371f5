"""Indexes that a migration adds or removes while the service runs: on PostgreSQL nobody waits.

For migrations with `atomic = False`, which PostgreSQL requires; they are safe to repeat after an
interruption. Django's own operations for this support PostgreSQL only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import migrations


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
