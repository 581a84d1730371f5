"""One embedded store for the tests that need no more than that."""

from collections.abc import Iterator

import pytest

from demo.store import EmbeddedStore


@pytest.fixture(scope="session")
def embedded_store() -> Iterator[EmbeddedStore]:
    with EmbeddedStore() as store:
        yield store
