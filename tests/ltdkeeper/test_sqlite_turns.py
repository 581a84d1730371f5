"""Writers of one SQLite file take turns, in this process and in others."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from django.db import OperationalError, connection, connections, transaction

from builds.models import Store
from ltdkeeper.sqlite.base import Queue, Turn

pytestmark = pytest.mark.sqlite

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file whose lock is the turn to write to `db`."""
    return tmp_path / "db.turn"


def turn_of(path: Path) -> Turn:
    return Turn(str(path.with_suffix("")))


def is_taken(path: Path | str) -> bool:
    """Whether somebody has the turn, as another process would find it."""
    with Path(path).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_turn_is_had_and_given_back(path: Path) -> None:
    turn = turn_of(path)
    for _ in range(2):
        turn.take(0)
        assert is_taken(path)
        turn.give_back()
        assert not is_taken(path)


def test_files_of_a_turn_are_opened_once(path: Path) -> None:
    turn = turn_of(path)
    with mock.patch("ltdkeeper.sqlite.base.os.open", wraps=os.open) as opened:
        for _ in range(3):
            turn.take(0)
            turn.give_back()
    assert opened.call_count == 2


def test_turn_of_another_thread_is_waited_for(path: Path) -> None:
    turn, order = turn_of(path), []
    turn.take(0)

    def second() -> None:
        turn.take(60)
        order.append("second")
        turn.give_back()

    thread = threading.Thread(target=second)
    thread.start()
    order.append("first")
    turn.give_back()
    thread.join()
    assert order == ["first", "second"]


def test_threads_get_the_lock_in_the_order_in_which_they_came() -> None:
    queue, order = Queue(), []
    assert queue.acquire(0)

    def wait(number: int) -> None:
        assert queue.acquire(60)
        order.append(number)
        queue.release()

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while len(queue._waiting) <= number:
            time.sleep(0.001)
    queue.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_thread_that_gave_up_is_not_called() -> None:
    queue = Queue()
    assert queue.acquire(0)
    assert not queue.acquire(0.01)
    queue.release()
    assert queue.acquire(0)


def test_process_that_is_next_is_not_passed_by(path: Path, holder: "subprocess.Popen[str]") -> None:
    """Who waits before the turn holds the place before it, where others then wait."""
    waiting = threading.Thread(target=lambda: turn_of(path).take(60))
    waiting.start()
    while not is_taken(path.with_suffix(".next")):
        time.sleep(0.001)
    with pytest.raises(OperationalError, match="database is locked"):
        turn_of(path).take(0.01)
    holder.kill()
    waiting.join()
    assert not is_taken(path.with_suffix(".next"))


def test_turn_that_is_not_had_in_time_is_the_error_of_a_locked_database(path: Path) -> None:
    turn = turn_of(path)
    turn.take(0)
    with pytest.raises(OperationalError, match="database is locked"):
        turn.take(0.01)


@pytest.fixture
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the turn."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_turn_of_another_process_is_not_had(path: Path, holder: "subprocess.Popen[str]") -> None:
    turn = turn_of(path)
    for _ in range(2):  # the lock between threads was given back the first time
        with pytest.raises(OperationalError, match="database is locked"):
            turn.take(0.01)


def test_process_that_is_killed_gives_the_turn_back(
    path: Path, holder: "subprocess.Popen[str]"
) -> None:
    holder.kill()
    holder.wait()
    turn_of(path).take(0)


def test_file_that_cannot_be_opened_is_an_error_of_the_database(tmp_path: Path) -> None:
    turn = Turn(str(tmp_path / "nowhere" / "db"))
    for _ in range(2):
        with pytest.raises(OperationalError, match=r"unable to open .*No such file"):
            turn.take(0)


def turn_of_the_database() -> str:
    return f"{connection.settings_dict['NAME']}.turn"


@pytest.mark.django_db(transaction=True)
def test_transaction_has_the_turn_until_it_ends() -> None:
    with transaction.atomic():
        assert is_taken(turn_of_the_database())
        with transaction.atomic():  # a savepoint
            pass
        assert is_taken(turn_of_the_database())
    assert not is_taken(turn_of_the_database())


@pytest.mark.django_db(transaction=True)
def test_transaction_that_fails_gives_the_turn_back() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        _ = 1 / 0
    assert not is_taken(turn_of_the_database())


@pytest.mark.django_db(transaction=True)
def test_connection_that_is_closed_gives_the_turn_back() -> None:
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    assert is_taken(turn_of_the_database())
    connection.close()
    assert not is_taken(turn_of_the_database())


WRITES: dict[str, Callable[[], object]] = {
    "update": lambda: Store.objects.update(region="eu-west-1"),
    "delete": lambda: Store.objects.filter(pk=0)._raw_delete("default"),
    "many": lambda: connection.cursor().executemany(
        "UPDATE builds_store SET region = %s", [("a",), ("b",)]
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", WRITES)
def test_write_that_stands_alone_waits_for_the_turn(name: str) -> None:
    errors: list[Exception] = []

    def write() -> None:
        try:
            WRITES[name]()
        except OperationalError as err:
            errors.append(err)
        finally:
            connections.close_all()

    impatient = mock.patch.dict(connection.settings_dict["OPTIONS"], timeout=0.01)
    with Path(turn_of_the_database()).open("a") as file, impatient:
        fcntl.flock(file, fcntl.LOCK_EX)
        run(write)
    assert [str(error) for error in errors] == ["database is locked"]


@pytest.mark.django_db(transaction=True)
def test_reading_waits_for_nobody() -> None:
    with Path(turn_of_the_database()).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not Store.objects.exists()


def run(act: Callable[[], None]) -> None:
    """In a thread, whose connection is its own."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
