"""The WSGI application. It refuses to start on wrong settings, and starts warm."""

import gc
import os
import signal

import structlog
from django.conf import settings
from django.core import checks
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.db import Error

from ltdkeeper import caches
from ltdkeeper.databases import for_requests, trouble_with, why_unreachable
from ltdkeeper.environment import SettingsError, end_with

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ltdkeeper.settings")

log = structlog.get_logger(__name__)


def _end_when_told() -> None:
    """While it loads this, a worker that granian forked has its parent's handler of SIGTERM.

    That only makes a note, which the worker never reads, and the parent waits for its end.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if str(getattr(handler, "__module__", "")).startswith("granian."):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start() -> WSGIHandler:
    _end_when_told()
    try:
        database = settings.DATABASES["default"]
    except SettingsError as err:
        end_with(str(err))
    # Before Django opens its first connection.
    settings.DATABASES["default"] = for_requests(database, threads=settings.LTD_WEB_THREADS)
    handler = get_wsgi_application()
    from ltdkeeper.api.metrics import remove_old_counters  # noqa: PLC0415 - models load with the above
    from ltdkeeper.middleware import GuardedRequest  # noqa: PLC0415

    handler.request_class = GuardedRequest
    remove_old_counters()
    if wrong := [str(found) for found in checks.run_checks() if found.is_serious()]:
        end_with("\n".join(wrong))
    if (trouble := why_unreachable(database) or _warm_up()) is not None:
        log.warning("stores_not_warmed_up", error=trouble_with(trouble) or str(trouble))
    else:
        _try_cache()
    # Whole collections, which a body of small lists brings about, need not look at what stays. And
    # young objects are looked at after 20,000: Python's 700 is several times a request.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    log.info("server_started", address=settings.LTD_PUBLIC_URL)
    return handler


def _warm_up() -> Error | None:
    from credentials.operations.recovery import why_restored  # noqa: PLC0415 - models load with the
    from credentials.vending.sts import warm_up  # noqa: PLC0415 - application

    try:
        if why := why_restored():
            end_with(why)
        warm_up()
    except Error as err:
        return err
    return None


def _try_cache() -> None:
    try:
        cache.get("start")
    except Exception as err:  # noqa: BLE001 - every cache has errors of its own
        log.warning("failures_not_counted", error=caches.trouble_with(err))


application = _start()
