"""One job that registers, asks, finishes and deletes all at once: no deadlock, nothing lost."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from builds.errors import DomainError
from builds.models import Build, Product
from credentials.access.callers import Caller, Origin
from credentials.access.registrations import delete_owned_build, register_owned_build
from credentials.access.rights import open_build
from credentials.models import Delivery, IssuedSession
from credentials.vending.issuing import issue_session
from tests.fake_sts import FakeSts

ROUNDS, THREADS = 20, 6


def register(job: Caller, product: Product) -> str:
    register_owned_build(
        caller=job,
        product=product,
        slug=None,
        git_refs=["main"],
        github_requester="",
        now=timezone.now(),
    )
    return "registered"


def ask(job: Caller, _product: Product) -> str:
    build = open_build(caller=job, product_slug=None, now=timezone.now())
    issue_session(
        caller=job,
        build_id=build.pk,
        delivery=Delivery.JSON,
        origin=Origin(),
        now=timezone.now(),
    )
    return "issued"


def delete(job: Caller, _product: Product) -> str:
    build = open_build(caller=job, product_slug=None, now=timezone.now())
    delete_owned_build(caller=job, build_id=build.pk, now=timezone.now())
    return "deleted"


ACTS: list[Callable[[Caller, Product], str]] = [register, ask, ask, delete]


@pytest.mark.django_db(transaction=True)
def test_everything_at_once_ends_in_an_answer(job: Caller, product: Product, sts: FakeSts) -> None:
    def act(number: int) -> str:
        """As a client does that is told `database_unavailable`: again, until it is answered."""
        while True:
            try:
                return ACTS[number % len(ACTS)](job, product)
            except DomainError as refusal:
                return refusal.code
            except OperationalError as err:
                if "deadlock" in str(err):
                    raise
            finally:
                connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = Counter(pool.map(act, range(ROUNDS * len(ACTS))))
    refusals = {"no_open_build", "build_closed", "session_withheld"}
    assert set(outcomes) <= {"registered", "issued", "deleted", *refusals}
    assert outcomes["registered"] == Build.objects.count() == ROUNDS
    assert IssuedSession.objects.issued().count() == outcomes["issued"]
    assert Build.objects.open(timezone.now()).count() <= 1
