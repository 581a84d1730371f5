"""A root is given once, for ever; registering costs the same however many builds there are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from ulid import ULID

from builds.errors import SlugTaken
from builds.models import Build, Product
from builds.services import delete_build
from builds.slugs import ULID_LENGTH
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import granted_product
from credentials.access.models import KeySession, Registration
from credentials.access.ownership import register_owned_build
from tests.builds.names import HOSTILE
from tests.conftest import raw_key

Register = Callable[..., Build]
THREADS = 8


def test_build_without_a_slug_is_given_a_ulid(register: Register, now: datetime) -> None:
    build = register()
    assert build.server_made
    assert build.slug == build.slug.lower()
    made_at = ULID.from_str(build.slug.upper()).datetime
    assert abs(made_at - now) < timedelta(milliseconds=2)
    assert (build.root, build.bucket_name) == (f"guide/builds/{build.slug}", "docs-bucket")
    assert build.state(now) == "open"


def test_build_keeps_what_the_client_said(register: Register) -> None:
    build = register("V1.0_rc-2", git_refs=["main", "v1"], github_requester="octocat")
    build.refresh_from_db()
    assert (build.slug, build.root) == ("V1.0_rc-2", "guide/builds/V1.0_rc-2")
    assert (build.git_refs, build.github_requester) == (["main", "v1"], "octocat")
    assert not build.server_made


def test_server_made_slugs_are_never_alike(register: Register) -> None:
    assert len({register().root for _ in range(50)}) == 50


def test_taken_slug_is_refused(register: Register) -> None:
    register("v1")
    with pytest.raises(SlugTaken):
        register("v1")
    assert (Build.objects.count(), Registration.objects.count()) == (1, 1)


def test_slug_stays_taken_after_the_build_was_deleted(register: Register, now: datetime) -> None:
    delete_build(build_id=register("v1").pk, now=now)
    with pytest.raises(SlugTaken):
        register("v1")


def test_slug_of_a_server_made_build_is_taken(register: Register) -> None:
    slug = register().slug
    with pytest.raises(SlugTaken):
        register(slug)


DIFFERENT = {"case": ("v1", "V1"), "continued": ("1", "10"), "shortened": ("docs", "doc")}


@pytest.mark.parametrize("case", DIFFERENT)
def test_slugs_that_differ_at_all_are_two_builds(case: str, register: Register) -> None:
    first, second = (register(slug) for slug in DIFFERENT[case])
    assert first.root != second.root


def test_another_product_may_use_the_same_slug(
    register: Register, make_product: Callable[..., Product]
) -> None:
    first, second = register("v1"), register("v1", product=make_product("other"))
    assert (first.root, second.root) == ("guide/builds/v1", "other/builds/v1")


@pytest.mark.parametrize("tail", ["x", "-x", ".", "0", "-" * 38])
def test_slug_that_continues_a_server_made_one_is_refused(tail: str, register: Register) -> None:
    slug = register().slug
    with pytest.raises(SlugTaken):
        register(slug + tail)


def test_slug_that_continues_a_deleted_server_made_one_is_refused(
    register: Register, now: datetime
) -> None:
    build = register()
    delete_build(build_id=build.pk, now=now)
    with pytest.raises(SlugTaken):
        register(f"{build.slug}-x")


def test_slug_may_continue_one_that_a_client_chose(register: Register) -> None:
    chosen = "x" * ULID_LENGTH
    register(chosen)
    assert register(f"{chosen}-x").slug == f"{chosen}-x"


def test_slug_may_continue_a_server_made_one_of_another_product(
    register: Register, make_product: Callable[..., Product]
) -> None:
    slug = register(product=make_product("other")).slug
    assert register(f"{slug}-x").product.slug == "guide"


@pytest.mark.parametrize("case", [case for case in HOSTILE if case != "empty"])
def test_hostile_slug_is_never_registered(case: str, register: Register) -> None:
    with pytest.raises(ValueError, match="not a legal"):
        register(HOSTILE[case])
    assert not Build.objects.exists()


# key expires after -> open for (seconds)
WINDOWS = {
    "key without expiry": (None, 43_200),
    "key that outlives the window": (86_400, 43_200),
    "key that ends with the window": (43_200, 43_200),
    "key that ends sooner": (600, 600),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_build_is_open_until_window_or_key_ends(
    case: str, register: Register, caller: Caller, now: datetime
) -> None:
    expires, expected = WINDOWS[case]
    caller.api_key.expires_at = now + timedelta(seconds=expires) if expires else None
    assert register().open_until == now + timedelta(seconds=expected)


def test_build_is_open_no_longer_than_the_session_that_registered_it(
    register: Register, caller: Caller, now: datetime
) -> None:
    session = KeySession(expires_at=now + timedelta(seconds=600))
    shown = Caller(client=caller.client, api_key=caller.api_key, key_session=session)
    assert register(caller=shown).open_until == session.expires_at


def test_build_that_the_service_registers_is_open_for_the_window(
    register: Register, caller: Caller, now: datetime
) -> None:
    build = register(caller=Caller(client=caller.client))
    assert build.open_until == now + timedelta(seconds=43_200)


def test_window_is_the_setting(
    register: Register, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LTD_UPLOAD_WINDOW_SECONDS", 300)
    assert register().open_until == now + timedelta(seconds=300)


def test_registration_names_client_and_token(register: Register, caller: Caller) -> None:
    note = register().registration
    assert (note.client, note.token_name) == (caller.client, f"ltdk_{caller.api_key.public_id}")
    assert str(note) == f"{note.build_id} by {note.token_name}"


@pytest.mark.django_db(transaction=True)
def test_build_without_its_owner_is_not_kept(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(Registration.objects, "create", refuse)
    with pytest.raises(OperationalError):
        register("v1")
    assert not Build.objects.exists()


def attempt(register: Register, barrier: Barrier, slug: str | None) -> str:
    """What one of several threads got; each has a connection of its own."""
    try:
        barrier.wait(timeout=10)
        return register(slug).slug
    except SlugTaken:
        return "taken"
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(5))
def test_of_threads_that_register_one_slug_exactly_one_wins(
    round_: int, register: Register
) -> None:
    barrier = Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(attempt, register, barrier, "v1") for _ in range(THREADS)]
        answers = [job.result() for job in asked]
    assert sorted(answers) == ["taken"] * (THREADS - 1) + ["v1"]
    assert (Build.objects.count(), Registration.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_threads_that_leave_the_slug_out_all_get_a_build(register: Register) -> None:
    barrier = Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(attempt, register, barrier, None) for _ in range(THREADS)]
        answers = {job.result() for job in asked}
    assert "taken" not in answers
    assert len(answers) == Build.objects.count() == THREADS


def queries_of_a_registration(caller: Caller, slug: str | None, now: datetime) -> list[str]:
    """From the token to the row, as `POST /products/<slug>/builds/` does it."""
    with CaptureQueriesContext(connection) as captured:
        found = authenticate(raw_token=raw_key(caller), name=None, now=now)
        product = granted_product(caller=found, slug="guide")
        register_owned_build(
            caller=found, product=product, slug=slug, git_refs=[], github_requester="", now=now
        )
    return [query["sql"] for query in captured]


def fill(product: Product, now: datetime, count: int) -> None:
    Build.objects.bulk_create(
        Build(
            product=product,
            slug=f"old-{number}",
            server_made=False,
            bucket_name="docs-bucket",
            root=f"{product.slug}/builds/old-{number}",
            surrogate_key="c" * 32,
            registered_at=now,
            open_until=now + timedelta(hours=1),
        )
        for number in range(count)
    )


LONG = "a-slug-of-more-than-26-characters"


SLUGS = {"server-made": None, "short": "v1", "long": LONG}


@pytest.mark.parametrize("case", SLUGS)
def test_registering_asks_as_many_queries_of_a_full_product(
    case: str, caller: Caller, product: Product, now: datetime
) -> None:
    slug = SLUGS[case]
    empty = queries_of_a_registration(caller, slug, now)
    fill(product, now, 2000)
    full = queries_of_a_registration(caller, slug and f"{slug}-2", now)
    assert len(empty) == len(full) <= 10


@pytest.mark.sqlite
@pytest.mark.parametrize("case", SLUGS)
def test_registering_searches_by_index_alone(
    case: str, caller: Caller, product: Product, now: datetime
) -> None:
    fill(product, now, 50)
    asked = queries_of_a_registration(caller, SLUGS[case], now)
    plans = {sql: plan_of(sql) for sql in asked if sql.startswith("SELECT")}
    assert len(plans) >= 3
    assert all("LIMIT 1" in sql for sql in plans), "each reads one row, however many there are"
    assert {sql: plan for sql, plan in plans.items() if "SCAN" in plan} == {}


def plan_of(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        return "; ".join(str(row[-1]) for row in cursor.fetchall())


@pytest.mark.sqlite
def test_plan_would_show_a_scan(product: Product) -> None:
    assert "SCAN" in plan_of("SELECT id FROM builds_build WHERE git_refs = 'main'")
