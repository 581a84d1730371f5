"""botocore's own refresh logic against the service, for two hours of a clock that is moved."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from botocore.credentials import RefreshableCredentials
from botocore.utils import ContainerMetadataFetcher
from rest_framework.test import APIClient

from builds.models import Build
from credentials.vending import serving
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 25, tzinfo=UTC)
TWO_HOURS = 2 * 3600


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as moved:
        yield moved


class Sdk:
    """A process with botocore's refreshing credentials; `fetches` counts its calls."""

    def __init__(self, api: APIClient, build: Build) -> None:
        self._api, self._path = api, f"/builds/{build.pk}/credentials"
        self.fetches = 0
        self._credentials = RefreshableCredentials.create_from_metadata(
            self._fetch(), refresh_using=self._fetch, method="container-role"
        )

    def _fetch(self) -> dict[str, Any]:
        self.fetches += 1
        answer = self._api.get(self._path)
        assert answer.status_code == 200
        document = answer.json()
        return {
            "access_key": document["AccessKeyId"],
            "secret_key": document["SecretAccessKey"],
            "token": document["Token"],
            "expiry_time": document["Expiration"],
        }

    def sign(self) -> None:
        """What every request to the store does first."""
        assert self._credentials.get_frozen_credentials().token


@pytest.mark.parametrize("step", [1, 7, 60])
def test_two_hours_of_one_process_take_eight_fetches(
    step: int, api: APIClient, build: Build, sts: FakeSts, clock: time_machine.Traveller
) -> None:
    sdk = Sdk(api, build)
    for _ in range(0, TWO_HOURS, step):
        sdk.sign()
        clock.shift(timedelta(seconds=step))
    assert sdk.fetches <= 8
    assert len(sts.requests) == sdk.fetches
    assert {request["DurationSeconds"] for request in sts.requests} == {1800}


def test_processes_that_come_and_go_share_what_is_issued(
    api: APIClient, build: Build, sts: FakeSts, clock: time_machine.Traveller
) -> None:
    fetches = 0
    for _ in range(TWO_HOURS // 30):  # `aws s3 cp`, every half minute, each with two requests
        sdk = Sdk(api, build)
        sdk.sign()
        sdk.sign()
        fetches += sdk.fetches
        clock.shift(timedelta(seconds=30))
    assert fetches == TWO_HOURS // 30
    assert len(sts.requests) == 9


def test_service_answers_before_an_sdk_hangs_up() -> None:
    assert serving.ANSWER_SECONDS < ContainerMetadataFetcher.TIMEOUT_SECONDS
