"""System checks of the settings: `manage.py check` says what is wrong and what to write.

The web server runs them at start-up and refuses to serve on an error.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from builds.arns import is_role_arn
from ltdkeeper.logs import LEVELS

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SESSION_MINIMUM, SESSION_MAXIMUM = 900, 43_200
ROLE_MINIMUM = 1800
KEY_SESSION_MINIMUM, KEY_SESSION_MAXIMUM = 300, 7 * 24 * 3600
JOB_TOKEN_MINIMUM, JOB_TOKEN_MAXIMUM = 300, 12 * 3600
SECRET_KEY_LENGTH = 50
AUDIENCE_LENGTH = 255
# GitHub's own default: tokens that jobs ask for without naming an audience have it.
ANYBODYS_AUDIENCE = "https://github.com/"
SHARED_CACHES = (".RedisCache", ".DatabaseCache")
POST_MAXIMUM_BYTES = 5 * 1024**3  # of one object in one request (AWS S3 user guide, PutObject)


def _error(number: int, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"ltdkeeper.E{number:03d}")


@register
def check_secret_key(**_kwargs: Any) -> list[CheckMessage]:
    """E001: a long random secret key."""
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        key = ""
    if settings.DEBUG or len(key) >= SECRET_KEY_LENGTH:
        return []
    hint = "python -c 'import secrets; print(secrets.token_urlsafe(50))' makes one."
    return [_error(1, "LTD_SECRET_KEY is missing or shorter than 50 characters.", hint)]


@register
def check_public_url(**_kwargs: Any) -> list[CheckMessage]:
    """E002, E003: the public address exists, is bare, and is https outside DEBUG."""
    parts = urlsplit(settings.LTD_PUBLIC_URL)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
        hint = "LTD_PUBLIC_URL=https://keeper.example.org, with no path."
        return [_error(2, "LTD_PUBLIC_URL is missing or is not scheme and host.", hint)]
    if parts.scheme == "https" or settings.DEBUG or _is_local(parts):
        return []
    hint = "Credentials travel on it. LTD_ALLOW_HTTP serves a loopback address only."
    return [_error(3, "LTD_PUBLIC_URL is not https.", hint)]


def _is_local(parts: SplitResult) -> bool:
    return settings.LTD_ALLOW_HTTP and parts.hostname in LOOPBACK


@register
def check_database(**_kwargs: Any) -> list[CheckMessage]:
    """E004: SQLite is for one machine; say so on purpose."""
    is_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    if not is_sqlite or settings.DEBUG or settings.LTD_ALLOW_SQLITE:
        return []
    hint = "Set DATABASE_URL=postgres://..., or LTD_ALLOW_SQLITE=true on a single machine."
    return [_error(4, "SQLite outside DEBUG.", hint)]


@register
def check_durations(**_kwargs: Any) -> list[CheckMessage]:
    """E005 to E007: durations that STS, and people, can live with (seconds)."""
    return list(_duration_errors())


def _duration_errors() -> Iterator[Error]:
    longest = settings.LTD_STORE_ROLE_MAX_SECONDS
    if not ROLE_MINIMUM <= longest <= SESSION_MAXIMUM:
        hint = "Sessions that SDKs refresh need 1800; AWS gives roles 3600 to 43200."
        yield _error(5, "LTD_STORE_ROLE_MAX_SECONDS is not within 1800 to 43200.", hint)
    if not SESSION_MINIMUM <= settings.LTD_SESSION_SECONDS <= longest:
        hint = "At least 900, and never over the role's maximum, LTD_STORE_ROLE_MAX_SECONDS."
        yield _error(6, "LTD_SESSION_SECONDS is out of range.", hint)
    for name in ("LTD_KEY_SESSION_SECONDS", "LTD_UPLOAD_WINDOW_SECONDS"):
        if not KEY_SESSION_MINIMUM <= getattr(settings, name) <= KEY_SESSION_MAXIMUM:
            yield _error(7, f"{name} is out of range.", "300 seconds to 7 days.")
    if not JOB_TOKEN_MINIMUM <= settings.LTD_JOB_TOKEN_SECONDS <= JOB_TOKEN_MAXIMUM:
        yield _error(7, "LTD_JOB_TOKEN_SECONDS is out of range.", "300 seconds to 12 hours.")


@register
def check_limits(**_kwargs: Any) -> list[CheckMessage]:
    """E011: limits that leave room for one build, one session and one mistake."""
    names = ("LTD_OPEN_BUILDS", "LTD_SESSIONS_AN_HOUR", "LTD_FAILURES_A_MINUTE")
    hint = "1 or more, for each client or, of failures, each address."
    return [
        _error(11, f"{name} is below 1.", hint) for name in names if getattr(settings, name) < 1
    ]


@register
def check_cache(**_kwargs: Any) -> list[CheckMessage]:
    """E012: a cache that all web processes share, so that they count together."""
    if settings.DEBUG or settings.CACHES["default"]["BACKEND"].endswith(SHARED_CACHES):
        return []
    hint = "LTD_CACHE_URL=redis://host:6379/0, or leave it out: a table of the database."
    return [_error(12, "LTD_CACHE_URL is neither Redis nor a table of the database.", hint)]


@register
def check_first_store(**_kwargs: Any) -> list[CheckMessage]:
    """E008: a store named by the settings names its role, in a form AWS and others use."""
    role_arn = settings.LTD_STORE_ROLE_ARN
    if is_role_arn(role_arn) or not (settings.LTD_STORE_BUCKET or role_arn):
        return []
    hint = "arn:aws:iam::123456789012:role/upload, or with aws-cn or aws-us-gov."
    return [_error(8, "LTD_STORE_ROLE_ARN is not the ARN of a role.", hint)]


@register
def check_proxies(**_kwargs: Any) -> list[CheckMessage]:
    """E009: a number of hops."""
    if settings.LTD_TRUSTED_PROXIES >= 0:
        return []
    return [_error(9, "LTD_TRUSTED_PROXIES is negative.", "The number of proxies in front.")]


@register
def check_log_level(**_kwargs: Any) -> list[CheckMessage]:
    """E010: a level that logging knows."""
    if settings.LTD_LOG_LEVEL in LEVELS:
        return []
    return [_error(10, "LTD_LOG_LEVEL is not a log level.", f"One of {', '.join(LEVELS)}.")]


@register
def check_oidc_audience(**_kwargs: Any) -> list[CheckMessage]:
    """E015: an audience that is this service's own, and one word."""
    audience = settings.LTD_OIDC_AUDIENCE
    is_word = audience.isprintable() and " " not in audience and len(audience) <= AUDIENCE_LENGTH
    if is_word and not audience.startswith(ANYBODYS_AUDIENCE):
        return []
    hint = "Leave it out, or write an address or word that no other service uses."
    return [_error(15, "LTD_OIDC_AUDIENCE cannot be this service's own.", hint)]


@register
def check_presigning(**_kwargs: Any) -> list[CheckMessage]:
    """E021, E022: presigned requests that live as a session can, for files that a store takes."""
    lifetimes = ("LTD_POST_LIFETIME", "LTD_URL_LIFETIME")
    errors = [
        _error(21, f"{name} is not within 900 to 43200.", "Seconds, as long as a session lives.")
        for name in lifetimes
        if not SESSION_MINIMUM <= getattr(settings, name) <= SESSION_MAXIMUM
    ]
    if not 1 <= settings.LTD_POST_MAX_BYTES <= POST_MAXIMUM_BYTES:
        hint = "1 to 5368709120 bytes: stores take no larger object in one request."
        errors.append(_error(22, "LTD_POST_MAX_BYTES is out of range.", hint))
    return list(errors)
