"""The service's own log, as it writes it."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from django.conf import settings

from ltdkeeper import logs

Lines = Callable[[], list[dict[str, Any]]]


@contextmanager
def log_at(level: str) -> Iterator[Lines]:
    """Logs as with that `LTD_LOG_LEVEL`; calling what it gives reads the lines so far."""
    stream = io.StringIO()
    with redirect_stderr(stream):
        logs.configure(logs.logging_settings(level=level, renderer="json"))
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure(settings.LOGGING)
