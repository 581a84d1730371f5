"""Looks for secrets in everything that the service leaves behind."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from ltdkeeper.logs import configure, logging_settings

PART = 20
# To a page of the admin that shows rows, without what filters or sorts it.
LINK = re.compile(rb'<a [^>]*href="(/admin/(?![^"?#]*/(?:add|delete)/)[^"?#]*)')


def found(secrets: Iterable[str], places: Mapping[str, bytes]) -> set[str]:
    """The names of the places that hold the beginning or the end of a secret."""
    parts = {part.encode() for secret in secrets for part in (secret[:PART], secret[-PART:])}
    return {name for name, content in places.items() if any(part in content for part in parts)}


def database_bytes() -> bytes:
    """The database's file and its write-ahead log, pages that are no longer used included."""
    path = str(connection.settings_dict["NAME"])
    files = [Path(path + suffix) for suffix in ("", "-wal", "-journal")]
    return b"".join(file.read_bytes() for file in files if file.exists())


def admin_pages(browser: Browser) -> bytes:
    """Every page of the admin that a superuser comes to by links, with each row's own page."""
    addresses = [reverse("admin:index")]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        keys = model._base_manager.values_list("pk", flat=True)
        addresses.extend(reverse(name, args=[key]) for key in keys)
    pages: dict[str, bytes] = {}
    while addresses:
        if (address := addresses.pop()) not in pages:
            pages[address] = _page(browser, address)
            addresses += (found.decode() for found in LINK.findall(pages[address]))
    return b"".join(pages.values())


def _page(browser: Browser, address: str) -> bytes:
    response = browser.get(address)
    assert response.status_code == 200, address
    return response.content


@contextmanager
def logs_as_deployed(*, level: str, renderer: str) -> Iterator[StringIO]:
    """The service's own logging at a level, written to memory in place of standard error."""
    config = logging_settings(level=level, renderer=renderer)
    stream = config["handlers"]["stderr"]["stream"] = StringIO()
    loggers = [logging.getLogger(name) for name in ("", *config["loggers"])]
    before: list[Any] = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    configure(config)
    try:
        yield stream
    finally:
        for logger, old_level, handlers in before:
            logger.setLevel(old_level)
            logger.handlers[:] = handlers
