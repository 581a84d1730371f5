"""The cache that all web processes share. Only failed logins are counted in it.

By default a table of the database (`manage.py createcachetable`, part of `release`), so that
nothing else has to run. Redis gives up after half a second: whoever is refused waits for it.
"""

from typing import Any

import environ

TABLE = "dbcache://ltdkeeper_cache"
IN_PROCESS = "locmemcache://"
# Rows of the table; the oldest beyond them are removed when one is added.
MOST_ENTRIES = 10_000
REDIS_WAIT_SECONDS = 0.5


def cache_settings(env: environ.Env, *, debug: bool) -> dict[str, Any]:
    """Django's settings for the cache that `LTD_CACHE_URL` names; while debugging, in-process.

    Raises ImproperlyConfigured for a scheme that is not known.
    """
    default = IN_PROCESS if debug else TABLE
    config = dict(env.cache_url("LTD_CACHE_URL", default=default))
    options = dict(config.get("OPTIONS", {}))
    if config["BACKEND"].endswith(".RedisCache"):
        options.setdefault("socket_connect_timeout", REDIS_WAIT_SECONDS)
        options.setdefault("socket_timeout", REDIS_WAIT_SECONDS)
    else:
        options.setdefault("MAX_ENTRIES", MOST_ENTRIES)
    return config | {"OPTIONS": options}
