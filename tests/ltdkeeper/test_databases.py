"""What `DATABASE_URL` becomes: SQLite that waits for locks, PostgreSQL with pool and time-outs."""

from pathlib import Path
from typing import Any

import environ
import pytest
from django.db import connection

from ltdkeeper.databases import database_settings

HERE = Path("/srv/keeper")


@pytest.fixture
def settings_for(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(url: str | None, threads: int = 8) -> dict[str, Any]:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        if url is not None:
            monkeypatch.setenv("DATABASE_URL", url)
        return database_settings(environ.Env(), threads=threads, base_dir=HERE)

    return make


@pytest.mark.parametrize(
    ("url", "name"),
    [(None, "/srv/keeper/db.sqlite3"), ("sqlite:////var/lib/keeper.db", "/var/lib/keeper.db")],
)
def test_sqlite_is_a_file(url: str | None, name: str, settings_for: Any) -> None:
    config = settings_for(url)
    assert (config["ENGINE"], config["NAME"]) == ("django.db.backends.sqlite3", name)
    assert config["TEST"]["NAME"] == f"{name}.test"


def test_sqlite_begins_immediate_and_waits_for_locks(settings_for: Any) -> None:
    options = settings_for(None)["OPTIONS"]
    assert (options["timeout"], options["transaction_mode"]) == (1.5, "IMMEDIATE")
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


URL = "postgres://keeper:password@db.example.org:5433/keeper"


def test_postgresql_has_a_pool_for_threads_that_answer_and_threads_that_issue(
    settings_for: Any,
) -> None:
    config = settings_for(URL, threads=12)
    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert (config["HOST"], config["PORT"], config["NAME"]) == ("db.example.org", 5433, "keeper")
    assert config["OPTIONS"]["pool"] == {"min_size": 1, "max_size": 24, "timeout": 3}
    assert config["CONN_MAX_AGE"] == 0


def test_postgresql_gives_up_in_time(settings_for: Any) -> None:
    options = settings_for(URL)["OPTIONS"]
    assert options["connect_timeout"] == 2
    assert options["options"] == "-c lock_timeout=1500 -c statement_timeout=5000"


def test_options_in_the_address_stay(settings_for: Any) -> None:
    options = settings_for(f"{URL}?sslmode=require&connect_timeout=5")["OPTIONS"]
    assert options["sslmode"] == "require"
    assert int(options["connect_timeout"]) == 5


def test_another_engine_is_left_as_it_is(settings_for: Any) -> None:
    config = settings_for("mysql://keeper:password@db.example.org/keeper")
    assert "OPTIONS" not in config or "pool" not in config["OPTIONS"]


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 1500}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", PRAGMAS)
def test_open_connection_is_tuned(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        assert cursor.fetchone() == (PRAGMAS[name],)
