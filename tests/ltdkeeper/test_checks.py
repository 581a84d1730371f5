"""Each system check fires on its wrong setting, with its id and what to write, and not else."""

import inspect
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings as DjangoSettings

from ltdkeeper import checks

SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
POSTGRES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
ROLE = "arn:aws:iam::123456789012:role/upload"


def cache_in(backend: str) -> dict[str, dict[str, str]]:
    return {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}


RIGHT: dict[str, Any] = {
    "DEBUG": False,
    "SECRET_KEY": "s" * 50,
    "LTD_PUBLIC_URL": "https://keeper.example.org",
    "LTD_ALLOW_HTTP": False,
    "LTD_ALLOW_SQLITE": False,
    "DATABASES": POSTGRES,
    "LTD_SESSION_SECONDS": 1800,
    "LTD_STORE_ROLE_MAX_SECONDS": 3600,
    "LTD_KEY_SESSION_SECONDS": 43_200,
    "LTD_UPLOAD_WINDOW_SECONDS": 43_200,
    "LTD_JOB_TOKEN_SECONDS": 21_600,
    "LTD_OPEN_BUILDS": 1000,
    "LTD_SESSIONS_AN_HOUR": 600,
    "LTD_OIDC_AUDIENCE": "https://keeper.example.org",
    "LTD_FAILURES_A_MINUTE": 10,
    "CACHES": cache_in("db.DatabaseCache"),
    "LTD_POST_LIFETIME": 21_600,
    "LTD_URL_LIFETIME": 3600,
    "LTD_POST_MAX_BYTES": 5 * 1024**3,
    "LTD_STORE_BUCKET": "docs",
    "LTD_STORE_ROLE_ARN": ROLE,
    "LTD_TRUSTED_PROXIES": 0,
    "LTD_LOG_LEVEL": "INFO",
}


class Settings(SimpleNamespace):
    """Settings as Django gives them: an empty secret key cannot be read."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name == "SECRET_KEY" and not value:
            raise ImproperlyConfigured("The SECRET_KEY setting must not be empty.")
        return value


def found(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> list[str]:
    """The numbers of the service's own checks that fire."""
    monkeypatch.setattr(checks, "settings", Settings(**(RIGHT | changes)))
    made_here = [check for name, check in vars(checks).items() if name.startswith("check_")]
    messages = [message for check in made_here for message in check()]
    assert all(message.hint and message.is_serious() for message in messages)
    return [str(message.id).removeprefix("ltdkeeper.") for message in messages]


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no secret key": ({"SECRET_KEY": ""}, ["E001"]),
    "short secret key": ({"SECRET_KEY": "s" * 49}, ["E001"]),
    "no address": ({"LTD_PUBLIC_URL": ""}, ["E002"]),
    "address without a scheme": ({"LTD_PUBLIC_URL": "keeper.example.org"}, ["E002"]),
    "address with another scheme": ({"LTD_PUBLIC_URL": "ftp://keeper.example.org"}, ["E002"]),
    "address without a host": ({"LTD_PUBLIC_URL": "https://"}, ["E002"]),
    "address with a path": ({"LTD_PUBLIC_URL": "https://example.org/keeper"}, ["E002"]),
    "address with a query": ({"LTD_PUBLIC_URL": "https://example.org?x=1"}, ["E002"]),
    "http": ({"LTD_PUBLIC_URL": "http://keeper.example.org"}, ["E003"]),
    "http on loopback, not allowed": ({"LTD_PUBLIC_URL": "http://127.0.0.1:8000"}, ["E003"]),
    "http allowed, not on loopback": (
        {"LTD_PUBLIC_URL": "http://192.0.2.7:8000", "LTD_ALLOW_HTTP": True},
        ["E003"],
    ),
    "http on a host that only begins as loopback": (
        {"LTD_PUBLIC_URL": "http://localhost.example.org", "LTD_ALLOW_HTTP": True},
        ["E003"],
    ),
    "SQLite": ({"DATABASES": SQLITE}, ["E004"]),
    "role's maximum too short": (
        {"LTD_STORE_ROLE_MAX_SECONDS": 1799, "LTD_SESSION_SECONDS": 900},
        ["E005"],
    ),
    "role's maximum too short for the session": (
        {"LTD_STORE_ROLE_MAX_SECONDS": 1799},
        ["E005", "E006"],
    ),
    "role's maximum too long": ({"LTD_STORE_ROLE_MAX_SECONDS": 43_201}, ["E005"]),
    "session too short": ({"LTD_SESSION_SECONDS": 899}, ["E006"]),
    "session over the role's": ({"LTD_SESSION_SECONDS": 3601}, ["E006"]),
    "key session too short": ({"LTD_KEY_SESSION_SECONDS": 299}, ["E007"]),
    "key session too long": ({"LTD_KEY_SESSION_SECONDS": 604_801}, ["E007"]),
    "window too short": ({"LTD_UPLOAD_WINDOW_SECONDS": 299}, ["E007"]),
    "window too long": ({"LTD_UPLOAD_WINDOW_SECONDS": 604_801}, ["E007"]),
    "store without a role": ({"LTD_STORE_ROLE_ARN": ""}, ["E008"]),
    "role that is none": ({"LTD_STORE_ROLE_ARN": "upload"}, ["E008"]),
    "role that is none, no store": (
        {"LTD_STORE_ROLE_ARN": "upload", "LTD_STORE_BUCKET": ""},
        ["E008"],
    ),
    "role with a wildcard": ({"LTD_STORE_ROLE_ARN": "arn:aws:iam::1:role/*"}, ["E008"]),
    "negative proxies": ({"LTD_TRUSTED_PROXIES": -1}, ["E009"]),
    "log level in words of its own": ({"LTD_LOG_LEVEL": "VERBOSE"}, ["E010"]),
    "log level that shows everything": ({"LTD_LOG_LEVEL": "NOTSET"}, ["E010"]),
    "job token too short": ({"LTD_JOB_TOKEN_SECONDS": 299}, ["E007"]),
    "job token too long": ({"LTD_JOB_TOKEN_SECONDS": 43_201}, ["E007"]),
    "no open build": ({"LTD_OPEN_BUILDS": 0}, ["E011"]),
    "no session": ({"LTD_SESSIONS_AN_HOUR": 0}, ["E011"]),
    "audience of two words": ({"LTD_OIDC_AUDIENCE": "docs keeper"}, ["E015"]),
    "audience over 255 characters": ({"LTD_OIDC_AUDIENCE": "a" * 256}, ["E015"]),
    "audience that GitHub gives everybody": (
        {"LTD_OIDC_AUDIENCE": "https://github.com/octo-org"},
        ["E015"],
    ),
    "no mistake": ({"LTD_FAILURES_A_MINUTE": 0}, ["E011"]),
    "cache of one process": ({"CACHES": cache_in("locmem.LocMemCache")}, ["E012"]),
    "cache of one machine": ({"CACHES": cache_in("filebased.FileBasedCache")}, ["E012"]),
    "no cache": ({"CACHES": cache_in("dummy.DummyCache")}, ["E012"]),
    "log level as a number": ({"LTD_LOG_LEVEL": "10"}, ["E010"]),
    "posts too short": ({"LTD_POST_LIFETIME": 899}, ["E021"]),
    "posts too long": ({"LTD_POST_LIFETIME": 43_201}, ["E021"]),
    "addresses too short": ({"LTD_URL_LIFETIME": 899}, ["E021"]),
    "no byte in a post": ({"LTD_POST_MAX_BYTES": 0}, ["E022"]),
    "more than a store takes": ({"LTD_POST_MAX_BYTES": 5 * 1024**3 + 1}, ["E022"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_setting_has_its_id(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, expected = WRONG[case]
    assert found(monkeypatch, changes) == expected


ALLOWED: dict[str, dict[str, Any]] = {
    "everything right": {},
    "address with a port": {"LTD_PUBLIC_URL": "https://keeper.example.org:8443"},
    "http on loopback, allowed": {
        "LTD_PUBLIC_URL": "http://127.0.0.1:8000",
        "LTD_ALLOW_HTTP": True,
    },
    "http on localhost, allowed": {
        "LTD_PUBLIC_URL": "http://localhost:8000",
        "LTD_ALLOW_HTTP": True,
    },
    "http on IPv6 loopback, allowed": {
        "LTD_PUBLIC_URL": "http://[::1]:8000",
        "LTD_ALLOW_HTTP": True,
    },
    "SQLite, allowed": {"DATABASES": SQLITE, "LTD_ALLOW_SQLITE": True},
    "shortest durations": {
        "LTD_POST_LIFETIME": 900,
        "LTD_URL_LIFETIME": 900,
        "LTD_STORE_ROLE_MAX_SECONDS": 1800,
        "LTD_SESSION_SECONDS": 900,
        "LTD_KEY_SESSION_SECONDS": 300,
        "LTD_UPLOAD_WINDOW_SECONDS": 300,
    },
    "longest durations": {
        "LTD_POST_LIFETIME": 43_200,
        "LTD_URL_LIFETIME": 43_200,
        "LTD_STORE_ROLE_MAX_SECONDS": 43_200,
        "LTD_SESSION_SECONDS": 43_200,
        "LTD_KEY_SESSION_SECONDS": 604_800,
        "LTD_UPLOAD_WINDOW_SECONDS": 604_800,
    },
    "no store": {"LTD_STORE_BUCKET": "", "LTD_STORE_ROLE_ARN": ""},
    "role in China": {"LTD_STORE_ROLE_ARN": ROLE.replace("aws", "aws-cn", 1)},
    "role of another store": {"LTD_STORE_ROLE_ARN": "arn:aws:iam:::role/upload"},
    "proxies": {"LTD_TRUSTED_PROXIES": 2},
    "log level": {"LTD_LOG_LEVEL": "DEBUG"},
    "Redis": {"CACHES": cache_in("redis.RedisCache")},
    "debugging": {
        "DEBUG": True,
        "SECRET_KEY": "short",
        "LTD_PUBLIC_URL": "http://127.0.0.1:8000",
        "DATABASES": SQLITE,
        "CACHES": cache_in("locmem.LocMemCache"),
    },
}


@pytest.mark.parametrize("case", ALLOWED)
def test_right_setting_is_quiet(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, ALLOWED[case]) == []


def test_every_id_fires_here_and_is_described() -> None:
    fired = {number for _, numbers in WRONG.values() for number in numbers}
    written = re.findall(r"_error\((\d+),", inspect.getsource(checks))
    assert fired == {f"E{int(number):03d}" for number in written}
    described = " ".join(
        str(check.__doc__) for name, check in vars(checks).items() if name.startswith("check_")
    )
    assert fired - {"E006"} <= set(re.findall(r"E0\d\d", described)), "E005 to E007 is a range"


def test_checks_are_registered_with_django(settings: DjangoSettings) -> None:
    settings.LTD_TRUSTED_PROXIES = -1
    assert "ltdkeeper.E009" in [message.id for message in run_checks()]


def test_settings_of_the_tests_pass_every_check() -> None:
    serious = [message for message in run_checks() if message.is_serious()]
    assert [message for message in serious if not message.is_silenced()] == []
