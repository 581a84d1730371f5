"""An audit that is killed, wherever that is, and run again leaves what one whole run leaves."""

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.ltdkeeper.test_command_line import ENVIRONMENT, ROOT

pytestmark = pytest.mark.slow

ROWS, KILLS = 1500, 5
FILL = (
    "from tests.credentials.ledger_rows import requested_row; "
    f"[requested_row() for _ in range({ROWS})]"
)

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "db.sqlite3"


@pytest.fixture
def start(database: Path) -> Start:
    def run(*arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            env=ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{database}"},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    return run


def ask(database: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
        return list(connection.execute(statement))


def test_killed_audit_run_again_is_the_same_end(start: Start, database: Path) -> None:
    for arguments in (["migrate"], ["shell", "-c", FILL]):
        assert start(*arguments).wait() == 0
    for _ in range(KILLS):
        audit = start("audit_sessions")
        time.sleep(random.uniform(0.5, 3))  # noqa: S311 - anywhere
        audit.kill()
        audit.wait()
        ask(database, "DELETE FROM credentials_lease")  # it expires
    assert start("audit_sessions").wait() == 1
    states = ask(database, "SELECT state FROM credentials_jobrun ORDER BY id")
    assert states[-1] == ("finished",)
    assert ("running",) not in states
    open_rows = "SELECT count(*), count(DISTINCT subject) FROM credentials_auditfinding"
    assert ask(database, f"{open_rows} WHERE closed_at IS NULL") == [(ROWS, ROWS)]
