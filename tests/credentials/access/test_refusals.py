"""Refused calls are counted in bounded rows, which hold nothing that a caller chose."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DataError, OperationalError
from pytest_django import DjangoAssertNumQueries

from builds.models import Build
from credentials.access import refusals
from credentials.access.refusals import RefusalCounter, RefusedCall, write_refusals
from credentials.models import ApiKey, Refusal
from tests.ltdkeeper.log_lines import log_at

pytestmark = pytest.mark.django_db

# Of today: rows are removed 30 days later.
NOW = datetime.now(UTC).replace(hour=12, minute=40, second=15, microsecond=0)
HOUR = timedelta(hours=1)
CALL = RefusedCall("192.0.2.7", "invalid_credentials")


@pytest.fixture
def counter() -> RefusalCounter:
    return RefusalCounter()


def write(counter: RefusalCounter, *calls: RefusedCall, now: datetime = NOW) -> None:
    for call in calls:
        counter.add(call, now=now)
    counter.write()


def rows(*names: str) -> list[Any]:
    return list(Refusal.objects.order_by("hour", "network", "reason").values_list(*names))


def test_refusals_are_added_to_the_row_of_their_hour(counter: RefusalCounter) -> None:
    write(counter, CALL, CALL)
    write(counter, CALL, now=NOW + timedelta(minutes=5))
    write(counter, CALL, now=NOW + HOUR)
    noon = NOW.replace(minute=0, second=0)
    assert rows("hour", "calls", "first_at", "last_at") == [
        (noon, 3, NOW, NOW + timedelta(minutes=5)),
        (noon + HOUR, 1, NOW + HOUR, NOW + HOUR),
    ]


def test_a_call_is_not_written_before_its_batch(
    counter: RefusalCounter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        counter.add(CALL, now=NOW)
    assert counter.take() == {CALL: (1, NOW)}


# address -> what it is counted under
NETWORKS = {
    "192.0.2.7": "192.0.2.7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "2001:db8::7": "2001:db8::/64",
    "<script>": "unreadable",
}


@pytest.mark.parametrize("address", NETWORKS)
def test_addresses_are_counted_as_they_are_throttled(address: str, counter: RefusalCounter) -> None:
    write(counter, RefusedCall(address, "forbidden"))
    assert Refusal.objects.get().network == NETWORKS[address]


def test_names_that_exist_are_kept(counter: RefusalCounter, api_key: ApiKey, build: Build) -> None:
    call = RefusedCall("192.0.2.7", "not_your_build", api_key.token_name, "", build.pk)
    write(counter, call, call._replace(product_slug="guide", build_id=None))
    refusal = Refusal.objects.get()
    assert (refusal.token_name, refusal.client) == (api_key.token_name, api_key.client)
    assert (refusal.product_slug, refusal.calls) == ("guide", 2)


def test_token_that_was_accepted_once_in_an_hour_is_known_to_its_caller(
    counter: RefusalCounter, api_key: ApiKey
) -> None:
    wrong = RefusedCall("192.0.2.7", "too_many", api_key.token_name)
    for call in (wrong, wrong._replace(token_accepted=True), wrong):
        write(counter, call)
    assert rows("calls", "token_accepted") == [(3, True)]
    write(counter, wrong._replace(reason="invalid_credentials"))
    assert rows("calls", "token_accepted")[0] == (1, False)


# what a caller may send
INVENTED = {
    "token": {"token_name": "ltdk_000000000000"},
    "job token": {"token_name": "ltdj_000000000000"},
    "access token": {"token_name": "ltds_000000000000"},
    "product": {"product_slug": "no-such"},
    "text as product": {"product_slug": "\0'; --"},
    "build": {"build_id": 999_999},
    "number without end": {"build_id": 10**40},
}


@pytest.mark.parametrize("case", INVENTED)
def test_names_that_do_not_exist_are_counted_as_none(case: str, counter: RefusalCounter) -> None:
    write(counter, CALL, CALL._replace(**INVENTED[case]))
    assert rows("token_name", "product_slug", "client", "calls") == [("", "", None, 2)]


def test_rows_of_an_hour_are_bounded(
    counter: RefusalCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MOST_ROWS", 3)
    calls = [RefusedCall(f"192.0.2.{number}", "forbidden") for number in range(5)]
    write(counter, calls[0], calls[1], calls[1])
    write(counter, *calls)
    counted = dict(rows("network", "calls"))
    assert (counted["192.0.2.0"], counted["192.0.2.1"], counted["other"]) == (2, 3, 2)
    assert len(counted) == 4
    assert sum(counted.values()) == 8


def test_memory_is_bounded_and_keeps_addresses_longest(
    counter: RefusalCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MOST_IN_MEMORY", 2)
    for number in range(9):
        counter.add(CALL._replace(build_id=number), now=NOW)
    for number in range(9):
        counter.add(RefusedCall(f"192.0.2.{number}", "forbidden"), now=NOW)
    counted = counter.take()
    assert counted[CALL].calls == 7
    assert counted[RefusedCall("other", "forbidden")].calls == 8
    assert len(counted) <= 5


def test_rows_are_kept_for_thirty_days(counter: RefusalCounter) -> None:
    write_refusals({CALL: refusals.Count(1, NOW - timedelta(days=30) + HOUR)}, now=NOW)
    write_refusals({CALL: refusals.Count(1, NOW)}, now=NOW)
    assert Refusal.objects.count() == 2
    write_refusals({CALL: refusals.Count(1, NOW)}, now=NOW + HOUR)
    assert rows("calls") == [(2,)]


def test_busy_database_loses_no_count(
    counter: RefusalCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(refusals, "write_refusals", fails)
        with log_at("INFO") as lines:
            write(counter, CALL, CALL)
            assert lines()[-1]["event"] == "refusals_not_written"
    write(counter, CALL)
    assert rows("calls") == [(3,)]


def test_end_of_the_process_writes_what_is_left(counter: RefusalCounter) -> None:
    counter.add(CALL, now=NOW)
    counter.write_last()
    counter.write_last()
    assert rows("calls") == [(1,)]


def test_end_of_the_process_does_not_fail(
    counter: RefusalCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise DataError("no")

    monkeypatch.setattr(refusals, "write_refusals", fails)
    counter.add(CALL, now=NOW)
    with log_at("INFO") as lines:
        counter.write_last()
        assert lines()[-1]["event"] == "refusals_lost"


def test_first_refusal_alone_starts_a_batch(
    counter: RefusalCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(refusals, "_write_soon", started.append)
    write(counter, CALL, CALL)
    write(counter, CALL)
    assert started == [counter.write, counter.write]


# As a server's worker: forked, then loading the service, then ending by itself.
WORKER = """
import multiprocessing

def work():
    import django
    django.setup()
    from django.utils import timezone
    from credentials.access import refusals
    refusals.write_refusals = lambda counts, now: print("written", len(counts), flush=True)
    refusals.refusals.add(refusals.RefusedCall("192.0.2.7", "x"), now=timezone.now())

worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
worker.join()
"""


@pytest.mark.slow
def test_worker_that_ends_writes_what_is_left() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-c", WORKER], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "written 1\n"
