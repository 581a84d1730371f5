"""Refused calls, counted for operators: from where, why, with which token, for what.

A refusal adds one to a number in the memory of this process. Two seconds after the first of them a
thread writes the numbers, so that the refused call itself waits for nothing. What a caller chose
stays in memory until then: only tokens and products that exist are written. A flood costs a
bounded number of rows: beyond it, calls are counted under the address `other`.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from multiprocessing.util import Finalize
from typing import NamedTuple, TypeVar

import structlog
from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from prometheus_client import Counter

from builds.models import Build, Product
from builds.names import is_product_slug
from credentials.models import AccessToken, ApiKey, JobToken, Refusal
from credentials.rules.networks import throttle_key
from credentials.rules.tokens import TokenKind

KEPT = timedelta(days=30)
WRITTEN_AFTER_SECONDS = 2.0
# Different refusals that a process tells apart at once, and rows of one hour. Each process may
# exceed the latter by what it writes at once.
MOST_IN_MEMORY = 1_000
MOST_ROWS = 1_000
OTHER = "other"
# Reasons that are no problem's code.
FAILED_LOGIN, TOO_MANY_LOGINS = "failed_login", "too_many_logins"
FAILED_CODE = "failed_second_factor"
LARGEST_ID = 2**63 - 1

log = structlog.get_logger(__name__)

refused_calls = Counter(
    "ltdkeeper_refused_calls", "Calls that were refused, and failed logins, by reason.", ["reason"]
)


class RefusedCall(NamedTuple):
    """What a refused call is counted by, as the caller sent it: nothing of it is verified, but the
    token where it was accepted.
    """

    address: str
    reason: str
    token_name: str = ""
    product_slug: str = ""
    build_id: int | None = None
    token_accepted: bool = False


class Count(NamedTuple):
    calls: int
    last_at: datetime


def _write_soon(write: Callable[[], None]) -> None:
    def run() -> None:
        try:
            write()
        finally:
            connection.close()

    timer = threading.Timer(WRITTEN_AFTER_SECONDS, run)
    timer.daemon = True  # what is left then, the end of the process writes
    timer.start()


class RefusalCounter:
    """The refusals of this process that are not written yet. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[RefusedCall, Count] = {}

    def add(self, call: RefusedCall, *, now: datetime) -> None:
        """Costs a refused call some microseconds."""
        refused_calls.labels(reason=call.reason).inc()
        self._add(call, Count(1, now))

    def _add(self, call: RefusedCall, count: Count) -> None:
        with self._lock:
            is_first = not self._counts
            if call not in self._counts:
                call = self._within_bounds(call)
            _add_up(self._counts, call, *count)
        if is_first:
            _write_soon(self.write)

    def _within_bounds(self, call: RefusedCall) -> RefusedCall:
        """Where there are too many, only the address of a call is kept, then not even that."""
        if len(self._counts) < MOST_IN_MEMORY:
            return call
        shorter = RefusedCall(call.address, call.reason)
        if shorter in self._counts or len(self._counts) < 2 * MOST_IN_MEMORY:
            return shorter
        return RefusedCall(OTHER, call.reason)

    def take(self) -> dict[RefusedCall, Count]:
        """All that was counted; counting begins anew."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts

    def write(self) -> None:
        """Write what was counted. While the database is away or busy it is kept for later."""
        counts = self.take()
        try:
            write_refusals(counts, now=timezone.now())
        except (OperationalError, InterfaceError) as err:
            log.warning("refusals_not_written", refusals=len(counts), error=type(err).__name__)
            for call, count in counts.items():
                self._add(call, count)

    def write_last(self) -> None:
        """At the end of the process: what is left, if the database takes it at once."""
        if counts := self.take():
            try:
                write_refusals(counts, now=timezone.now())
            except Error as err:
                log.warning("refusals_lost", refusals=len(counts), error=type(err).__name__)


refusals = RefusalCounter()
# As `atexit`, which a process that a server forked does not run in every version of Python.
Finalize(None, refusals.write_last, exitpriority=10)

Key = TypeVar("Key")


def _add_up(counts: dict[Key, Count], key: Key, calls: int, at: datetime) -> None:
    before = counts.get(key)
    counts[key] = Count(before[0] + calls, max(before[1], at)) if before else Count(calls, at)


class Row(NamedTuple):
    """One row's unique columns, in the order in which all processes write."""

    hour: datetime
    network: str
    reason: str
    token_name: str = ""
    product_slug: str = ""


def write_refusals(counts: Mapping[RefusedCall, Count], *, now: datetime) -> None:
    """Add counts to the rows of their hours, and remove rows that are older than 30 days."""
    clients = _clients_of_tokens({call.token_name for call in counts} - {""})
    slugs = _existing_products(counts)
    rows: dict[Row, Count] = {}
    accepted: set[Row] = set()
    for call, count in counts.items():
        row = Row(
            hour=count.last_at.replace(minute=0, second=0, microsecond=0),
            network=OTHER if call.address == OTHER else throttle_key(call.address),
            reason=call.reason,
            token_name=call.token_name if call.token_name in clients else "",
            product_slug=slugs.get(call.build_id or call.product_slug, ""),
        )
        _add_up(rows, row, *count)
        if call.token_accepted:
            accepted.add(row)
    with transaction.atomic():
        for row, count in sorted(_within_room(rows).items()):
            _upsert(row, count, clients.get(row.token_name), token_accepted=row in accepted)
        Refusal.objects.before(now - KEPT).delete()


def _clients_of_tokens(names: Iterable[str]) -> dict[str, int]:
    """The client of each token that exists."""
    ids: dict[str, list[str]] = {}
    for name in names:
        kind, _, public_id = name.partition("_")
        ids.setdefault(kind, []).append(public_id)
    found: dict[str, int] = {}
    for model, kind, client in (
        (ApiKey, TokenKind.API_KEY, "client"),
        (AccessToken, TokenKind.ACCESS_TOKEN, "api_key__client"),
        (JobToken, TokenKind.JOB_TOKEN, "client"),
    ):
        if kind in ids:
            rows = model.objects.filter(public_id__in=ids[kind])
            found |= {f"{kind}_{name}": pk for name, pk in rows.values_list("public_id", client)}
    return found


def _existing_products(calls: Iterable[RefusedCall]) -> dict[int | str, str]:
    """The slug of each build and each product that exists."""
    slugs = {call.product_slug for call in calls if is_product_slug(call.product_slug)}
    builds = {call.build_id for call in calls if call.build_id and call.build_id <= LARGEST_ID}
    found: dict[int | str, str] = {}
    if slugs:
        named = Product.objects.filter(slug__in=slugs).values_list("slug", flat=True)
        found |= {slug: slug for slug in named}
    if builds:
        found |= dict(Build.objects.filter(pk__in=builds).values_list("pk", "product__slug"))
    return found


def _within_room(rows: dict[Row, Count]) -> dict[Row, Count]:
    """The same, with what finds no room in its hour counted under `other`."""
    within: dict[Row, Count] = {}
    for hour in {row.hour for row in rows}:
        new = {row: count for row, count in rows.items() if row.hour == hour}
        there = Refusal.objects.filter(hour=hour)
        room = MOST_ROWS - there.count()
        known = set(there.values_list(*Row._fields[1:])) if room < len(new) else set()
        for row, count in sorted(new.items(), key=lambda each: -each[1].calls):
            is_known = row[1:] in known
            fits = is_known or room > 0
            room -= not is_known
            _add_up(within, row if fits else Row(hour, OTHER, row.reason), *count)
    return within


# Equals `update(calls=F("calls") + calls)` where the row is there, and `create` where it is not.
_UPSERT = """
INSERT INTO credentials_refusal
  (hour, network, reason, token_name, product_slug, client_id, calls, first_at, last_at,
   token_accepted)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (hour, network, reason, token_name, product_slug) DO UPDATE
SET calls = credentials_refusal.calls + excluded.calls, last_at = excluded.last_at,
    token_accepted = credentials_refusal.token_accepted OR excluded.token_accepted
"""


def _upsert(row: Row, count: Count, client_id: int | None, *, token_accepted: bool) -> None:
    adapt = connection.ops.adapt_datetimefield_value
    hour, last_at = adapt(row.hour), adapt(count.last_at)
    values = [hour, *row[1:], client_id, count.calls, last_at, last_at, token_accepted]
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, values)
