"""Every document that a command writes in a test is held against the schema of that command."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ltdkeeper.management.outcomes import ServiceCommand

SCHEMAS = Path(__file__).parent.parent / "docs" / "reference" / "schemas"

REFERRED_TO = ("finding", "findings")


def schema_of(command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{command}.json").read_text(encoding="utf-8"))
    return found


@cache
def validator_of(command: str) -> Any:
    """Imported when it is needed: most tests write no document."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from referencing import Registry, Resource  # noqa: PLC0415

    others = [(f"{name}.json", Resource.from_contents(schema_of(name))) for name in REFERRED_TO]
    registry = Registry().with_resources(others)
    return Draft202012Validator(schema_of(command), registry=registry)


@contextmanager
def documents_held_against_schemas() -> Iterator[None]:
    """Within, a command whose document is not as it is described fails."""
    execute = ServiceCommand.execute

    def checked(command: ServiceCommand, *arguments: Any, **options: Any) -> Any:
        written = options.get("stdout")
        is_json = options.get("format") == "json" and isinstance(written, StringIO)
        start = written.tell() if is_json else 0
        try:
            return execute(command, *arguments, **options)
        finally:
            if is_json and (text := written.getvalue()[start:]):
                validator_of(type(command).__module__.rpartition(".")[2]).validate(json.loads(text))

    with patch.object(ServiceCommand, "execute", checked):
        yield
