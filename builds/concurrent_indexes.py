"""Indexes that a migration adds while the service runs: on PostgreSQL no reader or writer waits."""

from typing import Any

from django.db import migrations


class AddIndex(migrations.AddIndex):
    """For migrations with `atomic = False`, as PostgreSQL has it. Safe to repeat when broken off.

    Django's `AddIndexConcurrently` knows PostgreSQL alone.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        is_postgresql = schema_editor.connection.vendor == "postgresql"
        how = "CONCURRENTLY " if is_postgresql else ""
        # What a run that was broken off left behind is unusable on PostgreSQL.
        schema_editor.execute(f"DROP INDEX {how}IF EXISTS {self.index.name}")
        if not is_postgresql:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        # It waits for transactions that began before it, and blocks none meanwhile.
        schema_editor.execute("SET lock_timeout = 0")
        schema_editor.add_index(model, self.index, concurrently=True)
        schema_editor.execute("RESET lock_timeout")
