"""What `LTD_CACHE_URL` becomes, and that failures are counted in each kind of cache for real."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.management import call_command
from pytest_django import Settings

from credentials.access.brakes import Brake, count_failure
from ltdkeeper.caches import IN_PROCESS, TABLE, cache_settings

NOW = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)


# LTD_CACHE_URL -> backend, location
KINDS = {
    "nothing said": (TABLE, "db.DatabaseCache", "ltdkeeper_cache"),
    "another table": ("dbcache://others", "db.DatabaseCache", "others"),
    "Redis": ("redis://h:6379/1", "redis.RedisCache", "redis://h:6379/1"),
    "Redis with a password": ("redis://:pw@h/0", "redis.RedisCache", "redis://:pw@h/0"),
    "Redis over TLS": ("rediss://h:6379/1", "redis.RedisCache", "rediss://h:6379/1"),
    "Redis on a socket": ("redis:///run/r.sock", "redis.RedisCache", "unix:///run/r.sock"),
}


@pytest.mark.parametrize("case", KINDS)
def test_address_names_the_cache(case: str) -> None:
    url, backend, location = KINDS[case]
    config = cache_settings(url, debug=False)
    assert config["BACKEND"] == f"django.core.cache.backends.{backend}"
    assert config["LOCATION"] == location


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
def table(db: None, settings: Settings) -> None:
    """The default: a table, made as `release` makes it."""
    settings.CACHES = {"default": cache_settings(TABLE, debug=False)}
    call_command("createcachetable")


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
    return [count_failure(brake=Brake.TOKEN, address=address, now=NOW) for _ in range(12)]


@pytest.mark.parametrize("kind", ["table", "redis"])
@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", ""])
def test_failures_are_counted_in(kind: str, address: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(kind)
    assert count(address) == [None] * 10 + [45, 45]
    assert count("192.0.2.8") == [None] * 10 + [45, 45]


def test_table_that_was_never_made_refuses_nobody(
    transactional_db: None, settings: Settings
) -> None:
    settings.CACHES = {"default": cache_settings("dbcache://never_made", debug=False)}
    assert count("192.0.2.7") == [None] * 12


def test_making_the_table_again_changes_nothing(table: None) -> None:
    count("192.0.2.7")
    call_command("createcachetable")
    assert count("192.0.2.7") == [45] * 12
