"""How often an address failed to authenticate, counted in the cache that all processes share.

Only failures are counted, and of the API's calls only failing ones get 429: the secret is checked
first, so callers with a valid one are not affected by others at their address. Nobody is delayed
by sleeping, which would occupy a thread that could serve somebody else.

Counting is a single operation of the cache, so that concurrent calls cannot get in between reading
and writing the number. A password is counted before it is checked, since hashing it takes long,
and a correct one is subtracted again.

Counting stops at the limit: a flood from one address costs one read per call and no writes. The
limit applies to minutes of the clock. If the cache is unavailable, nothing is counted and nobody
is refused; if its table is only busy, logins wait.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from enum import StrEnum

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError

from credentials.rules.cooldown import Cooldown
from credentials.rules.networks import throttle_key

WINDOW_SECONDS = 60
# No counter ends, and begins anew, within its minute.
KEPT_SECONDS = 2 * WINDOW_SECONDS
CACHE = "cache"
ATTEMPTS = 3
BUSY_SECONDS = 1
NO_TABLE = "no such table"  # SQLite says so in the words of a passing error

log = structlog.get_logger(__name__)

# A cache that hangs is left alone for two seconds, instead of each failing call waiting for it.
cooldown = Cooldown()


class Throttle(StrEnum):
    """What failed. Counted apart: a CI job with an old key must not keep the administrators
    behind the same address from logging in.
    """

    TOKEN = "token"  # noqa: S105 - a name
    LOGIN = "login"


def count_failure(*, throttle: Throttle, address: str, now: datetime) -> int | None:
    """Count a failure from an address (IPv6: from its /64), unless there are too many already.

    In that case the seconds until failures are counted anew, 1 to 60; else None.
    """
    return _asking_the_cache(throttle, lambda: _count(throttle, throttle_key(address), now))


def take_back(*, throttle: Throttle, address: str, now: datetime) -> None:
    """Count one less: what `count_failure` counted at `now` turned out to be right."""
    _asking_the_cache(throttle, lambda: cache.decr(_key(throttle, throttle_key(address), now)))


def _asking_the_cache(throttle: Throttle, ask: Callable[[], int | None]) -> int | None:
    """None where the cache is away. A table that is only busy has logins wait: whoever makes it
    so must not guess passwords uncounted.
    """
    is_login = throttle is Throttle.LOGIN
    if cooldown.is_on(CACHE) and not is_login:
        return None
    try:
        return ask()
    except Exception as err:  # noqa: BLE001 - every cache has errors of its own
        cooldown.begin(CACHE)
        log.warning("failures_not_counted", error=repr(err))
        is_busy = isinstance(err, OperationalError) and NO_TABLE not in str(err)
        return BUSY_SECONDS if is_login and is_busy else None


def _count(throttle: Throttle, network: str, now: datetime) -> int | None:
    key, most = _key(throttle, network, now), settings.LTD_FAILURES_A_MINUTE
    if cache.get(key, 0) >= most:
        return _seconds_left(now)
    failures = _add_one(key)
    if failures == most:
        log.warning("too_many_failures", limit=throttle.value, network=network)
    return _seconds_left(now) if failures > most else None


def _add_one(key: str) -> int:
    """The number with this one. A busy table does not say whether it added the first."""
    for _ in range(ATTEMPTS):
        with suppress(ValueError):
            return cache.incr(key)
        if cache.add(key, 1, timeout=KEPT_SECONDS):
            return 1
    raise OperationalError("the table of failures is busy")


def _key(throttle: Throttle, network: str, now: datetime) -> str:
    return f"failures:{throttle}:{network}:{int(now.timestamp()) // WINDOW_SECONDS}"


def _seconds_left(now: datetime) -> int:
    return WINDOW_SECONDS - int(now.timestamp()) % WINDOW_SECONDS
