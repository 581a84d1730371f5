"""Of many that register one slug at once exactly one wins, in the database's own file."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from builds.errors import SlugTaken
from builds.models import Build
from credentials.models import BuildOwner

Register = Callable[..., Build]
THREADS = 8


def attempt(register: Register, barrier: Barrier, slug: str | None) -> str:
    """What one of several threads got; each has a connection of its own."""
    try:
        barrier.wait(timeout=120)
        return register(slug).slug
    except SlugTaken:
        return "taken"
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_of_threads_that_register_one_slug_exactly_one_wins(register: Register) -> None:
    barrier = Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(attempt, register, barrier, "v1") for _ in range(THREADS)]
        answers = [job.result() for job in asked]
    assert sorted(answers) == ["taken"] * (THREADS - 1) + ["v1"]
    assert (Build.objects.count(), BuildOwner.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_threads_that_leave_the_slug_out_all_get_a_build(register: Register) -> None:
    barrier = Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(attempt, register, barrier, None) for _ in range(THREADS)]
        answers = {job.result() for job in asked}
    assert "taken" not in answers
    assert len(answers) == Build.objects.count() == THREADS
