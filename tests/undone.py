"""One situation after another in one test: what each does to rows and settings is undone."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.test import override_settings


@contextmanager
def undone() -> Iterator[None]:
    """A savepoint that is rolled back. What is durable may be done inside, as in any test."""
    savepoint = transaction.atomic()
    savepoint._from_testcase = True  # type: ignore[attr-defined]
    with override_settings(), savepoint:
        yield
        transaction.set_rollback(True)
