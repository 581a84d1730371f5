"""The cache that all web processes share. Only failed logins are counted in it.

By default a table of the database (`manage.py createcachetable`, part of `release`), so that
nothing else has to run. Redis gives up after half a second: whoever is refused waits for it.
"""

import re
from typing import Any

import environ
from django.db import Error

from ltdkeeper.databases import split_address

TABLE = "dbcache://ltdkeeper_cache"
IN_PROCESS = "locmemcache://"
EXAMPLE = "redis://host:6379/0"
# Rows of the table; the oldest beyond them are removed when one is added.
MOST_ENTRIES = 10_000
REDIS_WAIT_SECONDS = 0.5
_TABLE = re.compile(r"dbcache://[A-Za-z_][A-Za-z0-9_]{0,62}\Z", re.ASCII)


def cache_settings(url: str, *, debug: bool) -> dict[str, Any]:
    """Django's settings for the cache that `LTD_CACHE_URL` names; in-process while debugging only.

    Raises ValueError with what is wrong, without a password.
    """
    _require_shared(url, debug=debug)
    config = dict(environ.Env.cache_url_config(url))
    options = dict(config.get("OPTIONS", {}))
    if config["BACKEND"].endswith(".RedisCache"):
        options.setdefault("socket_connect_timeout", REDIS_WAIT_SECONDS)
        options.setdefault("socket_timeout", REDIS_WAIT_SECONDS)
    else:
        options.setdefault("MAX_ENTRIES", MOST_ENTRIES)
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


def trouble_with(err: Exception) -> str:
    """One line on a cache that cannot be used."""
    if isinstance(err, Error):
        return f"LTD_CACHE_URL: its table cannot be read ({err}). Run: manage.py createcachetable"
    said = " ".join(str(err).split())
    return f"LTD_CACHE_URL: the cache does not answer ({said}). Example: LTD_CACHE_URL={EXAMPLE}"
