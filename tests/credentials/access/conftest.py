"""Jobs: callers that hold a job token."""

from collections.abc import Callable
from datetime import datetime

import pytest

from builds.models import Product
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import start_job_token

MakeJob = Callable[..., Caller]


@pytest.fixture
def make_job(caller: Caller, product: Product, now: datetime) -> MakeJob:
    """A caller with a fresh job token that came from the caller's key."""

    def make(*products: Product, life_seconds: int | None = None) -> Caller:
        _, secret = start_job_token(
            client=caller.client,
            api_key=caller.api_key,
            products=products or [product],
            life_seconds=life_seconds,
            now=now,
        )
        return authenticate(raw_token=secret.reveal(), name=None, now=now)

    return make


@pytest.fixture
def job(make_job: MakeJob) -> Caller:
    return make_job()
