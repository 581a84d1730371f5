"""Each database constraint of stores, products and builds refuses what it is there for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction
from django.db.models import F, ProtectedError

from builds.models import Build, Product, Store

Update = tuple[type[models.Model], dict[str, Any]]

VIOLATIONS: dict[str, list[Update]] = {
    "store_role_max_seconds": [
        (Store, {"role_max_seconds": 1799}),
        (Store, {"role_max_seconds": 43_201}),
    ],
    "store_bucket_named": [(Store, {"bucket": ""})],
    "store_role_arn": [(Store, {"role_arn": ""}), (Store, {"role_arn": "upload"})],
    "product_slug_legal": [
        (Product, {"slug": slug}) for slug in ["", "Guide", "a/b", "guide\n", "*", "-a", "a-"]
    ],
    "product_session_seconds": [
        (Product, {"session_seconds": 0}),
        (Product, {"session_seconds": 899}),
        (Product, {"session_seconds": 43_201}),
    ],
    "product_published_with_tls": [(Product, {"published_url_template": "http://example.org/"})],
    "build_slug_legal": [
        (Build, {"slug": slug, "root": f"guide/builds/{slug}"})
        for slug in ["", ".", "..", "a/b", "v1\n", "v*", "v?", "v$", "caf\u00e9"]
    ],
    "build_root_of_slug": [
        (Build, {"root": "guide/builds/another"}),
        (Build, {"root": F("slug")}),
        (Build, {"root": ""}),
    ],
    "build_opens": [
        (Build, {"open_until": F("registered_at")}),
        (Build, {"open_until": F("registered_at") - timedelta(seconds=1)}),
    ],
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_row_that_breaks_the_rule_is_refused(name: str, build: Build) -> None:
    for model, fields in VIOLATIONS[name]:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            model._default_manager.update(**fields)


@pytest.mark.parametrize(("role", "product_s"), [(1800, 900), (43_200, 43_200)])
def test_both_ends_of_the_range_of_durations_are_legal(
    role: int, product_s: int, product: Product
) -> None:
    Store.objects.update(role_max_seconds=role)
    Product.objects.update(session_seconds=product_s)


UNIQUE: dict[str, Callable[[Build], object]] = {
    "store name": lambda build: Store.objects.create(
        name="main", bucket="another", role_arn="arn:aws:iam::123456789012:role/upload"
    ),
    "product slug": lambda build: Product.objects.create(
        slug="guide", store=build.product.store, surrogate_key="b" * 32
    ),
    "build_slug_once": lambda build: copy_of(build, root=f"other/builds/{build.slug}").save(),
    "build_root_once": lambda build: copy_of(
        build, product=build.product, slug=build.slug[1:]
    ).save(),
}


def copy_of(build: Build, **changes: Any) -> Build:
    fields = ["product", "slug", "server_made", "bucket_name", "root", "surrogate_key"]
    times = ["registered_at", "open_until"]
    return Build(**{name: getattr(build, name) for name in fields + times} | changes)


@pytest.mark.parametrize("case", UNIQUE)
def test_name_is_given_once(case: str, build: Build) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        UNIQUE[case](build)


def test_every_constraint_is_violated_here() -> None:
    named = {
        constraint.name
        for model in (Store, Product, Build)
        for constraint in model._meta.constraints
    }
    assert named == {*VIOLATIONS, "build_slug_once", "build_root_once"}


def test_store_with_products_is_not_removed(product: Product) -> None:
    with pytest.raises(ProtectedError):
        product.store.delete()


def test_product_with_builds_is_not_removed(build: Build) -> None:
    with pytest.raises(ProtectedError):
        build.product.delete()
