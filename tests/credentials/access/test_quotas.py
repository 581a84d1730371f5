"""The fixed counts of a limit are those of the ORM, over rows made at random."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from builds.errors import SlugTaken
from builds.fixed_sql import Condition, fetch
from builds.models import Build, Product
from credentials.access import registrations
from credentials.access.callers import Caller
from credentials.access.quotas import (
    HOUR,
    build_quota,
    check_build_quota,
    session_quota,
    sessions_by_token,
)
from credentials.errors import TooManyOpenBuilds, TooManySessions
from tests.builds.test_registering_cost import fill
from tests.credentials.ledger_rows import NOW, issued_row

pytestmark = pytest.mark.django_db

AGES = [timedelta(0), timedelta(minutes=1), HOUR - timedelta(seconds=1), HOUR, 2 * HOUR]
NAMES = ["ltdk_a", "ltds_b", "ltdk_a/ltdj_c", "ltdj_d", "LTDJ_d", "ltdjxd", "inside"]


@pytest.fixture
def other(make_caller: Callable[..., Caller]) -> Caller:
    return make_caller("other")


def counts_by_the_orm(caller: Caller) -> tuple[int, Counter[str]]:
    """What counts against the client, and the sessions of each of its tokens."""
    recent = caller.client.issued_sessions.filter(requested_at__gt=NOW - HOUR)
    rows = list(sessions_by_token(recent))
    of_tokens = Counter({row["token_name"]: row["sessions"] for row in rows})
    return sum(row["counted"] for row in rows), of_tokens


def is_refused(caller: Caller, limit: int, settings: pytest.MonkeyPatch) -> bool:
    settings.LTD_SESSIONS_AN_HOUR = limit  # type: ignore[attr-defined]
    quota = session_quota(caller=caller, now=NOW)
    assert quota
    return fetch(*quota.condition) is None


@pytest.mark.parametrize("seed", range(3))
def test_sessions_are_counted_as_the_orm_counts_them(
    seed: int, caller: Caller, job: Caller, other: Caller, settings: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)  # noqa: S311
    for _ in range(60):
        issued_row(
            client=chance.choice([caller.client, caller.client, other.client]),
            token_name=chance.choice([*NAMES, job.token_name]),
            requested_at=NOW - chance.choice(AGES),
        )
    for limit in range(1, 50):
        settings.LTD_SESSIONS_AN_HOUR = limit  # type: ignore[attr-defined]
        of_the_client, of_tokens = counts_by_the_orm(caller)
        assert is_refused(caller, limit, settings) == (of_the_client >= limit)
        assert is_refused(job, limit, settings) == (of_tokens[job.token_name] >= limit)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"finished_at": NOW}, False),
        ({"deleted_at": NOW}, False),
        ({"superseded_at": NOW}, False),
        ({"open_until": NOW}, False),
        ({"open_until": NOW + timedelta(seconds=1)}, True),
    ],
    ids=["open", "finished", "deleted", "superseded", "out of time", "in its last second"],
)
def test_open_builds_are_counted_as_the_orm_counts_them(
    change: dict[str, object],
    counts: bool,  # noqa: FBT001
    caller: Caller,
    other: Caller,
    register: Callable[..., Build],
    settings: pytest.MonkeyPatch,
) -> None:
    build, _second = register(now=NOW - HOUR), register(now=NOW - HOUR)
    Build.objects.filter(pk=build.pk).update(**change)
    assert Build.objects.open(NOW).count() == 1 + counts
    settings.LTD_OPEN_BUILDS = 2  # type: ignore[attr-defined]
    check_build_quota(caller=other, now=NOW)
    assert has_room_for_a_build(other)
    assert has_room_for_a_build(caller) is not counts
    with pytest.raises(TooManyOpenBuilds) if counts else nullcontext():
        check_build_quota(caller=caller, now=NOW)


@pytest.mark.parametrize("slug", [None, "v1"])
def test_build_for_which_room_is_made_meanwhile_is_registered(
    slug: str | None, register: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL, another build may end between the two looks at the quota."""
    conditions = [Condition("SELECT 1 WHERE 1 = 0", {}), Condition("SELECT 1", {})]
    monkeypatch.setattr(registrations, "build_quota", lambda **_: conditions.pop(0))
    assert register(slug).is_open(timezone.now())
    assert not conditions


@pytest.mark.parametrize(("slug", "error"), [(None, TooManyOpenBuilds), ("v1", SlugTaken)])
def test_build_that_is_refused_twice_is_not_tried_again(
    slug: str | None,
    error: type[Exception],
    register: Callable[..., Build],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing = Condition("SELECT 1 WHERE 1 = 0", {})
    monkeypatch.setattr(registrations, "build_quota", lambda **_: nothing)
    with pytest.raises(error):
        register(slug)


@pytest.mark.parametrize("shown", ["key", "job"])
def test_build_needs_room_for_a_session(
    shown: str, caller: Caller, job: Caller, settings: pytest.MonkeyPatch
) -> None:
    asking = {"key": caller, "job": job}[shown]
    issued_row(client=asking.client, token_name=asking.token_name, requested_at=NOW)
    for limit, expected in ((1, False), (2, True)):
        settings.LTD_SESSIONS_AN_HOUR = limit  # type: ignore[attr-defined]
        assert has_room_for_a_build(asking) is expected
        with nullcontext() if expected else pytest.raises(TooManySessions):
            check_build_quota(caller=asking, now=NOW)


def test_rows_of_others_are_not_read(
    caller: Caller, job: Caller, product: Product, register: Callable[..., Build]
) -> None:
    """Neither the client's finished builds nor open ones of others, nor a sibling's sessions."""
    fill(product, NOW, 300, registered_by=caller.client.pk, finished_at=NOW)
    fill(product, NOW, 3_000, of="others")
    others = Build.objects.filter(registered_by=None)
    others.update(registered_by=F("pk") % 100 + caller.client.pk + 1)
    register(now=NOW)
    for number in range(500):
        issued_row(client=job.client, token_name=f"{job.token_name}-{number}", requested_at=NOW)
    quota = session_quota(caller=job, now=NOW)
    assert quota
    if connection.vendor == "postgresql":  # as autovacuum does; nothing does so on SQLite
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    assert "build_open_by" in plan_of(*build_quota(caller=caller, now=NOW))
    assert "session_of_token" in plan_of(*quota.condition)


def test_builds_that_were_open_at_an_upgrade_count(
    caller: Caller, register: Callable[..., Build], settings: pytest.MonkeyPatch
) -> None:
    migration = import_module("credentials.migrations.0032_open_builds_counted")
    is_open, was_finished = register(), register()
    Build.objects.filter(pk=was_finished.pk).update(finished_at=NOW)
    Build.objects.update(registered_by=None)
    settings.LTD_OPEN_BUILDS = 1  # type: ignore[attr-defined]
    assert has_room_for_a_build(caller)
    with connection.cursor() as cursor:
        cursor.execute(migration.NOTE_CLIENTS)
    assert not has_room_for_a_build(caller)
    noted = Build.objects.filter(registered_by=caller.client.pk)
    assert list(noted) == [is_open]


def plan_of(sql: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {sql}", parameters)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def has_room_for_a_build(caller: Caller) -> bool:
    return fetch(*build_quota(caller=caller, now=NOW)) is not None
