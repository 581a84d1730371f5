"""What `DATABASE_URL` becomes: SQLite that waits for locks, PostgreSQL with pool and time-outs."""

import pytest
from django.db import connection

from ltdkeeper.databases import database_settings, for_requests


def test_sqlite_is_a_file() -> None:
    config = database_settings("sqlite:////var/lib/keeper.db")
    assert config["ENGINE"] == "ltdkeeper.sqlite"
    assert (config["NAME"], config["TEST"]["NAME"]) == (
        "/var/lib/keeper.db",
        "/var/lib/keeper.db.test",
    )


def test_sqlite_begins_immediate_and_waits_for_locks() -> None:
    config = database_settings("sqlite:////var/lib/keeper.db")
    options = config["OPTIONS"]
    assert (options["timeout"], options["transaction_mode"]) == (1.5, "IMMEDIATE")
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]
    assert for_requests(config, threads=8) == config


URL = "postgres://keeper:password@db.example.org:5433/keeper"


def test_postgresql_is_named_by_its_address() -> None:
    config = database_settings(URL)
    assert config["ENGINE"] == "ltdkeeper.postgresql"
    assert (config["HOST"], config["PORT"], config["NAME"]) == ("db.example.org", 5433, "keeper")
    assert config["CONN_MAX_AGE"] == 0


def test_web_process_has_a_pool_for_threads_that_answer_and_threads_that_issue() -> None:
    options = for_requests(database_settings(URL), threads=12)["OPTIONS"]
    assert options["pool"] == {"min_size": 1, "max_size": 24, "timeout": 3}


def test_statements_are_limited_in_web_processes_only() -> None:
    config = database_settings(URL)
    assert config["OPTIONS"] == {"connect_timeout": 2, "options": "-c lock_timeout=1500"}
    limited = for_requests(config, threads=8)["OPTIONS"]["options"]
    assert limited == "-c lock_timeout=1500 -c statement_timeout=5000"


def test_web_process_prepares_statements_unless_the_address_says_no() -> None:
    """Django binds on the server for `True` alone, and without that prepares nothing."""
    options = for_requests(database_settings(URL), threads=8)["OPTIONS"]
    assert (options["server_side_binding"], options["prepare_threshold"]) == (True, 5)
    config = database_settings(f"{URL}?server_side_binding=false")
    assert for_requests(config, threads=8)["OPTIONS"]["server_side_binding"] is not True


def test_options_in_the_address_stay() -> None:
    config = database_settings(
        f"{URL}?sslmode=require&connect_timeout=5&options=-c%20work_mem%3D8MB"
    )
    options = for_requests(config, threads=8)["OPTIONS"]
    assert (options["sslmode"], int(options["connect_timeout"])) == ("require", 5)
    assert options["options"] == "-c work_mem=8MB"


# The tests wait longer for a lock than requests do: see tests/settings.py.
PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite")
@pytest.mark.django_db(transaction=True)
def test_open_connection_is_tuned() -> None:
    with connection.cursor() as cursor:
        found = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS}
    assert found == PRAGMAS
