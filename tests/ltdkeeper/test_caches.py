"""What `LTD_CACHE_URL` becomes, and that failures are counted in each kind of cache for real."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from pytest_django import Settings

from credentials.access.brakes import Brake, count_failure
from ltdkeeper.caches import cache_settings

NOW = datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)


@pytest.fixture
def settings_for(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(url: str | None, *, debug: bool = False) -> dict[str, Any]:
        monkeypatch.delenv("LTD_CACHE_URL", raising=False)
        if url is not None:
            monkeypatch.setenv("LTD_CACHE_URL", url)
        return cache_settings(environ.Env(), debug=debug)

    return make


# LTD_CACHE_URL -> backend, location
KINDS = {
    "nothing said": (None, "db.DatabaseCache", "ltdkeeper_cache"),
    "another table": ("dbcache://others", "db.DatabaseCache", "others"),
    "Redis": ("redis://h:6379/1", "redis.RedisCache", "redis://h:6379/1"),
    "Redis with a password": ("redis://:pw@h/0", "redis.RedisCache", "redis://:pw@h/0"),
    "Redis over TLS": ("rediss://h:6379/1", "redis.RedisCache", "rediss://h:6379/1"),
    "Redis on a socket": ("redis:///run/r.sock", "redis.RedisCache", "unix:///run/r.sock"),
    "in process": ("locmemcache://", "locmem.LocMemCache", ""),
}


@pytest.mark.parametrize("case", KINDS)
def test_address_names_the_cache(case: str, settings_for: Any) -> None:
    url, backend, location = KINDS[case]
    config = settings_for(url)
    assert config["BACKEND"] == f"django.core.cache.backends.{backend}"
    assert config["LOCATION"] == location


def test_cache_is_in_process_while_debugging(settings_for: Any) -> None:
    assert settings_for(None, debug=True)["BACKEND"].endswith("LocMemCache")
    assert settings_for("redis://h/0", debug=True)["BACKEND"].endswith("RedisCache")


def test_table_is_bounded(settings_for: Any) -> None:
    assert settings_for(None)["OPTIONS"] == {"MAX_ENTRIES": 10_000}


def test_redis_is_waited_for_half_a_second(settings_for: Any) -> None:
    options = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
    assert settings_for("redis://h/0")["OPTIONS"] == options
    chosen = settings_for("redis://h/0?socket_timeout=2")["OPTIONS"]
    assert chosen == options | {"socket_timeout": 2}


def test_unknown_kind_is_refused(settings_for: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="Invalid cache schema carrier"):
        settings_for("carrier://pigeon")


@pytest.fixture
def table(db: None, settings: Settings, settings_for: Any) -> None:
    """The default: a table, made as `release` makes it."""
    settings.CACHES = {"default": settings_for(None)}
    call_command("createcachetable")


@pytest.fixture
def redis(settings: Settings, settings_for: Any, tmp_path: Path) -> Iterator[None]:
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
        settings.CACHES = {"default": settings_for(f"redis://{socket}?{patient}")}
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
    transactional_db: None, settings: Settings, settings_for: Any
) -> None:
    settings.CACHES = {"default": settings_for("dbcache://never_made")}
    assert count("192.0.2.7") == [None] * 12


def test_making_the_table_again_changes_nothing(table: None) -> None:
    count("192.0.2.7")
    call_command("createcachetable")
    assert count("192.0.2.7") == [45] * 12
