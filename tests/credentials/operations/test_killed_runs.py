"""An audit that is killed, wherever that is, and run again leaves what one whole run leaves."""

import gzip
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from django.db import connection

from builds.models import Store
from tests.credentials.ledger_rows import requested_row
from tests.credentials.operations.audit.test_trail_files import log_name
from tests.credentials.operations.audit.trail_records import (
    BUCKET,
    FAULTS,
    ROLE,
    TRAPS,
    assumed,
    plant,
)
from tests.ltdkeeper.test_command_line import ENVIRONMENT, ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sqlite,
    pytest.mark.django_db(transaction=True),
]

KILLS = int(os.environ.get("LTD_TEST_KILLS", "3"))
ROWS, HOURS, STRANGERS = 1500, 12, 250
FOUND = """SELECT rule, subject, severity, what, build_id, session_id
 FROM credentials_auditfinding WHERE closed_at IS NULL ORDER BY 1, 2"""


def fill_trail(folder: Path) -> None:
    """A log an hour: each kind of record once, among sessions that nobody issued."""
    Store.objects.create(name="main", bucket=BUCKET, role_arn=ROLE)
    planted = list(plant([*FAULTS.values(), *TRAPS.values()]))
    for hour in range(HOURS):
        names = [f"{hour:02}{number:04}" for number in range(STRANGERS)]
        strangers = [msgspec.json.encode(assumed(f"ASIA{each}", each)) for each in names]
        records = b",".join([*planted[hour::HOURS], *strangers])
        log = folder / log_name(f"20261123T{hour:02}05")
        log.write_bytes(gzip.compress(b'{"Records":[%b]}' % records))


def start(database: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        env=ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{database}"},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def ask(database: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as connection:
        return list(connection.execute(statement))


def copy_of_database(file: Path) -> Path:
    with closing(sqlite3.connect(file)) as copy:
        connection.connection.backup(copy)
    return file


def findings_after(
    database: Path, *command: str, kills: int = 0, seconds: float = 0
) -> list[tuple[object, ...]]:
    """What is open at the end, where a whole run takes so many seconds."""
    for _ in range(kills):
        audit = start(database, *command)
        time.sleep(random.uniform(0.3, 1) * seconds)  # noqa: S311 - it has started until then
        audit.kill()
        audit.wait()
        ask(database, "DELETE FROM credentials_lease")  # it expires
    assert start(database, *command).wait() == 1
    states = ask(database, "SELECT state FROM credentials_jobrun ORDER BY id")
    assert states[-1] == ("finished",)
    assert ("running",) not in states
    return ask(database, FOUND)


def test_killed_audit_run_again_is_the_same_end(tmp_path: Path) -> None:
    for _ in range(ROWS):
        requested_row()
    begin = time.monotonic()
    whole = findings_after(copy_of_database(tmp_path / "whole"), "audit_sessions")
    seconds = time.monotonic() - begin
    killed = copy_of_database(tmp_path / "killed")
    assert findings_after(killed, "audit_sessions", kills=KILLS, seconds=seconds) == whole
    assert len(whole) == ROWS


def test_killed_audit_of_a_trail_reads_on_to_the_same_end(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    fill_trail(logs)
    command = ("audit_cloudtrail", str(logs), "--addresses")
    begin = time.monotonic()
    whole = findings_after(copy_of_database(tmp_path / "whole"), *command)
    seconds = time.monotonic() - begin
    assert len(whole) == HOURS * STRANGERS + len(FAULTS)
    later = sorted(logs.iterdir())[HOURS // 2 :]
    for each in later:
        each.rename(tmp_path / each.name)
    killed = copy_of_database(tmp_path / "killed")
    findings_after(killed, *command)
    for each in later:
        (tmp_path / each.name).rename(each)
    assert findings_after(killed, *command, kills=KILLS, seconds=seconds) == whole
