"""One run at a time: a row says who does a piece of work, until when unless it is renewed."""

import _thread
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import Error, IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from ulid import ULID

from credentials.errors import AlreadyRunning
from credentials.models import Lease

# Whoever was killed holds a lease for as long; three renewals may fail before it is lost.
LEASE_LIFE = timedelta(seconds=120)
RENEWAL_SECONDS = 30.0

log = structlog.get_logger(__name__)


@contextmanager
def only_run(name: str) -> Iterator[None]:
    """Within, nobody else does the work of that name. Raises AlreadyRunning.

    A thread renews the lease. If that fails for too long, or another took it over while this
    process was suspended, the main thread is interrupted as by SIGTERM, where commands handle it.
    """
    token = _acquire(name, timezone.now())
    over = threading.Event()
    renewing = threading.Thread(target=partial(_keep, name, token, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with suppress(Error):  # then it expires by itself
            Lease.objects.filter(name=name, token=token).delete()


def this_process() -> str:
    """What people look for when they look for whoever runs something."""
    return f"{socket.gethostname()}, process {os.getpid()}"


def _acquire(name: str, now: datetime) -> str:
    token = str(ULID()).lower()
    fields = {
        "token": token,
        "holder": this_process(),
        "acquired_at": now,
        "expires_at": now + LEASE_LIFE,
    }
    for _ in range(2):  # the holder may end between these statements
        # What lasts longer than a lease can is from before the clock was set back.
        ended = Q(expires_at__lte=now) | Q(expires_at__gt=now + 2 * LEASE_LIFE)
        if Lease.objects.filter(ended, name=name).update(**fields):
            return token
        with suppress(IntegrityError), transaction.atomic():
            Lease.objects.create(name=name, **fields)
            return token
        if held := Lease.objects.filter(name=name, expires_at__gt=now).first():
            raise AlreadyRunning(
                f"{name} is already running: on {held.holder}, since {held.acquired_at:%F %T} UTC. "
                f"If it was killed, it can be run again from {held.expires_at:%F %T} UTC on."
            )
    raise AlreadyRunning


def renew(name: str, token: str, now: datetime) -> bool:
    """Whether the lease is still the holder's; it then lasts for its whole life again."""
    mine = Lease.objects.filter(name=name, token=token)
    return bool(mine.update(expires_at=now + LEASE_LIFE))


def _keep(name: str, token: str, over: threading.Event) -> None:
    last = timezone.now()
    while not over.wait(RENEWAL_SECONDS):
        now = timezone.now()
        is_mine = now - last < LEASE_LIFE
        try:
            is_mine = renew(name, token, now)
            last = now
        except Error as err:
            log.warning("lease_not_renewed", name=name, error=type(err).__name__)
        finally:
            connection.close()
        if not is_mine:
            log.error("lease_lost", name=name)
            _thread.interrupt_main(signal.SIGTERM)
            return
