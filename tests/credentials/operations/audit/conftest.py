"""A build that is open at `NOW`, and a client whose only key has an expiry."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from builds.models import Build
from credentials.models import ApiKey, Client
from tests.credentials.ledger_rows import NOW


@pytest.fixture(autouse=True)
def _limits_as_they_were(settings: Settings) -> None:
    """Situations change them; this puts them back."""
    settings.LTD_OPEN_BUILDS, settings.LTD_SESSIONS_AN_HOUR = 1000, 600


@pytest.fixture
def client(client_row: Client) -> Client:
    ApiKey.objects.update(expires_at=NOW + timedelta(days=30))
    return client_row


@pytest.fixture
def build(register: Callable[..., Build], client: Client) -> Build:
    return register(now=NOW - timedelta(minutes=5))
