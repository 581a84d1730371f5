"""When a key was last used: noted at most once a minute, and never at the cost of the call."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from credentials.access.callers import Caller
from credentials.models import ApiKey
from tests.conftest import undone
from tests.http.conftest import Send
from tests.http.endpoints import LIST_PRODUCTS, TOKEN

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, 15, 123456, tzinfo=UTC)
WRONG = {"HTTP_AUTHORIZATION": f"Bearer ltdk_000000000000_{'0' * 64}"}


def last_use() -> datetime | None:
    return ApiKey.objects.get().last_used_at


def test_key_that_was_never_used_says_so(caller: Caller) -> None:
    assert last_use() is None


def test_call_is_noted(send: Send) -> None:
    with time_machine.travel(NOW, tick=False):
        send(LIST_PRODUCTS)
    assert last_use() == NOW


# seconds since the last use -> is it noted again
AGAIN = {0: False, 59.9: False, 60: True, 3600: True}


def test_use_is_noted_once_a_minute(send: Send) -> None:
    for seconds, is_noted in AGAIN.items():
        with undone():
            with time_machine.travel(NOW, tick=False) as clock:
                send(LIST_PRODUCTS)
                clock.shift(seconds)
                send(LIST_PRODUCTS)
            later = NOW + timedelta(seconds=seconds)
            assert last_use() == (later if is_noted else NOW), seconds


def test_fifty_calls_write_once(send: Send) -> None:
    with time_machine.travel(NOW, tick=False), CaptureQueriesContext(connection) as captured:
        for _ in range(50):
            send(LIST_PRODUCTS)
    assert [query["sql"].split()[0] for query in captured].count("UPDATE") == 1


def test_two_processes_at_once_write_once(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one wrote between this one's look and its writing."""
    with time_machine.travel(NOW, tick=False):
        update = QuerySet.update

        def late(rows: Any, **fields: Any) -> int:
            monkeypatch.undo()
            ApiKey.objects.update(last_used_at=NOW - timedelta(seconds=1))
            return update(rows, **fields)

        monkeypatch.setattr(QuerySet, "update", late)
        send(LIST_PRODUCTS)
    assert last_use() == NOW - timedelta(seconds=1)


def test_use_of_a_access_token_is_a_use_of_its_key(send: Send) -> None:
    token = send(TOKEN).json()["token"]
    ApiKey.objects.update(last_used_at=None)
    send(LIST_PRODUCTS, HTTP_AUTHORIZATION=f"Bearer {token}")
    assert last_use() is not None


REFUSED: dict[str, Callable[[], dict[str, str]]] = {
    "unknown key": lambda: WRONG,
    "wrong secret": lambda: {
        "HTTP_AUTHORIZATION": f"Bearer ltdk_{ApiKey.objects.get().public_id}_{'0' * 64}"
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_call_is_no_use(case: str, send: Send) -> None:
    send(LIST_PRODUCTS, **REFUSED[case]())
    assert last_use() is None


def test_right_key_from_a_wrong_network_is_no_use(send: Send) -> None:
    ApiKey.objects.update(networks=["192.0.2.0/24"])
    assert send(LIST_PRODUCTS).status_code == 401
    assert last_use() is None


def test_busy_database_refuses_nobody(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> int:
        raise OperationalError("database is locked")

    monkeypatch.setattr(QuerySet, "update", busy)
    assert send(LIST_PRODUCTS).status_code == 200
    assert last_use() is None
