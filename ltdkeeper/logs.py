"""Structured logs on standard error, without secrets.

botocore prints whole STS responses at DEBUG, boto3 and urllib3 print signed headers and addresses;
these libraries stay at INFO whatever `LTD_LOG_LEVEL` says. As a second line, every event passes
`mask_tokens`, which blanks anything shaped like one of our access tokens.
"""

import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

from builds.names import has_controls

Event = MutableMapping[str, Any]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
NEVER_BELOW_INFO = ("botocore", "boto3", "urllib3", "s3transfer")
LONGEST_TEXT = 1000
ACCESS_TOKEN = re.compile(r"(ltd[a-z]_[a-z0-9]{4,})_[0-9a-f]{16,}")


def mask_tokens(_logger: object, _method: str, event: Event) -> Event:
    """Blank the secret part of access tokens in every text of a log event."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = ACCESS_TOKEN.sub(r"\1_***", value)
    return event


def shorten(_logger: object, _method: str, event: Event) -> Event:
    """Cut what callers can make long, such as paths and Host headers; tracebacks stay whole."""
    for name, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST_TEXT and name != "exception":
            event[name] = f"{value[:LONGEST_TEXT]}..."
    return event


def escape_controls(_logger: object, _method: str, event: Event) -> Event:
    """For terminals, which obey what a caller may have written into a path; JSON escapes it."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception" and has_controls(value):
            event[name] = ascii(value)
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    # Django attaches the request, whose text shows the query string.
    structlog.stdlib.ExtraAdder(allow=["status_code"]),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_settings(*, level: str, renderer: str) -> dict[str, Any]:
    """A `logging.config` dictionary; `renderer` is `json` or `console`."""
    final: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if renderer == "json"
        else [escape_controls, structlog.dev.ConsoleRenderer(colors=False)]
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _SHARED,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            mask_tokens,
            shorten,
            *final,
        ],
    }
    quiet = level if level in LEVELS[2:] else "INFO"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            **{name: {"level": quiet} for name in NEVER_BELOW_INFO},
            # At INFO it says at each start where it found the vendor's key.
            "botocore.credentials": {"level": "WARNING" if quiet == "INFO" else quiet},
            # At INFO three lines a request: that it got a connection, and gave it back.
            "psycopg.pool": {"level": "WARNING" if quiet == "INFO" else quiet},
            # `request_log` writes every request; Django's own line would show the query string.
            "django.request": {"level": "ERROR"},
            # Nor does what Django refuses deserve a traceback; CSRF is told in one line.
            "django.security": {"level": "CRITICAL"},
            "django.security.csrf": {"level": quiet},
        },
    }


def configure(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: the standard library's handlers, structlog in front of them."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED[:3],
            *_SHARED[4:],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
