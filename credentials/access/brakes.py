"""How often an address failed to authenticate, counted in the cache that all processes share.

Only failures are counted, and of the API's calls only failing ones are told to wait: a right
secret is looked at first, so its caller notices nothing of what others do from its address. Nobody
is slowed by sleeping, which would occupy a thread that could answer somebody else.

Counting stops at the limit: a flood from one address costs one read a call and no writing. The
limit is one of minutes by the clock, and may be overshot by the calls in flight. A cache that is
away counts nothing and refuses nobody.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import structlog
from django.conf import settings
from django.core.cache import cache

from credentials.access.networks import counted_network
from credentials.cooldown import Cooldown

WINDOW_SECONDS = 60
CACHE = "cache"

log = structlog.get_logger(__name__)

# A cache that hangs is left alone for two seconds, instead of each failing call waiting for it.
cooldown = Cooldown()


class Brake(StrEnum):
    """What failed. Counted apart: a CI job with an old key must not keep the administrators
    behind the same address from logging in.
    """

    TOKEN = "token"  # noqa: S105 - a name
    LOGIN = "login"


def count_failure(*, brake: Brake, address: str, now: datetime) -> int | None:
    """Count a failure from an address (IPv6: from its /64), unless there are too many already.

    In that case the seconds until failures are counted anew, 1 to 60; else None.
    """
    return _asking_the_cache(lambda: _count(brake, counted_network(address), now))


def seconds_to_wait(*, brake: Brake, address: str, now: datetime) -> int | None:
    """The same without counting: for what is not even looked at while there are too many."""
    return _asking_the_cache(lambda: _look(brake, counted_network(address), now))


def _asking_the_cache(ask: Callable[[], int | None]) -> int | None:
    if cooldown.is_on(CACHE):
        return None
    try:
        return ask()
    except Exception as err:  # noqa: BLE001 - every cache has errors of its own
        cooldown.begin(CACHE)
        log.warning("failures_not_counted", error=repr(err))
        return None


def _count(brake: Brake, network: str, now: datetime) -> int | None:
    key = _key(brake, network, now)
    failures = cache.get(key, 0)
    if failures >= settings.LTD_FAILURES_A_MINUTE:
        return _seconds_left(now)
    if failures or not cache.add(key, 1, timeout=WINDOW_SECONDS):
        cache.incr(key)
    if failures + 1 == settings.LTD_FAILURES_A_MINUTE:
        log.warning("too_many_failures", brake=brake.value, network=network)
    return None


def _look(brake: Brake, network: str, now: datetime) -> int | None:
    failures = cache.get(_key(brake, network, now), 0)
    return _seconds_left(now) if failures >= settings.LTD_FAILURES_A_MINUTE else None


def _key(brake: Brake, network: str, now: datetime) -> str:
    return f"failures:{brake}:{network}:{int(now.timestamp()) // WINDOW_SECONDS}"


def _seconds_left(now: datetime) -> int:
    return WINDOW_SECONDS - int(now.timestamp()) % WINDOW_SECONDS
