"""Rows written and read by fixed statements are those that the ORM writes and reads."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from builds.fixed_sql import Columns, fetch, insert, insert_and_commit, relate, update
from builds.models import Build, Product, Store

pytestmark = pytest.mark.django_db


@pytest.fixture
def unsaved(product: Product, now: datetime) -> Callable[..., Build]:
    def make(slug: str = "v1", **fields: Any) -> Build:
        defaults: dict[str, Any] = {
            "product": product,
            "slug": slug,
            "server_made": False,
            "bucket_name": "docs-bucket",
            "root": f"guide/builds/{slug}",
            "git_refs": ["main", "größer"],
            "surrogate_key": "a" * 32,
            "registered_at": now,
            "open_until": now + timedelta(hours=1),
        }
        return Build(**(defaults | fields))

    return make


def values(instance: models.Model) -> dict[str, Any]:
    return {field.attname: getattr(instance, field.attname) for field in instance._meta.fields}


def read(instance: models.Model, **options: Any) -> models.Model:
    """The row again, by a fixed statement."""
    columns = Columns(type(instance), "a", **options)
    table = instance._meta.db_table
    found = fetch(f"SELECT {columns.sql} FROM {table} a WHERE a.id = %s", [instance.pk], columns)  # noqa: S608
    assert found
    return found[0]


def test_inserted_row_is_the_one_that_save_makes(unsaved: Callable[..., Build]) -> None:
    saved, inserted = unsaved("v1"), unsaved("v2")
    saved.save()
    assert insert(inserted)
    assert not inserted._state.adding
    again = values(Build.objects.get(pk=inserted.pk))
    assert again == values(inserted)
    different = {"id": saved.pk, "slug": "v1", "root": "guide/builds/v1"}
    assert values(Build.objects.get(pk=saved.pk)) == again | different


def test_inserted_row_gets_the_time_that_save_gives(product: Product) -> None:
    store = Store(name="second", bucket="docs-bucket", role_arn=product.store.role_arn)
    assert insert(store)
    assert Store.objects.get(name="second").created_at == store.created_at


def test_taken_row_is_left_out_where_that_is_wanted(unsaved: Callable[..., Build]) -> None:
    assert insert(unsaved(), unless_taken=True)
    second = unsaved()
    assert not insert(second, unless_taken=True)
    assert (second.pk, Build.objects.count()) == (None, 1)


def test_taken_row_is_an_error_elsewhere(unsaved: Callable[..., Build]) -> None:
    assert insert(unsaved())
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(unsaved())


@pytest.mark.parametrize("unless_taken", [True, False])
def test_row_that_breaks_a_rule_is_an_error(
    unless_taken: Any, unsaved: Callable[..., Build], now: datetime
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(unsaved(open_until=now), unless_taken=unless_taken)


@pytest.mark.django_db(transaction=True)
def test_row_that_is_committed_alone_is_one_statement(unsaved: Callable[..., Build]) -> None:
    build = unsaved()
    with CaptureQueriesContext(connection) as captured:
        insert_and_commit(build)
    assert [query["sql"].split()[0] for query in captured] == ["INSERT"]
    assert values(Build.objects.get()) == values(build)


def waits_for_the_disk(sql: str = "") -> bool:
    """Whether a commit of this connection does, or on PostgreSQL that of a statement alone."""
    if connection.vendor == "sqlite":
        return bool(connection.connection.execute("PRAGMA synchronous").fetchone()[0] == 2)
    if sql:
        return "FROM set_config('synchronous_commit', 'off', true)" not in sql
    return bool(connection.connection.execute("SHOW synchronous_commit").fetchone()[0] == "on")


@pytest.mark.django_db(transaction=True)
def test_only_the_commit_of_a_row_alone_does_not_wait_for_the_disk(
    unsaved: Callable[..., Build],
) -> None:
    seen: list[bool] = []

    def look(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        seen.append(waits_for_the_disk(sql))
        return execute(sql, *rest)

    with connection.execute_wrapper(look):
        insert(unsaved("v1"))
        insert_and_commit(unsaved("v2"))
    assert [*seen, waits_for_the_disk()] == [True, False, True]


@pytest.mark.parametrize("model", ["store", "product", "build"])
def test_instance_equals_the_one_of_the_orm(model: str, unsaved: Callable[..., Build]) -> None:
    build = unsaved(deleted_at=None)
    build.save()
    instance = {"store": build.product.store, "product": build.product, "build": build}[model]
    found = read(instance)
    assert values(found) == values(type(instance).objects.get(pk=instance.pk))  # type: ignore[attr-defined]
    assert (found._state.db, found._state.adding) == (connection.alias, False)


def test_fields_that_are_not_wanted_are_deferred(product: Product) -> None:
    found = read(product, only=["id", "slug"])
    assert found.get_deferred_fields() >= {"title", "store_id"}
    assert values(found) == values(product)


def test_related_instance_costs_no_statement(
    product: Product, django_assert_num_queries: Any
) -> None:
    found = read(product)
    relate(found, store=product.store)
    with django_assert_num_queries(0):
        assert found.store is product.store  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", ["text", 7, True, ["main"]])
def test_json_is_written_as_the_orm_writes_it(value: Any, unsaved: Callable[..., Build]) -> None:
    build = unsaved(git_refs=value)
    insert(build)
    assert Build.objects.get().git_refs == value


def test_nothing_is_found_where_nothing_is() -> None:
    columns = Columns(Store, "a")
    assert fetch(f"SELECT {columns.sql} FROM builds_store a", [], columns) is None  # noqa: S608


def test_join_without_a_row_gives_no_instance(product: Product) -> None:
    store, other = Columns(Store, "a"), Columns(Store, "b")
    text = (
        f"SELECT {store.sql}, {other.sql}, 7 FROM builds_store a "  # noqa: S608
        "LEFT JOIN builds_store b ON b.id <> a.id"
    )
    assert fetch(text, [], store, other) == [product.store, None, 7]


def test_update_writes_the_named_fields_alone(unsaved: Callable[..., Build], now: datetime) -> None:
    build = unsaved()
    build.save()
    build.finished_at, build.object_count, build.github_requester = now, 3, "somebody"
    assert update(build, ("finished_at", "object_count"))
    found = Build.objects.get(pk=build.pk)
    assert (found.finished_at, found.object_count, found.github_requester) == (now, 3, "")


def test_update_leaves_a_row_that_changed(unsaved: Callable[..., Build]) -> None:
    build = unsaved()
    build.save()
    build.object_count = 3
    assert not update(build, ("object_count",), slug="v2")
    assert Build.objects.get(pk=build.pk).object_count is None
