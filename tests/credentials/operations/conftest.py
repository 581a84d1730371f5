"""What tests of the store's account share."""

import pytest
from boto3.session import Session


@pytest.fixture(scope="session")
def boto3_session() -> Session:
    """One for all: loading the services' models anew costs more than any test."""
    return Session()
