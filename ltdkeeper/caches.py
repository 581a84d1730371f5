"""The cache that all web processes share. Only failures to authenticate are counted in it.

By default a table of the database (`manage.py createcachetable`, part of `release`), so that
nothing else has to run. Redis has a timeout of half a second, because refused callers wait for it.
"""

import base64
import pickle
import re
from datetime import datetime
from typing import Any

import environ
from django.core.cache.backends import db
from django.db import Error, connections, router, transaction
from django.db.backends.utils import CursorWrapper

from ltdkeeper.databases import split_address

TABLE = "dbcache://ltdkeeper_cache"
IN_PROCESS = "locmemcache://"
EXAMPLE = "redis://host:6379/0"
DJANGOS_TABLE = "django.core.cache.backends.db.DatabaseCache"
# Rows of the table; beyond them those that have expired are removed when one is added.
MOST_ENTRIES = 10_000
REDIS_WAIT_SECONDS = 0.5
_TABLE = re.compile(r"dbcache://[A-Za-z_][A-Za-z0-9_]{0,62}\Z", re.ASCII)


def cache_settings(url: str, *, debug: bool) -> dict[str, Any]:
    """Django's settings for the cache that `LTD_CACHE_URL` names; in-process while debugging only.

    Raises ValueError with what is wrong, without a password.
    """
    _require_shared(url, debug=debug)
    if url.startswith("redis"):
        _require_redis_options(url)
    config = dict(environ.Env.cache_url_config(url))
    options = dict(config.get("OPTIONS", {}))
    if config["BACKEND"].endswith(".RedisCache"):
        options.setdefault("socket_connect_timeout", REDIS_WAIT_SECONDS)
        options.setdefault("socket_timeout", REDIS_WAIT_SECONDS)
    else:
        options.setdefault("MAX_ENTRIES", MOST_ENTRIES)
    if config["BACKEND"] == DJANGOS_TABLE:
        config["BACKEND"] = f"{__name__}.{DatabaseCache.__name__}"
    return config | {"OPTIONS": options}


def _require_shared(url: str, *, debug: bool) -> None:
    """Raises ValueError unless all web processes can count together there."""
    if _TABLE.match(url) or (debug and url == IN_PROCESS):
        return
    if url.partition(":")[0] not in {"redis", "rediss"}:
        raise ValueError("neither redis:// nor a table of the database (dbcache://its_name)")
    parts = split_address(url)
    is_numbered = re.fullmatch(r"(/[0-9]{0,4})?", parts.path)
    if parts.netloc and not is_numbered:
        raise ValueError("what follows the host is not the number of a database")
    if not (parts.hostname if parts.netloc else parts.path.strip("/")):
        raise ValueError("the host is missing")


def _require_redis_options(url: str) -> None:
    """Raises ValueError for options of the address that no connection can be made with."""
    import redis  # noqa: PLC0415 - 8 MB that few need

    try:
        redis.ConnectionPool.from_url(url).make_connection()  # which connects to nobody yet
    except (TypeError, ValueError, redis.RedisError):
        raise ValueError("an option after the ? is unknown or wrong") from None


def trouble_with(err: Exception) -> str:
    """One line on a cache that cannot be used."""
    if isinstance(err, Error):
        return f"LTD_CACHE_URL: its table cannot be read ({err}). Run: manage.py createcachetable"
    said = " ".join(str(err).split())
    return f"LTD_CACHE_URL: the cache does not answer ({said}). Example: LTD_CACHE_URL={EXAMPLE}"


class DatabaseCache(db.DatabaseCache):
    """Django's table of the database, made fit for counters that somebody attacks."""

    _table: str

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add in one step, and keep the expiry. Django reads and writes in two, and sets another.

        Raises ValueError where there is no such key.
        """
        name = self.make_and_validate_key(key, version=version)
        alias = router.db_for_write(self.cache_model_class)
        connection = connections[alias]
        table = connection.ops.quote_name(self._table)
        lock = connection.ops.for_update_sql() if connection.features.has_select_for_update else ""
        with transaction.atomic(using=alias), connection.cursor() as cursor:
            read = f"SELECT value FROM {table} WHERE cache_key = %s {lock}"  # noqa: S608
            cursor.execute(read, [name])
            if (row := cursor.fetchone()) is None:
                raise ValueError(f"There is no key {key!r}.")
            total: int = pickle.loads(base64.b64decode(row[0])) + delta  # noqa: S301 - our own
            stored = base64.b64encode(pickle.dumps(total, self.pickle_protocol)).decode()
            write = f"UPDATE {table} SET value = %s WHERE cache_key = %s"  # noqa: S608
            cursor.execute(write, [stored, name])
        return total

    def _cull(self, alias: str, cursor: CursorWrapper, now: datetime, _count: int) -> None:
        """Remove what has expired, and only that. Django goes on by the order of the keys, so
        that failures from many addresses would make others forgotten.
        """
        ops = connections[alias].ops
        table = ops.quote_name(self._table)
        expired = f"DELETE FROM {table} WHERE expires < %s"  # noqa: S608 - a setting's name
        cursor.execute(expired, [ops.adapt_datetimefield_value(now)])
