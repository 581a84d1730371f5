"""A call that issues a session, as the views make it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Build
from credentials.access.callers import Caller, Origin
from credentials.models import Delivery
from credentials.vending.issuing import VendedSession, issue_session
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
