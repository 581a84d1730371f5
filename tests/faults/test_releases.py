"""Releases that migrate at once, and the older release's web processes on the newer schema."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from demo.processes import ROOT
from tests.faults.callers import Callers
from tests.faults.conftest import Services
from tests.faults.service import Service
from tests.faults.table import IS_FULL, ROWS, Row, compare, times
from tests.released import RELEASED, unpack

KINDS = ["postgresql", "sqlite"] if IS_FULL else ["postgresql"]
pytestmark = [pytest.mark.faults, pytest.mark.parametrize("kind", KINDS)]
LAST_MIGRATIONS = {"credentials": "0028_version_1_0_0", "builds": "0011_version_1_0_0"}


def migrate(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "manage.py", "migrate", "--noinput"]
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=silent, stderr=silent)


def test_releases_that_migrate_at_once_and_again_leave_a_whole_schema(
    kind: str, services: Services, tmp_path: Path
) -> None:
    tried, service, failed = times(5, 1), services.make(kind), 0
    for number in range(tried):
        address = f"sqlite:///{tmp_path}/{number}.sqlite3"
        if kind == "postgresql":
            with psycopg.connect(service.server.url(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE fresh{number}".encode())
            address = service.server.url(f"fresh{number}")
        environment = service.env | {"DATABASE_URL": address}
        both = [migrate(environment) for _ in range(2)]
        failed += sum(each.wait() != 0 for each in both)
        assert migrate(environment).wait() == 0
    note = f"{failed} of {2 * tried} failed and were repeated"
    ROWS.append(Row(fault="two releases migrate at once", database=kind, tried=tried, note=note))


@pytest.mark.skipif(not IS_FULL, reason="tests/http/test_unexpected.py shows it sooner")
def test_web_processes_say_to_come_back_while_the_schema_is_the_last_releases(
    kind: str, shared: Service
) -> None:
    tried, callers = times(3, 1), Callers(shared)
    for _ in range(tried):
        with callers.asking():
            callers.wait_for_more(8)
        for app, migration in LAST_MIGRATIONS.items():
            shared.python("manage.py", "migrate", app, migration, "-v0")
        with callers.asking():
            callers.wait_to_be_told((503, "database_unavailable"))
        shared.python("manage.py", "migrate", "-v0")
    with callers.asking():
        callers.wait_for_more(8)
    compare("new web processes on the last release's schema", shared, callers, tried)


def test_web_processes_of_the_last_release_issue_on_the_new_schema(
    kind: str, services: Services, tmp_path: Path
) -> None:
    released = tmp_path / "released"
    if not unpack(RELEASED, released):
        pytest.skip("this clone does not have the last release")
    service, tried = services.make(kind), times(40, 4)
    callers = Callers(service)
    for tree in (released, ROOT, released)[: times(3, 2)]:
        with service.running(2, tree=tree), callers.asking():
            callers.wait_for_more(tried)
    compare("the last release's web processes on the new schema, then back", service, callers, 3)
