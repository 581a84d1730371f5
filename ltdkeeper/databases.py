"""Database settings tuned for short transactions around a network call.

SQLite: write-ahead log, IMMEDIATE transactions (a reader never has to upgrade its lock and fail),
`synchronous=FULL` (an issued ledger row survives a power cut), a lock wait of 1.5 s, writers that
take turns (`ltdkeeper/sqlite`).
PostgreSQL: a lock time-out everywhere; in web processes psycopg's pool and a statement time-out
too, so that a stuck database is an error and not a hang. Commands may take their time. BEGIN
waits for its first statement (`ltdkeeper/postgresql`).
"""

import re
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, InterfaceError, OperationalError
from django.db.utils import ConnectionHandler

EXAMPLE = "postgres://user:password@host:5432/name"
LOCK_WAIT_SECONDS = 1.5
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
LOCK_TIMEOUT = "-c lock_timeout=1500"
STATEMENT_TIMEOUT = "-c statement_timeout=5000"
PREPARED_AFTER = 5  # times that a connection ran a statement
POSTGRES_SCHEMES = {"postgres", "postgresql", "pgsql", "psql"}
LAST_PORT = 65_535
LONGEST_NAME = 63  # PostgreSQL's
# Django's own options that an address may set, and to what. All others are PostgreSQL's.
DJANGOS_OPTIONS = {
    "assume_role": ".+",
    "disable_server_side_cursors": "true",
    "prepare_threshold": "[0-9]{1,9}",
    "server_side_binding": "false",
}
# Tables or columns that are not there: PostgreSQL by code, SQLite by text.
_MISSING_CODES = {"42P01", "42703"}
_MISSING = re.compile(r"no such (table|column)|has no column named")


def database_settings(url: str) -> dict[str, Any]:
    """Django's settings for the database that `DATABASE_URL` names, as commands use it.

    Raises ValueError with what is wrong, without a password.
    """
    if not url:
        raise ValueError("empty")
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return _sqlite(url)
    if scheme in POSTGRES_SCHEMES:
        return _postgresql(url)
    shown = f"{scheme} is " if scheme.isalnum() else ""
    raise ValueError(f"{shown}neither postgres:// nor sqlite:////")


def _sqlite(url: str) -> dict[str, Any]:
    if url != "sqlite://:memory:" and not re.match(r"sqlite:///(?!.*%00).", url):
        raise ValueError("no path; an absolute one has four slashes: sqlite:////var/lib/db.sqlite3")
    config = dict(environ.Env.db_url_config(url)) | {"ENGINE": "ltdkeeper.sqlite"}
    options = {
        "timeout": LOCK_WAIT_SECONDS,
        "transaction_mode": "IMMEDIATE",
        "init_command": SQLITE_PRAGMAS,
    }
    # A file for tests too: SQLite's shared in-memory databases lock whole tables and never wait.
    test = {"NAME": f"{config['NAME']}.test"}
    return config | {"OPTIONS": options, "CONN_MAX_AGE": 600, "TEST": test}


def _postgresql(url: str) -> dict[str, Any]:
    parts = split_address(url)
    if not 1 <= len(parts.path.strip("/")) <= LONGEST_NAME:
        raise ValueError(f"the database's name is missing or over {LONGEST_NAME} characters")
    _require_known(dict(parse_qsl(parts.query)))
    try:
        config = dict(environ.Env.db_url_config(url))
    except (ValueError, ImproperlyConfigured):
        raise ValueError("not readable as an address") from None
    options = dict(config.get("OPTIONS", {}))
    if not str(options.setdefault("connect_timeout", 2)).isdecimal():
        raise ValueError("connect_timeout is not a whole number of seconds")
    options.setdefault("options", LOCK_TIMEOUT)
    return config | {"ENGINE": "ltdkeeper.postgresql", "OPTIONS": options, "CONN_MAX_AGE": 0}


def _require_known(options: dict[str, str]) -> None:
    """Raises ValueError for an option of the address that no connection can be made with."""
    from psycopg import Error, conninfo  # noqa: PLC0415 - SQLite does without

    for name, value in options.items():
        if name in DJANGOS_OPTIONS:
            is_right = bool(re.fullmatch(DJANGOS_OPTIONS[name], value))
        else:
            try:
                is_right = bool(conninfo.make_conninfo(**{name: value}))
            except Error:
                is_right = False
        if not is_right:
            raise ValueError(f"the option {name[:LONGEST_NAME]!a} after the ? is unknown or wrong")


def split_address(url: str) -> SplitResult:
    """An address in parts, each host of it with a legal port. Raises ValueError, without a secret.

    Several hosts may be named, separated by commas, as PostgreSQL's clients take them.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("not readable as an address") from None
    if "://" not in url or "@" in parts.path or parts.fragment:
        raise ValueError("not scheme://user:password@host:port/name, with %40 for an @ and so on")
    for host in parts.netloc.rpartition("@")[2].split(","):
        port = re.fullmatch(r"(?:\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", host)
        if port is None or not 0 < int(port[1] or 1) <= LAST_PORT:
            raise ValueError(f"the port is not a number from 1 to {LAST_PORT}")
    return parts


def for_requests(config: dict[str, Any], *, threads: int) -> dict[str, Any]:
    """The same database as web processes use it: pooled, and no statement takes over 5 s."""
    if not config["ENGINE"].endswith("postgresql"):
        return config
    options = dict(config["OPTIONS"])
    if options["options"] == LOCK_TIMEOUT:
        options["options"] = f"{LOCK_TIMEOUT} {STATEMENT_TIMEOUT}"
    # PostgreSQL takes longer to plan the statements of the main path than to run them. The address
    # may say `?server_side_binding=false`, for connection poolers without prepared statements.
    options.setdefault("server_side_binding", True)
    options.setdefault("prepare_threshold", PREPARED_AFTER)
    # Besides the threads that answer there are those that issue, of which most wait for a store.
    options["pool"] = {"min_size": 1, "max_size": 2 * threads, "timeout": 3}
    return config | {"OPTIONS": options}


def is_not_migrated(err: Exception) -> bool:
    if not isinstance(err, DatabaseError):
        return False
    code = getattr(err.__cause__, "sqlstate", None)
    return code in _MISSING_CODES or bool(_MISSING.search(str(err)))


def trouble_with(err: Error) -> str | None:
    """One line on a database that is away or not migrated. None: the error is a bug of ours."""
    said = " ".join(str(err).split())
    if is_not_migrated(err):
        return f"DATABASE_URL: the database is not up to date ({said}). Run: manage.py migrate"
    # Errors about rows and statements have classes of their own.
    if type(err) not in {OperationalError, InterfaceError, DatabaseError}:
        return None
    return f"DATABASE_URL: the database cannot be used ({said}). Example: DATABASE_URL={EXAMPLE}"


def why_unreachable(config: dict[str, Any]) -> Error | None:
    """Connect once, past the pool, which would only say that it waited. None: it works."""
    try:
        with ConnectionHandler({"default": config})["default"].temporary_connection():
            return None
    except Error as err:
        return err
