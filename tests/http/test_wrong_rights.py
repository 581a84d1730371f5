"""Unknown, not granted, somebody else's, closed: 404, 403, 403, 409, and nothing happens."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.utils import timezone

from builds.models import Build, Product, Store
from builds.services import delete_build
from credentials.models import Grant
from tests.conftest import undone
from tests.http.conftest import Refused
from tests.http.endpoints import (
    CREATE_PRODUCT,
    ISSUING,
    OF_A_BUILD,
    OF_A_PRODUCT,
    REGISTER_BUILD,
)

pytestmark = pytest.mark.django_db


def test_product_must_exist_and_be_granted(
    refused: Refused, make_product: Callable[..., Product]
) -> None:
    for endpoint in OF_A_PRODUCT.values():
        with undone():
            other = replace(endpoint, path=endpoint.path.replace("guide", "other"))
            refused(other, 404, "unknown_product")
            make_product("other")
            refused(other, 403, "product_not_granted")


def test_build_of_a_product_whose_grant_was_taken_away_is_forbidden(
    refused: Refused, build: Build
) -> None:
    Grant.objects.all().delete()
    for endpoint in OF_A_BUILD.values():
        refused(endpoint, 403, "product_not_granted")


def test_product_is_created_only_in_a_store_that_exists(refused: Refused) -> None:
    body = {"slug": "fresh", "store": "attic"}
    refused(replace(CREATE_PRODUCT, body=body), 400, "unknown_store")


def test_taken_product_slug_is_a_conflict(refused: Refused) -> None:
    body = {"slug": "guide", "store": "main"}
    refused(replace(CREATE_PRODUCT, body=body), 409, "slug_taken")


@pytest.mark.parametrize("ended", ["open", "deleted"])
def test_taken_build_slug_is_a_conflict_for_ever(
    ended: str, refused: Refused, register: Callable[..., Build]
) -> None:
    taken = register("v1")
    if ended == "deleted":
        delete_build(build_id=taken.pk, now=timezone.now())
    refused(REGISTER_BUILD, 409, "slug_taken", json.dumps({"git_refs": ["main"], "slug": "v1"}))


def test_slug_behind_a_server_made_one_is_a_conflict(refused: Refused, build: Build) -> None:
    body = {"git_refs": ["main"], "slug": f"{build.slug}-x"}
    refused(REGISTER_BUILD, 409, "slug_taken", json.dumps(body))


def move_the_store(_product: Product) -> None:
    Store.objects.update(bucket="another-bucket")


def rename_the_product(_product: Product) -> None:
    Product.objects.update(slug="renamed")


@pytest.mark.parametrize("edit", [move_the_store, rename_the_product])
def test_build_whose_scope_was_edited_gets_no_credentials(
    edit: Callable[..., None], refused: Refused, product: Product
) -> None:
    edit(product)
    for endpoint in ISSUING.values():
        refused(endpoint, 409, "scope_changed")
