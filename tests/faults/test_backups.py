"""A backup is made while callers ask, and restored: no root is given out a second time."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.faults.callers import REGISTER, Callers
from tests.faults.conftest import Services
from tests.faults.fake_store import FakeStore
from tests.faults.postgres import PROGRAMS
from tests.faults.service import Service
from tests.faults.table import ROWS, Row, rows_of, times

pytestmark = pytest.mark.faults
PAGE = "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>"
FOLDERS = PAGE.format("<CommonPrefixes><Prefix>guide/</Prefix></CommonPrefixes>")
OBJECTS = PAGE.format(
    "<Contents><Key>guide/builds/after/k</Key><Size>7</Size></Contents>"
    "<Contents><Key>guide/builds/before/k</Key><Size>7</Size></Contents>"
)


def back_up(service: Service, copy: Path) -> None:
    """As documented."""
    if service.kind == "sqlite":
        with closing(sqlite3.connect(service.database)) as database:
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM builds_store").fetchone()
            with closing(sqlite3.connect(copy)) as target:
                database.backup(target, pages=100)
    else:
        dump = [PROGRAMS[-1] / "pg_dump", "--format=custom", f"--file={copy}"]
        subprocess.run([*dump, service.server.url()], check=True)


def restore(service: Service, copy: Path) -> None:
    """Use a database made of the copy from now on."""
    if service.kind == "sqlite":
        service.use_file(copy)
        return
    with psycopg.connect(service.server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    service.env["DATABASE_URL"] = address = service.server.url("restored")
    program = [PROGRAMS[-1] / "pg_restore", "--exit-on-error", f"--dbname={address}"]
    subprocess.run([*program, copy], check=True)


def recover(service: Service, store: FakeStore, folder: Path) -> None:
    """Register what only the bucket knows."""
    (profiles := folder / "profiles").write_text(
        "[auditor]\naws_access_key_id = AKIA\naws_secret_access_key = none\n"
    )
    service.env["AWS_SHARED_CREDENTIALS_FILE"] = str(profiles)
    pages = iter([FOLDERS, OBJECTS])
    store.s3 = lambda: (200, next(pages))
    said = service.python("manage.py", "recover_builds", "default", "--profile", "auditor")
    assert said == "guide/builds/after\nRecovered 1 builds.\n"


def register(service: Service, slug: str) -> int:
    path, body = "/products/guide/builds/", {**REGISTER, "slug": slug}
    return service.call("POST", path, body, headers=service.headers).status_code


def test_restored_backup_has_what_was_held_and_gives_out_no_root_twice(
    kind: str, services: Services, store: FakeStore, tmp_path: Path
) -> None:
    row = Row(fault="a backup is made under load, and restored", database=kind, tried=0)
    ROWS.append(row)
    for number in range(times(5, 1)):
        service, copy = services.make(kind), tmp_path / f"copy{number}"
        with service.running(), (callers := Callers(service)).asking():
            assert register(service, "before") == 201
            callers.wait_for_more(16)
            held = dict(callers.held)
            back_up(service, copy)
            assert register(service, "after") == 201
        restore(service, copy)
        count(row, service, callers, held)
        with pytest.raises(RuntimeError, match="recover_builds"), service.running():
            pass
        recover(service, store, tmp_path)
        with service.running():
            assert [register(service, slug) for slug in ("before", "after")] == [409, 409]


def count(row: Row, service: Service, callers: Callers, held: dict[str, str]) -> None:
    """Of what callers held when the backup began, nothing is lost."""
    rows = rows_of(service, callers)
    issued = {key: root for _, key, root, status in rows if status == "issued"}
    row.tried += 1
    row.held += len(held)
    row.issued += len(issued)
    row.pending += sum(status == "requested" for *_, status in rows)
    row.lost += sum(issued.get(key) != root for key, root in held.items())
    row.wrong += sum(callers.unusual.values())
    assert (row.lost, row.wrong) == (0, 0)
