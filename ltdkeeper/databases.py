"""Database settings tuned for short transactions around a network call.

SQLite: write-ahead log, IMMEDIATE transactions (a reader never has to upgrade its lock and fail),
`synchronous=FULL` (a committed ledger row survives a power cut), a lock wait of 1.5 s.
PostgreSQL: psycopg's pool, with lock and statement time-outs, so that a stuck database is an
answer and not a hang.
"""

from pathlib import Path
from typing import Any

import environ

LOCK_WAIT_SECONDS = 1.5
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
POSTGRES_TIMEOUTS = "-c lock_timeout=1500 -c statement_timeout=5000"


def database_settings(env: environ.Env, *, threads: int, base_dir: Path) -> dict[str, Any]:
    """Django's settings for the database that `DATABASE_URL` names (default: SQLite here)."""
    config = dict(env.db_url("DATABASE_URL", default=f"sqlite:///{base_dir / 'db.sqlite3'}"))
    if config["ENGINE"].endswith("sqlite3"):
        return _sqlite(config)
    if config["ENGINE"].endswith("postgresql"):
        return _postgresql(config, threads=threads)
    return config


def _sqlite(config: dict[str, Any]) -> dict[str, Any]:
    options = {
        "timeout": LOCK_WAIT_SECONDS,
        "transaction_mode": "IMMEDIATE",
        "init_command": SQLITE_PRAGMAS,
    }
    # A file for tests too: SQLite's shared in-memory databases lock whole tables and never wait.
    test = {"NAME": f"{config['NAME']}.test"}
    return config | {"OPTIONS": options, "CONN_MAX_AGE": 600, "TEST": test}


def _postgresql(config: dict[str, Any], *, threads: int) -> dict[str, Any]:
    options = dict(config.get("OPTIONS", {}))
    options.setdefault("connect_timeout", 2)
    options.setdefault("options", POSTGRES_TIMEOUTS)
    # Besides the threads that answer there are those that issue, of which most wait for a store.
    options["pool"] = {"min_size": 1, "max_size": 2 * threads, "timeout": 3}
    return config | {"OPTIONS": options, "CONN_MAX_AGE": 0}
