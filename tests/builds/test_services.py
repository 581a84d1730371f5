"""Products are made and found; builds are finished and deleted once, whoever asks again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from builds.errors import (
    BuildClosed,
    EmptyBuild,
    SlugTaken,
    UnknownBuild,
    UnknownProduct,
    UnknownStore,
)
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
NOTHING = Survey(object_count=0, byte_count=0, has_objects=False)
UNSEEN = Survey(failure="store_unreachable")


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


def test_product_in_no_store_is_refused(store: Store) -> None:
    with pytest.raises(UnknownStore):
        create_product(slug="guide", store_name="another")
    assert not Product.objects.exists()


def test_product_slug_is_given_once(product: Product) -> None:
    with pytest.raises(SlugTaken):
        create_product(slug="guide", store_name="main")
    assert Product.objects.count() == 1


def test_surrogate_keys_are_32_hexadecimal_digits_and_differ() -> None:
    keys = {new_surrogate_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in keys)


def test_finished_build_keeps_what_was_counted(finish: Callable[..., Build], now: datetime) -> None:
    finish(written_without_session=True)
    row = Build.objects.get()
    assert (row.finished_at, row.object_count, row.byte_count) == (now, 3, 70)
    assert (row.survey_failure, row.written_without_session) == ("", True)


def test_finishing_again_changes_nothing(finish: Callable[..., Build], now: datetime) -> None:
    first = finish()
    again = finish(now=now + timedelta(minutes=1), survey=UNSEEN, written_without_session=True)
    assert (again.finished_at, again.object_count) == (first.finished_at, 3)
    assert not Build.objects.get().written_without_session


def test_finishing_after_the_end_of_the_window_still_says_finished(
    finish: Callable[..., Build], now: datetime
) -> None:
    finish()
    assert finish(now=now + timedelta(days=2)).finished_at == now


def test_build_closes_when_it_is_locked_and_not_when_it_was_asked(
    finish: Callable[..., Build], now: datetime
) -> None:
    asked = now - timedelta(seconds=3)
    assert finish(now=asked).finished_at == now
    assert delete_build(build_id=Build.objects.get().pk, now=asked).deleted_at == now


CLOSED = {
    "deleted": {"deleted_at": "now"},
    "out of time": {"open_until": "now", "registered_at": "before"},
    "deleted after finishing": {"deleted_at": "now", "finished_at": "before"},
}


@pytest.mark.parametrize("case", CLOSED)
def test_closed_build_is_not_finished(
    case: str, finish: Callable[..., Build], now: datetime
) -> None:
    moments = {"now": now, "before": now - timedelta(hours=1)}
    Build.objects.update(**{field: moments[name] for field, name in CLOSED[case].items()})
    with pytest.raises(BuildClosed):
        finish()
    assert Build.objects.get().object_count is None


def test_empty_build_is_refused_and_stays_open(finish: Callable[..., Build], now: datetime) -> None:
    with pytest.raises(EmptyBuild):
        finish(survey=NOTHING)
    assert Build.objects.get().is_open(now)


def test_announced_empty_build_is_finished(finish: Callable[..., Build]) -> None:
    assert finish(survey=NOTHING, empty_allowed=True).object_count == 0


def test_build_is_finished_though_the_store_is_away(finish: Callable[..., Build]) -> None:
    build = finish(survey=UNSEEN)
    assert (build.object_count, build.survey_failure) == (None, "store_unreachable")


def test_deleting_again_changes_nothing(build: Build, now: datetime) -> None:
    delete_build(build_id=build.pk, now=now)
    again = delete_build(build_id=build.pk, now=now + timedelta(minutes=1))
    assert again.deleted_at == Build.objects.get().deleted_at == now


def test_finished_build_can_be_deleted(finish: Callable[..., Build], now: datetime) -> None:
    build = delete_build(build_id=finish().pk, now=now)
    assert (build.state(now), build.finished_at) == ("deleted", now)


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
