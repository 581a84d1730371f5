"""What rows say about themselves: a build's state and end, a product's address, a store's."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from pytest_django import DjangoAssertNumQueries

from builds.models import Build, Product, Store
from ltdkeeper.api.builds import BuildSerializer, render_build
from tests.undone import undone

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
EARLIER = NOW - timedelta(hours=2)
SECOND = timedelta(seconds=1)

# open_until, finished_at, deleted_at -> state, closed at
STATES = {
    "open": (AFTER, None, None, "open", None),
    "open for one second more": (NOW + SECOND, None, None, "open", None),
    "out of time this moment": (NOW, None, None, "expired", NOW),
    "out of time": (BEFORE, None, None, "expired", BEFORE),
    "finished": (AFTER, BEFORE, None, "finished", BEFORE),
    "finished this moment": (AFTER, NOW, None, "finished", NOW),
    "finished before its time ran out": (BEFORE, EARLIER, None, "finished", EARLIER),
    "deleted": (AFTER, None, BEFORE, "deleted", BEFORE),
    "deleted after it was finished": (AFTER, EARLIER, BEFORE, "deleted", EARLIER),
    "deleted after its time ran out": (EARLIER, None, BEFORE, "deleted", EARLIER),
}


def test_state_and_end_follow_from_the_times() -> None:
    for case, (open_until, finished_at, deleted_at, state, closed_at) in STATES.items():
        build = Build(open_until=open_until, finished_at=finished_at, deleted_at=deleted_at)
        assert (build.state(NOW), build.closed_at(NOW)) == (state, closed_at), case
        assert build.is_open(NOW) is (state == "open"), case


def test_query_for_open_builds_agrees_with_the_state(build: Build) -> None:
    for case, (open_until, finished_at, deleted_at, state, _) in STATES.items():
        Build.objects.update(
            registered_at=NOW - timedelta(days=1),
            open_until=open_until,
            finished_at=finished_at,
            deleted_at=deleted_at,
        )
        assert Build.objects.open(NOW).exists() is (state == "open"), case


HOURS = {number: NOW - timedelta(hours=number) for number in range(5)}
DONE = {"finished_at": HOURS[4], "counted_at": NOW}
# what it is like -> its columns, why it needs attention
CONCERNS: dict[str, tuple[dict[str, object], list[str]]] = {
    "open": ({"registered_at": HOURS[3]}, []),
    "open for long": ({"registered_at": HOURS[4]}, ["open"]),
    "expired": ({"registered_at": HOURS[2], "open_until": NOW}, ["expired"]),
    "superseded": ({"registered_at": HOURS[4], "superseded_at": NOW}, []),
    "finished": (DONE, []),
    "not counted yet": ({"finished_at": HOURS[3]}, []),
    "not counted": ({"finished_at": HOURS[4]}, ["uncounted"]),
    "foreign": ({**DONE, "written_without_session": True}, ["foreign"]),
    "both": (
        {"finished_at": HOURS[4], "written_without_session": True},
        ["uncounted", "foreign"],
    ),
    "deleted": (
        {"finished_at": HOURS[4], "written_without_session": True, "deleted_at": NOW},
        [],
    ),
}


def test_builds_that_need_attention_are_found_and_say_why(build: Build) -> None:
    for case, (columns, why) in CONCERNS.items():
        with undone():
            Build.objects.update(**{"registered_at": HOURS[4], "open_until": AFTER, **columns})
            found = Build.objects.get()
            assert found.concerns(NOW) == why, case
            assert Build.objects.needing_attention(NOW).exists() is bool(why), case


def test_builds_come_with_product_and_store_in_one_query(
    build: Build, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        [found] = Build.objects.with_store()
        assert found.product.store.bucket == "docs-bucket"


def test_newest_build_comes_first(register: Callable[..., Build]) -> None:
    builds = [register(), register(), register()]
    assert list(Build.objects.all()) == builds[::-1]


def test_build_is_never_removed(build: Build) -> None:
    with pytest.raises(ValidationError, match="never removed"):
        build.delete()
    assert Build.objects.filter(pk=build.pk).exists()


def test_registered_builds_are_not_removed_by_query_either(build: Build) -> None:
    with pytest.raises(ValidationError, match="never removed"):
        Build.objects.all().delete()
    assert Build.objects.filter(pk=build.pk).exists()


def test_rows_are_named_as_people_name_them(build: Build) -> None:
    product = build.product
    assert (str(product.store), str(product), str(build)) == ("main", "guide", build.root)


ADDRESSES = {
    "root domain": ("example.org", "guide.example.org", "https://guide.example.org"),
    "no root domain": ("", "", ""),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_published_address_comes_from_the_root_domain(case: str) -> None:
    root_domain, domain, url = ADDRESSES[case]
    product = Product(slug="guide", root_domain=root_domain)
    assert (product.domain, product.published_url) == (domain, url)


ENDPOINTS = {
    "AWS": ("", "", ""),
    "one address": ("http://s3:9000", "", "http://s3:9000"),
    "another address outside": (
        "http://s3:9000",
        "https://s3.example.org",
        "https://s3.example.org",
    ),
}


def test_clients_are_told_the_public_endpoint() -> None:
    for case, (inside, outside, told) in ENDPOINTS.items():
        assert (
            Store(endpoint_url=inside, public_endpoint_url=outside).client_endpoint_url == told
        ), case


def test_store_takes_its_partition_from_the_role() -> None:
    assert Store(role_arn="arn:aws-cn:iam::123456789012:role/upload").partition == "aws-cn"


SECONDS = {
    "not set": (None, True),
    "shortest": (900, True),
    "the role's longest": (3600, True),
    "too short": (899, False),
    "over the role's": (3601, False),
}


@pytest.mark.parametrize("case", SECONDS)
def test_product_s_duration_is_held_against_its_role(case: str, product: Product) -> None:
    product.session_seconds, legal = SECONDS[case]
    if legal:
        product.full_clean(exclude=["surrogate_key"])
        return
    with pytest.raises(ValidationError, match="Between 900 and the role's longest session, 3600"):
        product.full_clean()


def test_product_without_store_is_held_against_the_longest_of_all() -> None:
    with pytest.raises(ValidationError, match="43200"):
        Product(slug="guide", session_seconds=43_201).clean()


@pytest.mark.parametrize("name", ["title", "doc_repo", "root_domain"])
def test_text_of_a_product_holds_no_control_character(name: str, product: Product) -> None:
    for text, is_legal in [("ශ\u0dca\u200dරී", True), ("a\u202eb", False), ("a\x1bb", False)]:
        setattr(product, name, text)
        with nullcontext() if is_legal else pytest.raises(ValidationError, match=name):
            product.full_clean()


def test_sync_product_needs_a_store_that_is_set_up_for_it(product: Product) -> None:
    product.access = Product.Access.SYNC
    with pytest.raises(ValidationError, match="bootstrap_store --store main --with-sync --apply"):
        product.full_clean()
    product.store.with_sync = True
    product.full_clean()


def test_store_stays_set_up_for_the_sync_products_that_it_has(product: Product) -> None:
    product.store.with_sync = True
    product.store.save()
    Product.objects.update(access=Product.Access.SYNC)
    product.store.with_sync = False
    with pytest.raises(ValidationError, match="guide"):
        product.store.full_clean()
    Product.objects.update(access=Product.Access.UPLOAD)
    product.store.full_clean()


@pytest.mark.parametrize(("access", "with_sync"), [("sync", True), ("upload", False)])
def test_stores_with_sync_products_are_migrated_as_set_up_for_them(
    access: str, *, with_sync: bool, product: Product
) -> None:
    Product.objects.update(access=access)
    migration = import_module("builds.migrations.0004_store_with_sync")
    migration.keep_what_works(apps, None)
    assert Store.objects.get().with_sync is with_sync


def test_answer_about_a_build_has_the_documented_members(build: Build) -> None:
    assert tuple(render_build(build)) == BuildSerializer.Meta.fields
