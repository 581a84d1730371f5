"""What `LTD_CACHE_URL` becomes, and that failures are counted in each kind of cache for real."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client as Browser
from pytest_django import Settings

from credentials.access.throttling import Throttle, count_failure
from ltdkeeper.caches import IN_PROCESS, TABLE, cache_settings

THREADS = 16  # as many as answer at once by default, two processes with 8 each
NOW = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)


BACKEND = "ltdkeeper.caches.DatabaseCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
# LTD_CACHE_URL -> backend, location
KINDS = {
    "nothing said": (TABLE, BACKEND, "ltdkeeper_cache"),
    "another table": ("dbcache://others", BACKEND, "others"),
    "Redis": ("redis://h:6379/1", REDIS, "redis://h:6379/1"),
    "Redis with a password": ("redis://:pw@h/0", REDIS, "redis://:pw@h/0"),
    "Redis over TLS": ("rediss://h:6379/1", REDIS, "rediss://h:6379/1"),
    "Redis on a socket": ("redis:///run/r.sock", REDIS, "unix:///run/r.sock"),
}


def test_address_names_the_cache() -> None:
    for case, (url, backend, location) in KINDS.items():
        config = cache_settings(url, debug=False)
        assert (config["BACKEND"], config["LOCATION"]) == (backend, location), case


def test_cache_may_be_in_process_while_debugging() -> None:
    assert cache_settings(IN_PROCESS, debug=True)["BACKEND"].endswith("LocMemCache")
    assert cache_settings("redis://h/0", debug=True)["BACKEND"].endswith("RedisCache")


def test_table_is_bounded() -> None:
    assert cache_settings(TABLE, debug=False)["OPTIONS"] == {"MAX_ENTRIES": 10_000}


def test_redis_is_waited_for_half_a_second() -> None:
    options = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
    assert cache_settings("redis://h/0", debug=False)["OPTIONS"] == options
    chosen = cache_settings("redis://h/0?socket_timeout=2", debug=False)["OPTIONS"]
    assert chosen == options | {"socket_timeout": 2}


@pytest.fixture
def memory() -> None:
    """The cache of the process, as the tests' settings have it."""


@pytest.fixture
def table(transactional_db: None, settings: Settings) -> None:
    """The default: a table, made as `release` makes it."""
    settings.CACHES = {"default": cache_settings(TABLE, debug=False)}
    call_command("createcachetable", verbosity=0)
    cache.clear()


@pytest.fixture
def redis(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """A Redis of this test's own, reached by a socket in its folder."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs Debian's package redis-server")
    socket = tmp_path / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not socket.exists():
            assert process.poll() is None
            time.sleep(0.01)
        patient = "socket_timeout=30&socket_connect_timeout=30"  # the machine may be busy
        settings.CACHES = {"default": cache_settings(f"redis://{socket}?{patient}", debug=False)}
        yield
        cache.close()
        process.terminate()


def count(address: str) -> list[int | None]:
    return [count_failure(throttle=Throttle.TOKEN, address=address, now=NOW) for _ in range(12)]


@pytest.mark.parametrize("kind", ["table", "redis"])
def test_failures_are_counted_in(kind: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(kind)
    for address in ("192.0.2.7", "2001:db8::7", "", "192.0.2.8"):
        assert count(address) == [None] * 10 + [45, 45]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "table", "redis"])
def test_of_120_wrong_passwords_at_once_at_most_ten_reach_the_hash(
    kind: str, transactional_db: None, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(kind)
    User.objects.create_superuser("operator", password="correct horse battery")
    hashed: list[str] = []
    started = Barrier(THREADS)

    def guess(number: int) -> int:
        if number < THREADS:
            started.wait()
        try:
            fields = {"username": "operator", "password": f"guess {number}"}
            return Browser().post("/admin/login/", fields).status_code
        finally:
            connection.close()

    with (
        patch.object(User, "check_password", lambda _user, raw: hashed.append(raw)),
        patch("ltdkeeper.admin.site.timezone.now", lambda: NOW),
        ThreadPoolExecutor(THREADS) as pool,
    ):
        answers = list(pool.map(guess, range(120)))
    assert answers.count(200) == len(hashed)
    assert answers.count(429) == 120 - len(hashed)
    assert 1 <= len(hashed) <= 10, "fewer where the table is busy"


def test_failures_from_many_addresses_make_none_forgotten(table: None, settings: Settings) -> None:
    settings.CACHES["default"]["OPTIONS"]["MAX_ENTRIES"] = 5
    settings.CACHES = dict(settings.CACHES)
    attacked = {
        "throttle": Throttle.LOGIN,
        "address": "192.0.2.7",
        "now": NOW,
    }  # the first by its key
    assert [count_failure(**attacked) for _ in range(10)] == [None] * 10
    for last in range(20):
        count_failure(throttle=Throttle.LOGIN, address=f"198.51.100.{last}", now=NOW)
        count_failure(throttle=Throttle.TOKEN, address=f"203.0.113.{last}", now=NOW)
    assert count_failure(**attacked) == 45


def test_expired_counters_make_room(table: None, settings: Settings) -> None:
    settings.CACHES["default"]["OPTIONS"]["MAX_ENTRIES"] = 5
    settings.CACHES = dict(settings.CACHES)
    for last in range(20):
        cache.set(f"old-{last}", 1, timeout=-5)
    count("192.0.2.7")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ltdkeeper_cache")
        assert cursor.fetchone()[0] <= 6


def test_counting_in_the_table_keeps_the_expiry_and_needs_a_key(table: None) -> None:
    cache.add("counter", 1, timeout=60)
    with connection.cursor() as cursor:
        cursor.execute("SELECT expires FROM ltdkeeper_cache")
        before = cursor.fetchall()
        assert [cache.incr("counter"), cache.decr("counter"), cache.get("counter")] == [2, 1, 1]
        cursor.execute("SELECT expires FROM ltdkeeper_cache")
        assert cursor.fetchall() == before
    with pytest.raises(ValueError, match="no key 'missing'"):
        cache.incr("missing")


def test_table_that_was_never_made_refuses_nobody(
    transactional_db: None, settings: Settings
) -> None:
    settings.CACHES = {"default": cache_settings("dbcache://never_made", debug=False)}
    assert count("192.0.2.7") == [None] * 12


def test_making_the_table_again_changes_nothing(table: None) -> None:
    count("192.0.2.7")
    call_command("createcachetable")
    assert count("192.0.2.7") == [45] * 12
