"""PostgreSQL as web processes use it: BEGIN goes with the first statement, times are in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from psycopg.pq import TransactionStatus

from builds.fixed_sql import commit_with_next, update
from builds.models import Product, Store
from ltdkeeper.postgresql.base import UtcLoader

pytestmark = [
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="asks PostgreSQL"),
    pytest.mark.django_db(transaction=True),
]
IDLE, IN_TRANSACTION = TransactionStatus.IDLE, TransactionStatus.INTRANS
ROLE = "arn:aws:iam::123456789012:role/upload"


def status() -> TransactionStatus:
    return TransactionStatus(connection.connection.info.transaction_status)


def add_store(name: str) -> None:
    Store.objects.create(name=name, bucket="docs-bucket", role_arn=ROLE)


def ask(text: str = "SELECT %s", *parameters: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(text, parameters or [1])
        return cursor.fetchone()[0]


def fail_after(act: Callable[[], object]) -> None:
    act()
    ask("SELECT 1 / %s", 0)


def test_transaction_begins_with_its_first_statement() -> None:
    ask()
    with transaction.atomic():
        assert status() is IDLE
        ask()
        assert status() is IN_TRANSACTION
    assert status() is IDLE


FIRST: dict[str, Callable[[], object]] = {
    "one with parameters": ask,
    "one without": lambda: connection.cursor().execute("SELECT 1"),
    "several in one text": lambda: connection.cursor().execute("SELECT 1; SELECT 2"),
    "one for many rows": lambda: connection.cursor().executemany("SELECT %s", [[1], [2]]),
    "a savepoint": connection.savepoint,
    "a cursor of the server": lambda: list(Store.objects.iterator()),
}


def test_whatever_comes_first_is_in_the_transaction() -> None:
    for name, first in FIRST.items():
        with transaction.atomic():
            first()
            assert status() is IN_TRANSACTION, name
            add_store("main")
            transaction.set_rollback(True)
        assert not Store.objects.exists(), name


def test_transaction_without_a_statement_leaves_the_next_one_alone() -> None:
    with transaction.atomic():
        pass
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        raise ZeroDivisionError
    ask()
    assert status() is IDLE


def test_failed_transaction_writes_nothing() -> None:
    with pytest.raises(DataError), transaction.atomic():
        fail_after(lambda: add_store("main"))
    assert not Store.objects.exists()


def test_first_statement_that_fails_leaves_the_connection_usable() -> None:
    with pytest.raises(DataError), transaction.atomic():
        ask("SELECT 1 / %s", 0)
    with transaction.atomic():
        add_store("main")
    assert Store.objects.exists()


def test_connection_that_was_closed_before_its_first_statement_begins_nothing() -> None:
    with transaction.atomic():
        connection.close()
    ask()
    assert status() is IDLE


def rename(store: Store, name: str) -> bool:
    store.name = name
    return write_last(store, "name")


def write_last(row: Store | Product, field: str) -> bool:
    commit_with_next()
    return update(row, (field,))


def test_last_statement_commits() -> None:
    add_store("main")
    store = Store.objects.get()
    with transaction.atomic():
        ask()
        assert rename(store, "other")
        assert status() is IDLE
    assert Store.objects.get().name == "other"


def test_statement_after_the_last_one_is_refused() -> None:
    add_store("main")
    store = Store.objects.get()
    with pytest.raises(TransactionManagementError, match="ended"), transaction.atomic():
        rename_and_ask(store)
    ask()


def rename_and_ask(store: Store) -> None:
    rename(store, "other")
    ask()


def test_last_statement_of_an_inner_block_leaves_the_outer_one_open() -> None:
    add_store("main")
    store = Store.objects.get()
    with transaction.atomic():
        with transaction.atomic():
            rename(store, "other")
        transaction.set_rollback(True)
    assert Store.objects.get().name == "main"


def test_last_statement_that_fails_commits_nothing() -> None:
    add_store("first")
    add_store("main")
    store = Store.objects.get(name="main")
    with pytest.raises(IntegrityError), transaction.atomic():
        delete_and_rename(store)
    assert set(Store.objects.values_list("name", flat=True)) == {"first", "main"}


def delete_and_rename(store: Store) -> None:
    Store.objects.filter(name="first").update(bucket="other")
    rename(store, "first")


def test_commit_that_fails_with_the_last_statement_is_an_error() -> None:
    """Foreign keys are looked at when the transaction commits."""
    add_store("main")
    product = Product(slug="guide", store=Store.objects.get(), surrogate_key="a" * 32)
    product.save()
    product.store_id += 1
    with pytest.raises(IntegrityError), transaction.atomic():
        write_last(product, "store")
    assert Product.objects.get().store.name == "main"


MOMENTS = {
    "whole second": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "microsecond": datetime(2026, 1, 2, 3, 4, 5, 1, tzinfo=UTC),
    "tenth": datetime(2026, 1, 2, 3, 4, 5, 100_000, tzinfo=UTC),
    "another zone": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5.5))),
    "long ago": datetime(1, 1, 2, tzinfo=UTC),
}


def test_time_is_read_as_it_was_written() -> None:
    for name, moment in MOMENTS.items():
        found = ask("SELECT %s::timestamptz", moment)
        assert found == moment, name
        assert isinstance(found, datetime), name
        assert found.tzinfo is UTC, name


def test_time_of_another_zone_is_read_in_utc() -> None:
    found = UtcLoader(0).load(b"2026-01-02 03:04:05.5+05:30")
    assert found == datetime(2026, 1, 1, 21, 34, 5, 500_000, tzinfo=UTC)
