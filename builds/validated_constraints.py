"""Constraints of a large table that a migration adds while the service runs.

PostgreSQL reads the whole table for a new constraint, and nobody may write meanwhile. So it is
first added for new rows only, and the old ones are read in a later migration, with
`atomic = False`, that blocks nobody (PostgreSQL, ALTER TABLE, notes on NOT VALID). Django's own
operations for this support PostgreSQL only.
"""

from typing import Any

from django.db import migrations
from django.db.migrations.operations.base import Operation


class AddConstraintForNewRows(migrations.AddConstraint):
    """Add a check that PostgreSQL holds new rows to; other databases hold all to it at once."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
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
        if schema_editor.connection.vendor == "postgresql":
            table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
            schema_editor.execute(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{self.name}"')

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Nothing: a constraint that was validated may stay so."""

    def describe(self) -> str:
        return f"Validate constraint {self.name} of {self.model_name}"
