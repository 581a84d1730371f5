"""What the last look locks on PostgreSQL, and that it sees what it had to wait for.

On SQLite the transaction holds the whole database; `tests/faults` shows what that is like.
"""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from builds.fixed_sql import update
from builds.models import Build
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import start_access_token
from credentials.access.rights import standing_right
from credentials.models import AccessToken, ApiKey, BuildOwner, Client, Grant
from tests.credentials.access.looks import right_still_stands
from tests.credentials.ledger_rows import requested_row

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "connection.vendor != 'postgresql'", reason="SQLite locks the database as a whole"
    ),
]

LOCKED = {
    "client": Client,
    "key": ApiKey,
    "access token": AccessToken,
    "build": Build,
    "grant": Grant,
    "limited product": ApiKey.products.through,
}


@pytest.fixture
def session_caller(caller: Caller, build: Build, now: datetime) -> Caller:
    """An access token of a key that is limited to the build's product."""
    assert caller.api_key
    caller.api_key.all_products = False
    caller.api_key.save()
    caller.api_key.products.set([build.product])
    token = start_access_token(caller=caller, now=now)
    return authenticate(raw_token=token.reveal(), name=None, now=now)


def elsewhere(act: Callable[[], Any]) -> Any:
    """The result of something done on a connection of its own."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(act())
        except OperationalError as err:
            result.append(err)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0]


@pytest.fixture(params=["look", "completion"])
def look(
    request: pytest.FixtureRequest, session_caller: Caller, build: Build, now: datetime
) -> Callable[[], bool]:
    """The look by itself, and within the kind of statement that completes a session."""
    right = {"caller": session_caller, "build_id": build.pk, "now": now}
    if request.param == "look":
        return lambda: right_still_stands(**right)
    row = requested_row(build=build)
    return lambda: update(
        row, ("caller_agent",), provided=standing_right(**right), status="requested"
    )


@pytest.fixture
def looking(look: Callable[[], bool]) -> Iterator[None]:
    with transaction.atomic():
        assert look()
        yield


def may_lock(model: Any, strength: str) -> bool:
    def lock() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {model._meta.db_table} FOR {strength} NOWAIT")  # noqa: S608

    return not isinstance(elsewhere(lock), OperationalError)


@pytest.mark.usefixtures("looking")
@pytest.mark.parametrize("name", LOCKED)
def test_row_cannot_be_changed_while_a_session_is_completed(name: str) -> None:
    assert not may_lock(LOCKED[name], "NO KEY UPDATE")


@pytest.mark.usefixtures("looking")
@pytest.mark.parametrize("name", LOCKED)
def test_new_rows_may_refer_to_what_is_locked(name: str) -> None:
    assert may_lock(LOCKED[name], "KEY SHARE")


@pytest.mark.usefixtures("looking")
def test_what_never_changes_is_not_locked() -> None:
    assert may_lock(BuildOwner, "NO KEY UPDATE")


def test_everything_is_locked_in_one_order(
    session_caller: Caller, build: Build, now: datetime
) -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        assert right_still_stands(caller=session_caller, build_id=build.pk, now=now)
    assert captured[-1]["sql"].endswith("FOR NO KEY UPDATE OF c, k, x, b, g, kp")


def test_look_without_locks_waits_for_nobody(
    session_caller: Caller, build: Build, now: datetime
) -> None:
    def look() -> bool:
        return right_still_stands(caller=session_caller, build_id=build.pk, now=now, lock=False)

    with transaction.atomic():
        Client.objects.update(is_active=False)
        assert elsewhere(look) is True


CHANGES: dict[str, Callable[[datetime], object]] = {
    "client disabled": lambda now: Client.objects.update(is_active=False),
    "key revoked": lambda now: ApiKey.objects.update(revoked_at=now),
    "grant taken": lambda now: Grant.objects.all().delete(),
    "key limited to nothing": lambda now: ApiKey.products.through.objects.all().delete(),
    "build finished": lambda now: Build.objects.update(finished_at=now),
}


@pytest.mark.parametrize("change", CHANGES)
def test_look_that_waited_sees_what_it_waited_for(
    change: str, look: Callable[[], bool], now: datetime
) -> None:
    answers: list[object] = []
    waiting = threading.Thread(target=lambda: answers.append(elsewhere(look)))
    with transaction.atomic():
        CHANGES[change](now)
        waiting.start()
        wait_until_somebody_waits()
    waiting.join()
    assert answers == [False]


def wait_until_somebody_waits() -> None:
    """Until another connection stands before a lock of this one."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
