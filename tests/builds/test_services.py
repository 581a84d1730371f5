"""Products are made and found; a build closes at the moment that it is locked, whole or not at all.

What finishing and deleting answer: tests/http.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from builds.errors import UnknownBuild, UnknownProduct
from builds.models import Build, Product, Store
from builds.services import (
    Survey,
    create_product,
    delete_build,
    find_build,
    find_product,
    finish_build,
    lock_build,
    new_surrogate_key,
)
from tests.builds.name_samples import HOSTILE

FOUND = Survey(object_count=3, byte_count=70, has_objects=True)


@pytest.fixture(autouse=True)
def _frozen(now: datetime, time_machine: Any) -> None:
    """Only the clock that services are told counts, except where a test moves it."""
    time_machine.move_to(now, tick=False)


@pytest.fixture
def finish(build: Build, now: datetime) -> Callable[..., Build]:
    def call(**changes: Any) -> Build:
        arguments = {
            "build_id": build.pk,
            "survey": FOUND,
            "empty_allowed": False,
            "written_without_session": False,
            "now": now,
        }
        return finish_build(**(arguments | changes))

    return call


def test_product_is_found_by_its_slug(product: Product, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert find_product(slug="guide").store.name == "main"


def test_hostile_slug_is_an_unknown_product_without_a_query(
    django_assert_num_queries: Any, db: None
) -> None:
    for name in HOSTILE.values():
        with django_assert_num_queries(0), pytest.raises(UnknownProduct):
            find_product(slug=name)


def test_slug_of_no_product_is_unknown(product: Product) -> None:
    for slug in ["guid", "guides"]:
        with pytest.raises(UnknownProduct):
            find_product(slug=slug)


def test_build_is_found_with_product_and_store(
    build: Build, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert find_build(build_id=build.pk).product.store.name == "main"


@pytest.mark.parametrize("find", [find_build, lock_build, delete_build])
def test_id_of_no_build_is_unknown(find: Callable[..., Build], build: Build, now: datetime) -> None:
    more = {"now": now} if find is delete_build else {}
    with pytest.raises(UnknownBuild), transaction.atomic():
        find(build_id=build.pk + 1, **more)


def test_locked_build_comes_with_its_store(build: Build, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1), transaction.atomic(savepoint=False):
        assert lock_build(build_id=build.pk).product.store.name == "main"


def test_product_is_made_in_the_named_store(store: Store) -> None:
    product = create_product(slug="guide", store_name="main", title="A guide")
    assert (product.store, product.title, product.access) == (store, "A guide", "upload")
    assert len(product.surrogate_key) == 32


def test_surrogate_keys_are_32_hexadecimal_digits_and_differ() -> None:
    keys = {new_surrogate_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in keys)


def test_build_closes_when_it_is_locked_and_not_when_it_was_asked(
    finish: Callable[..., Build], now: datetime
) -> None:
    asked = now - timedelta(seconds=3)
    assert finish(now=asked).finished_at == now
    assert delete_build(build_id=Build.objects.get().pk, now=asked).deleted_at == now


@pytest.mark.parametrize("change", ["finish", "delete"])
def test_build_is_locked_before_it_is_changed(
    change: str,
    finish: Callable[..., Build],
    build: Build,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked: list[tuple[Any, dict[str, Any]]] = []
    lock = QuerySet.select_for_update

    def record(query: Any, *args: Any, **options: Any) -> Any:
        locked.append((query.model, options))
        return lock(query, *args, **options)

    monkeypatch.setattr(QuerySet, "select_for_update", record)
    finish() if change == "finish" else delete_build(build_id=build.pk, now=now)
    assert locked == [(Build, {"of": ("self",), "no_key": True})]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["finish", "delete"])
def test_nothing_is_kept_when_the_change_cannot_be_written(
    change: str, finish: Callable[..., Build], build: Build, now: datetime
) -> None:
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError("disk full")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        finish() if change == "finish" else delete_build(build_id=build.pk, now=now)
    assert Build.objects.get().is_open(now)
