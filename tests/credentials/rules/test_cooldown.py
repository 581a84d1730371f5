"""A store that let a call time out is left alone for a moment, so that threads stay free."""

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from django.utils import timezone

from builds.models import Store
from credentials.errors import StsError, StsUnreachable
from credentials.rules.cooldown import COOLDOWN_SECONDS, Cooldown
from credentials.vending.sts import assume_role
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db

URL = "https://sts.example.org"


def call(store: Store) -> None:
    assume_role(
        store=store,
        session_name="session-name",
        policy="{}",
        duration_seconds=900,
        now=timezone.now(),
    )


TIMEOUTS = [ReadTimeoutError(endpoint_url=URL), ConnectTimeoutError(endpoint_url=URL)]


def test_store_that_timed_out_is_not_asked_again_at_once(store: Store, sts: FakeSts) -> None:
    for timeout in TIMEOUTS:
        sts.error = timeout
        for _ in range(3):
            with pytest.raises(StsUnreachable):
                call(store)
        assert len(sts.requests) == 1, timeout


def test_other_store_is_asked_meanwhile(store: Store, sts: FakeSts) -> None:
    sts.error = TIMEOUTS[0]
    with pytest.raises(StsUnreachable):
        call(store)
    sts.error, store.region = None, "eu-central-1"
    call(store)
    assert len(sts.requests) == 2


def test_refused_connection_costs_no_time_and_is_tried_again(store: Store, sts: FakeSts) -> None:
    sts.error = EndpointConnectionError(endpoint_url=URL)
    for _ in range(2):
        with pytest.raises(StsUnreachable):
            call(store)
    assert len(sts.requests) == 2


def test_throttling_does_not_stop_others(store: Store, sts: FakeSts) -> None:
    sts.fail_with("Throttling")
    for _ in range(2):
        with pytest.raises(StsError):
            call(store)
    assert len(sts.requests) == 2


def test_cooldown_ends() -> None:
    times = iter([100.0, 100.0 + COOLDOWN_SECONDS - 0.1, 100.0 + COOLDOWN_SECONDS])
    cooldown = Cooldown(clock=lambda: next(times))
    cooldown.begin("store")
    assert (cooldown.is_on("store"), cooldown.is_on("store")) == (True, False)


def test_unknown_endpoint_is_not_left_alone() -> None:
    assert not Cooldown(clock=lambda: 0.5).is_on("store")
