"""A call that issues a session, as the views make it; a bucket that the auditor looks at."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from builds.models import Build, Product
from credentials.access.callers import Caller, Origin
from credentials.models import Client, Delivery
from credentials.operations.audit import bucket
from credentials.rules.bucket_layout import allowed_prefixes
from credentials.vending.issuing import VendedSession, issue_session
from tests.credentials.operations.audit.planted import World, orderly
from tests.fake_sts import FakeSts


@pytest.fixture
def issue(caller: Caller, build: Build, sts: FakeSts) -> Callable[..., VendedSession]:
    def call(**changes: Any) -> VendedSession:
        arguments = {
            "caller": caller,
            "build_id": build.pk,
            "delivery": Delivery.JSON,
            "origin": Origin(address="192.0.2.7", agent="uploader/1.0"),
            "now": timezone.now(),
        }
        return issue_session(**(arguments | changes))

    return call


@pytest.fixture
def world(
    product: Product, client_row: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A bucket in good order, which is what every store's client finds."""
    settings.LTD_ALLOWED_PREFIXES = allowed_prefixes(
        "*/v/, */builds/index.html, */builds/late/index.html"
    )
    world = World(product, client_row)
    monkeypatch.setattr(bucket, "store_client", lambda *_: world.bucket)
    orderly(world)
    return world
