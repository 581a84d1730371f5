"""Each command that writes JSON has a schema, against which every test's documents are held."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator, ValidationError

from ltdkeeper.management.commands import roll_up
from tests.credentials.commands.test_exit_codes import FORMATS
from tests.documents import SCHEMAS, schema_of

OTHERS = {"finding", "webhook"}


def test_every_command_that_writes_json_has_a_schema_and_nothing_else_has() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.json")} == {*FORMATS} | OTHERS


def test_schemas_are_such() -> None:
    for name in {*FORMATS} | OTHERS:
        Draft202012Validator.check_schema(schema_of(name))


def test_document_that_is_not_as_described_is_noticed(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(*_: Any) -> str:
        return "seven"

    monkeypatch.setattr(roll_up, "roll_up", lie)
    monkeypatch.setattr("credentials.operations.runs.RecordedRun.looked_at", lambda *_, **__: None)
    with pytest.raises(ValidationError, match="'seven' is not of type 'integer'"):
        call_command("roll_up", "--format", "json", stdout=StringIO())
