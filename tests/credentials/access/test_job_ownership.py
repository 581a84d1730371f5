"""A job owns what it registered itself; a retry supersedes; finishing spends the token."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import OperationalError, connection

from builds.errors import SlugTaken
from builds.models import Build, Product
from builds.services import delete_build
from credentials.access.callers import Caller
from credentials.access.registrations import delete_owned_build, register_owned_build
from credentials.access.rights import (
    closable_build,
    granted_build,
    open_build,
    owned_build,
    usable_products,
)
from credentials.errors import (
    JobFinished,
    NoOpenBuild,
    NotYourBuild,
    ProductNotGranted,
    TooManyOpenBuilds,
)
from credentials.models import (
    Grant,
    JobProduct,
    JobToken,
    OidcIssuer,
    TrustedPublisher,
    Webhook,
    WebhookDelivery,
)
from tests.credentials.access.conftest import MakeJob

Register = Callable[..., Build]
State = Build.State


def states() -> list[str]:
    now = max(build.registered_at for build in Build.objects.all())
    return [build.state(now) for build in Build.objects.order_by("pk")]


def finish(build: Build, now: datetime) -> None:
    Build.objects.filter(pk=build.pk).update(finished_at=now)


def test_another_job_of_the_client_sees_and_touches_nothing_of_it(
    register: Register, make_job: MakeJob
) -> None:
    build, other = register(caller=make_job()), make_job()
    assert granted_build(caller=other, build_id=build.pk) == build
    for ask in (owned_build, closable_build):
        with pytest.raises(NotYourBuild):
            ask(caller=other, build_id=build.pk)


def test_keys_of_the_client_close_it_and_never_write_to_it(
    register: Register, job: Caller, caller: Caller
) -> None:
    build = register(caller=job)
    assert closable_build(caller=caller, build_id=build.pk) == build
    with pytest.raises(NotYourBuild):
        owned_build(caller=caller, build_id=build.pk)


def test_job_touches_no_build_of_the_keys(build: Build, job: Caller) -> None:
    for ask in (owned_build, closable_build):
        with pytest.raises(NotYourBuild):
            ask(caller=job, build_id=build.pk)


def test_job_of_a_publisher_deletes_what_it_published(
    register: Register, job: Caller, now: datetime
) -> None:
    issuer = OidcIssuer.objects.create(
        kind="github", issuer="https://ci.example", jwks_url="https://ci.example/keys"
    )
    publisher = TrustedPublisher.objects.create(
        name="ci", client=job.client, issuer=issuer, conditions={"repository_id": ["74"]}
    )
    publisher.products.set(Product.objects.all())
    JobToken.objects.update(api_key=None, publisher=publisher)
    published = replace(job, api_key=None, job_token=JobToken.objects.get())
    finish(build := register(caller=published), now)
    assert delete_owned_build(caller=published, build_id=build.pk, now=now).deleted_at


def test_builds_of_other_products_stay_open(
    register: Register, make_job: MakeJob, make_product: Callable[..., Product], caller: Caller
) -> None:
    other = make_product("other")
    Grant.objects.create(client=caller.client, product=other)
    job = make_job(Product.objects.get(slug="guide"), other)
    register(caller=job)
    register(caller=job, product=other)
    assert states() == [State.OPEN, State.OPEN]


def test_finished_job_is_spent_also_when_its_build_is_deleted(
    register: Register, job: Caller, now: datetime
) -> None:
    build = register(caller=job)
    finish(build, now)
    for _ in range(2):
        with pytest.raises(JobFinished):
            register(caller=job)
        with pytest.raises(JobFinished):
            open_build(caller=job, product_slug=None, now=now)
        delete_build(build_id=build.pk, now=now)
    assert Build.objects.count() == 1


def test_build_that_was_deleted_or_ran_out_spends_nothing(
    register: Register, job: Caller, now: datetime
) -> None:
    delete_build(build_id=register(caller=job).pk, now=now)
    late = register(caller=job)
    Build.objects.filter(pk=late.pk).update(
        open_until=now - timedelta(seconds=1), registered_at=now - timedelta(hours=1)
    )
    register(caller=job)
    assert [build.superseded_at for build in Build.objects.all()] == [None] * 3


def test_refused_registration_supersedes_nothing(
    register: Register, job: Caller, make_job: MakeJob
) -> None:
    register(caller=make_job(), slug="v1")
    register(caller=job)
    with pytest.raises(SlugTaken):
        register(caller=job, slug="v1")
    assert states() == [State.OPEN, State.OPEN]


def test_same_job_gets_its_open_build_again_by_its_slug(
    register: Register, job: Caller, settings: object
) -> None:
    settings.LTD_OPEN_BUILDS = 1
    build = register(caller=job, slug="v1")
    assert register(caller=job, slug="v1", git_refs=["other"]) == build
    assert states() == [State.OPEN]
    assert Build.objects.get().git_refs == ["main"]


CLOSED: dict[str, Callable[[Build, Caller, Register], object]] = {
    "deleted": lambda build, *_: delete_build(build_id=build.pk, now=build.registered_at),
    "superseded": lambda build, job, register: register(caller=job),
    "out of time": lambda build, *_: Build.objects.update(
        open_until=build.registered_at, registered_at=build.registered_at - timedelta(hours=1)
    ),
}


@pytest.mark.parametrize("how", CLOSED)
def test_slug_of_a_closed_build_stays_taken(how: str, register: Register, job: Caller) -> None:
    CLOSED[how](register(caller=job, slug="v1"), job, register)
    with pytest.raises(SlugTaken):
        register(caller=job, slug="v1")


@pytest.mark.parametrize("registered", ["by a key", "by another job"])
def test_slug_of_another_s_open_build_stays_taken(
    registered: str, register: Register, job: Caller, make_job: MakeJob, caller: Caller
) -> None:
    register(caller=caller if registered == "by a key" else make_job(), slug="v1")
    for other in (job, caller):
        with pytest.raises(SlugTaken):
            register(caller=other, slug="v1")


def test_same_slug_of_another_product_is_another_build(
    register: Register, make_job: MakeJob, make_product: Callable[..., Product], caller: Caller
) -> None:
    other = make_product("other")
    Grant.objects.create(client=caller.client, product=other)
    job = make_job(Product.objects.get(slug="guide"), other)
    build = register(caller=job, slug="v1")
    assert register(caller=job, slug="v1", product=other) != build


def test_product_that_the_job_did_not_ask_for_is_refused(
    register: Register, job: Caller, make_product: Callable[..., Product]
) -> None:
    other = make_product("other")
    Grant.objects.create(client=job.client, product=other)
    assert [each.slug for each in usable_products(job)] == ["guide"]
    with pytest.raises(ProductNotGranted):
        register(caller=job, product=other)


def test_open_build_is_hidden_without_the_grant(
    build: Build, caller: Caller, now: datetime
) -> None:
    Grant.objects.all().delete()
    with pytest.raises(NoOpenBuild):
        open_build(caller=caller, product_slug=None, now=now)


AT_ONCE = 100


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_registrations_at_once_one_build_stays_open(
    job: Caller, product: Product, now: datetime
) -> None:
    def register(_number: int) -> int:
        """As a client does that is told `database_unavailable`: again, until it is answered."""
        while True:
            try:
                return register_owned_build(
                    caller=job,
                    product=product,
                    slug=None,
                    git_refs=["main"],
                    github_requester="",
                    now=now,
                ).pk
            except OperationalError as err:
                if "deadlock" in str(err):
                    raise
            finally:
                connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(register, range(AT_ONCE)))
    assert len(set(made)) == AT_ONCE
    still_open = Build.objects.open(now).get()
    assert JobProduct.objects.get().current_build == still_open
    assert Build.objects.exclude(superseded_at=None).count() == AT_ONCE - 1
    assert JobToken.objects.get().ended_at is None


def test_retry_of_a_job_frees_the_place_that_it_takes(
    register: Register, job: Caller, make_job: MakeJob, settings: object
) -> None:
    settings.LTD_OPEN_BUILDS = 1
    register(caller=job)
    register(caller=job)
    with pytest.raises(TooManyOpenBuilds):
        register(caller=make_job())
    assert states() == [State.SUPERSEDED, State.OPEN]


def test_webhooks_are_told_of_the_superseded_build_first(register: Register, job: Caller) -> None:
    Webhook.objects.create(name="editions", url="https://editions.example.org/")
    older, newer = register(caller=job), register(caller=job)
    told = WebhookDelivery.objects.order_by("pk").values_list("kind", "subject")
    assert list(told) == [
        ("build.registered", older.root),
        ("build.superseded", older.root),
        ("build.registered", newer.root),
    ]
