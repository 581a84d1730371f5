"""The ledger rows of the sessions that the demo was given, read from the database file itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """What the service wrote down about a session."""

    status: str
    session_name: str
    access_key_id: str
    delivery: str
    duration_seconds: int
    expires_at: str


def ledger_row(database: Path, *, session_id: str) -> LedgerRow | None:
    """The row of a session, or None."""
    return next(_rows(database, "WHERE id = ?", [session_id]), None)


def _rows(database: Path, where: str, values: list[str]) -> Iterator[LedgerRow]:
    names = list(LedgerRow.__annotations__)
    query = f"SELECT {', '.join(names)} FROM credentials_issuedsession {where}"  # noqa: S608
    uri = f"file:{quote(str(database))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        for values_of_row in connection.execute(query, values):
            yield LedgerRow(**dict(zip(names, values_of_row, strict=True)))
