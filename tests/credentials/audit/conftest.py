"""A build that is open at `NOW`, and a client whose only key has an expiry."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from builds.models import Build
from credentials.access.models import ApiKey, Client
from tests.credentials.ledger_rows import NOW


@pytest.fixture
def client(client_row: Client) -> Client:
    ApiKey.objects.update(expires_at=NOW + timedelta(days=30))
    return client_row


@pytest.fixture
def build(register: Callable[..., Build], client: Client) -> Build:
    return register(now=NOW - timedelta(minutes=5))
