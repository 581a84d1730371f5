"""The fixed statements of a right say what the rows say one by one, whatever state they are in."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from builds.errors import DomainError, UnknownBuild
from builds.models import Build, Product
from credentials.access.callers import INTERNAL_TOKEN_NAME, Caller, authenticate
from credentials.access.clients import start_access_token, start_job_token
from credentials.access.rights import (
    BuildRight,
    authenticate_at_build,
    granted_product,
    open_build,
    right_to_build,
    usable_products,
)
from credentials.errors import JobFinished, NoOpenBuild, ProductNotGranted, SeveralOpenBuilds
from credentials.models import (
    AccessToken,
    ApiKey,
    BuildOwner,
    Client,
    Grant,
    JobProduct,
    JobToken,
    OidcIssuer,
    TrustedPublisher,
)
from tests.conftest import raw_key
from tests.credentials.access.looks import right_still_stands

PAIRS = 20

pytestmark = pytest.mark.django_db


@pytest.fixture
def publisher(caller: Caller, product: Product) -> TrustedPublisher:
    issuer = OidcIssuer.objects.create(
        kind="github", issuer="https://ci.example.org", jwks_url="https://ci.example.org/keys"
    )
    publisher = TrustedPublisher.objects.create(
        name="ci", client=caller.client, issuer=issuer, conditions={"repository_id": ["74"]}
    )
    publisher.products.set([product])
    return publisher


@pytest.fixture
def raw_tokens(
    caller: Caller, product: Product, publisher: TrustedPublisher, now: datetime
) -> dict[str, str]:
    """A token of each kind, all of the same client."""
    assert caller.api_key
    origins: dict[str, Any] = {
        "job of a key": {"api_key": caller.api_key},
        "job of a publisher": {"publisher": publisher},
    }
    jobs = {
        name: start_job_token(client=caller.client, products=[product], now=now, **origin)[1]
        for name, origin in origins.items()
    }
    tokens = {"access token": start_access_token(caller=caller, now=now), **jobs}
    return {"key": raw_key(caller), **{name: token.reveal() for name, token in tokens.items()}}


@pytest.fixture
def callers(caller: Caller, raw_tokens: dict[str, str], now: datetime) -> dict[str, Caller]:
    """One caller of each kind, all of the same client."""
    return {
        "the service": Caller(client=caller.client),
        **{
            name: authenticate(raw_token=raw_token, name=None, now=now)
            for name, raw_token in raw_tokens.items()
        },
    }


def changes(now: datetime, other: Product) -> list[Callable[[], object]]:
    """What may be otherwise about the rows."""
    before = now - timedelta(hours=1)
    return [
        lambda: Client.objects.update(is_active=False),
        lambda: ApiKey.objects.update(revoked_at=now),
        lambda: ApiKey.objects.update(expires_at=now),
        lambda: ApiKey.objects.update(expires_at=now + timedelta(seconds=1)),
        lambda: AccessToken.objects.update(created_at=before, expires_at=now),
        lambda: JobToken.objects.update(created_at=before, expires_at=now),
        lambda: JobToken.objects.update(ended_at=now),
        lambda: TrustedPublisher.objects.update(is_active=False),
        lambda: TrustedPublisher.objects.get().products.set([other]),
        lambda: Grant.objects.filter(client__name="ci").delete(),
        lambda: Grant.objects.filter(client__name="ci").update(product=other),
        lambda: JobProduct.objects.update(product=other),
        lambda: BuildOwner.objects.filter(build__slug="v1").delete(),
        lambda: Build.objects.update(finished_at=now),
        lambda: Build.objects.update(deleted_at=now),
        lambda: Build.objects.update(superseded_at=now),
        lambda: Build.objects.update(registered_at=before, open_until=now),
    ]


def limits(product: Product, other: Product) -> list[Callable[[ApiKey], object]]:
    """To which products a key is limited before it is shown."""

    def limit(*products: Product) -> Callable[[ApiKey], object]:
        def apply(key: ApiKey) -> None:
            key.all_products = False
            key.save()
            key.products.set(products)

        return apply

    return [lambda _key: None, lambda _key: None, limit(product, other), limit(other)]


def opens(caller: Caller, product: Product) -> bool:
    """Whether each part that was shown opens the product, asked a row at a time."""
    key, rule, job = caller.api_key, caller.publisher, caller.job_token
    this = {"pk": product.pk}
    return (
        caller.client.products.filter(**this).exists()
        and (key is None or key.all_products or key.products.filter(**this).exists())
        and (rule is None or rule.products.filter(**this).exists())
        and (job is None or job.products.filter(**this).exists())
    )


def owns(caller: Caller, build: Build, *, to_write: bool = True) -> bool:
    """Whether the caller may write to the build, or close it, as the row of its owner says."""
    owner = BuildOwner.objects.filter(build=build, client=caller.client).first()
    closes = not to_write and caller.job_token is None
    return owner is not None and (closes or owner.job_token == caller.job_token)


def stands(caller: Caller, build: Build, now: datetime, *, to_write: bool) -> bool:
    """The last look, asked a row at a time."""
    found = Caller(
        client=Client.objects.get(pk=caller.client.pk),
        api_key=ApiKey.objects.filter(pk=getattr(caller.api_key, "pk", None)).first(),
        access_token=AccessToken.objects.filter(
            pk=getattr(caller.access_token, "pk", None)
        ).first(),
        job_token=JobToken.objects.filter(pk=getattr(caller.job_token, "pk", None)).first(),
    )
    return (
        found.is_alive(now)
        and Build.objects.open(now).filter(pk=build.pk).exists()
        and opens(found, build.product)
        and owns(found, build, to_write=to_write)
    )


def open_builds(caller: Caller, now: datetime) -> list[Build]:
    """The open builds that the caller may write to."""
    builds = Build.objects.open(now).with_store()
    return [build for build in builds if opens(caller, build.product) and owns(caller, build)]


@pytest.mark.slow
def test_fixed_statements_say_what_the_rows_say(
    callers: dict[str, Caller],
    raw_tokens: dict[str, str],
    register: Callable[..., Build],
    product: Product,
    make_product: Callable[..., Product],
    make_caller: Callable[..., Caller],
    now: datetime,
) -> None:
    """There are another build of each caller's, and another client that is granted the product.

    Each change stands alone, and some pairs of them, with each owner and each limit by chance.
    """
    build = register("v1")
    owners = [None, *JobToken.objects.all()]
    for owner in owners:
        BuildOwner.objects.filter(build=register()).update(job_token=owner)
    make_caller("other", product)
    chance, other = random.Random(0), make_product("other")  # noqa: S311
    single = changes(now, other)
    scenes = [(), (), *((each,) for each in single)]
    seen = set()
    for scene in [*scenes, *(tuple(chance.sample(single, 2)) for _ in range(PAIRS))]:
        with transaction.atomic():
            key = ApiKey.objects.get(client__name="ci")
            chance.choice(limits(product, other))(key)
            BuildOwner.objects.filter(build=build).update(job_token=chance.choice(owners))
            for change in scene:
                change()
            for name, caller in callers.items():
                if caller.api_key:
                    caller.api_key.all_products = key.all_products
                answers = assert_equal_answers(caller, build, now)
                assert_same_open_build(caller, now)
                if caller.token_name != INTERNAL_TOKEN_NAME:
                    assert_same_at_once(caller, raw_tokens[name], build, now)
                seen |= {(name, answer) for answer in answers}
            transaction.set_rollback(True)
    assert seen == {(name, answer) for name in callers for answer in (True, False)}


def assert_equal_answers(caller: Caller, build: Build, now: datetime) -> set[bool]:
    """Both questions, to write and to close, asked in both ways; the answers."""
    product, is_open = build.product, opens(caller, build.product)
    first = answer_of(lambda: right_to_build(caller=caller, build_id=build.pk))
    may = {"may_write": owns(caller, build), "may_close": owns(caller, build, to_write=False)}
    assert first == (BuildRight(build=build, **may) if is_open else ProductNotGranted)
    granted = answer_of(lambda: granted_product(caller=caller, slug="guide"))
    assert granted == (product if is_open else ProductNotGranted)
    assert usable_products(caller).filter(pk=product.pk).exists() == is_open
    answers = set()
    for to_write in (True, False):
        found = right_still_stands(caller=caller, build_id=build.pk, now=now, to_write=to_write)
        assert found == stands(caller, build, now, to_write=to_write)
        answers.add(found)
    return answers


def assert_same_at_once(caller: Caller, raw_token: str, build: Build, now: datetime) -> None:
    """Token and right in one statement: who is authenticated at all has the same right."""
    shown: Any = {"raw_token": raw_token, "name": None, "now": now}
    found = answer_of(lambda: authenticate_at_build(build_id=build.pk, **shown))
    assert found == answer_of(lambda: authenticate(**shown))
    if isinstance(found, Caller):
        assert found.first_look[0] == build
        rights = [
            answer_of(lambda by=by: right_to_build(caller=by, build_id=build.pk))
            for by in (found, caller)
        ]
        assert rights[0] == rights[1]


def assert_same_open_build(caller: Caller, now: datetime) -> None:
    wanted = open_builds(caller, now)
    for slug in ("guide", None):
        found = answer_of(lambda slug=slug: open_build(caller=caller, product_slug=slug, now=now))
        if len(wanted) == 1:
            assert found == wanted[0]
        else:
            assert found in ({SeveralOpenBuilds} if wanted else {NoOpenBuild, JobFinished})


def answer_of(ask: Callable[[], object]) -> object:
    """What was answered, or what kind of error."""
    try:
        return ask()
    except DomainError as err:
        return type(err)


@pytest.mark.parametrize("beyond", [1, 2**63])
def test_build_that_does_not_exist_is_unknown(
    beyond: int, caller: Caller, build: Build, now: datetime
) -> None:
    build_id = build.pk + beyond
    at_build = authenticate_at_build(
        build_id=build_id, raw_token=raw_key(caller), name=None, now=now
    )
    for each in (caller, at_build):
        with pytest.raises(UnknownBuild):
            right_to_build(caller=each, build_id=build_id)


def test_right_that_was_read_with_the_token_counts_once_and_for_that_build(
    caller: Caller, register: Callable[..., Build], now: datetime, django_assert_num_queries: Any
) -> None:
    build, other = register(), register()
    shown: Any = {"raw_token": raw_key(caller), "name": None, "now": now}
    first, second = (authenticate_at_build(build_id=build.pk, **shown) for _ in range(2))
    Grant.objects.all().delete()
    with django_assert_num_queries(0):
        assert right_to_build(caller=first, build_id=build.pk).may_write
    for each, asked in ((first, build), (second, other)):
        with pytest.raises(ProductNotGranted):
            right_to_build(caller=each, build_id=asked.pk)


def test_key_that_was_limited_meanwhile_loses_its_right(caller: Caller, build: Build) -> None:
    assert caller.api_key
    ApiKey.objects.update(all_products=False)
    with transaction.atomic():
        assert not right_still_stands(caller=caller, build_id=build.pk, now=build.registered_at)
