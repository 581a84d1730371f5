"""A build belongs to the client that registered it, through any of its keys, while granted."""

from collections.abc import Callable
from datetime import datetime

import pytest
from pytest_django import DjangoAssertNumQueries

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.access.registrations import delete_owned_build
from credentials.access.rights import granted_build, owned_build
from credentials.errors import NotYourBuild, ProductNotGranted
from credentials.models import BuildOwner, Grant

MakeCaller = Callable[..., Caller]


def test_another_client_of_the_product_sees_but_does_not_own(
    build: Build, product: Product, make_caller: MakeCaller, now: datetime
) -> None:
    other = make_caller("other", product)
    assert granted_build(caller=other, build_id=build.pk) == build
    with pytest.raises(NotYourBuild):
        owned_build(caller=other, build_id=build.pk)
    with pytest.raises(NotYourBuild):
        delete_owned_build(caller=other, build_id=build.pk, now=now)
    assert Build.objects.get().deleted_at is None


ASKING = [granted_build, owned_build]


@pytest.mark.parametrize("ask", ASKING)
def test_client_without_the_grant_does_not_even_see(
    ask: Callable[..., Build], build: Build, make_caller: MakeCaller
) -> None:
    with pytest.raises(ProductNotGranted):
        ask(caller=make_caller("other"), build_id=build.pk)


def test_build_that_nobody_registered_is_nobody_s(build: Build, caller: Caller) -> None:
    BuildOwner.objects.all().delete()
    assert granted_build(caller=caller, build_id=build.pk) == build
    with pytest.raises(NotYourBuild):
        owned_build(caller=caller, build_id=build.pk)


def test_another_build_s_registration_does_not_help(
    register: Callable[..., Build], caller: Caller
) -> None:
    mine, lost = register(), register()
    BuildOwner.objects.filter(build=lost).delete()
    assert owned_build(caller=caller, build_id=mine.pk) == mine
    with pytest.raises(NotYourBuild):
        owned_build(caller=caller, build_id=lost.pk)


@pytest.mark.parametrize("ask", ASKING)
def test_build_comes_with_its_rights_and_its_store_in_one_query(
    ask: Callable[..., Build],
    build: Build,
    caller: Caller,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):
        assert ask(caller=caller, build_id=build.pk).product.store.bucket


def test_grant_of_another_product_does_not_help(
    build: Build, caller: Caller, make_product: Callable[..., Product]
) -> None:
    Grant.objects.update(product=make_product("other"))
    with pytest.raises(ProductNotGranted):
        owned_build(caller=caller, build_id=build.pk)
