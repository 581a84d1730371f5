"""Access tokens and the ways to show a key: `name:key`, `key:` and Bearer; no cookie counts."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils import timezone

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.models import AccessToken, ApiKey, JobToken
from ltdkeeper.api import builds, tokens
from tests.conftest import api_for, raw_key
from tests.http.conftest import Refused, Send, basic
from tests.http.endpoints import LIST_PRODUCTS, REGISTER_BUILD, TOKEN, Endpoint
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db

HALF_A_DAY = 12 * 3600
JOB_TOKEN = Endpoint(method="GET", path="/token?format=json&product=guide")


@pytest.fixture
def token(send: Send) -> str:
    """What `GET /token` gives."""
    return str(send(TOKEN).json()["token"])


SHOWN: dict[str, Callable[[str], str]] = {
    "name and key": lambda key: basic("ci", key),
    "key with an empty password": lambda key: basic(key, ""),
    "Bearer": lambda key: f"Bearer {key}",
    "bearer": lambda key: f"bearer {key}",
    "BASIC": lambda key: basic("ci", key).replace("Basic", "BASIC"),
}


def test_key_and_access_token_are_taken_in_every_form(
    send: Send, caller: Caller, token: str
) -> None:
    for form, header in SHOWN.items():
        for raw_token in (raw_key(caller), token):
            response = send(LIST_PRODUCTS, HTTP_AUTHORIZATION=header(raw_token))
            assert response.status_code == 200, form


def test_each_asking_gives_another_token(send: Send, token: str) -> None:
    assert send(TOKEN).json()["token"] != token
    assert AccessToken.objects.count() == 2


def test_token_is_answered_with_itself(token: str) -> None:
    assert api_for(token).get("/token").json()["token"] == token
    assert AccessToken.objects.count() == 1


@pytest.mark.parametrize("endpoint", [TOKEN, JOB_TOKEN, REGISTER_BUILD])
def test_key_that_ends_during_its_request_gives_nothing(
    endpoint: Endpoint, send: Send, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name = (builds if endpoint is REGISTER_BUILD else tokens), "caller_of"
    work = getattr(module, name)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        ApiKey.objects.update(expires_at=timezone.now() + timedelta(seconds=1))

        def late(request: Any) -> Any:
            clock.shift(2)
            return work(request)

        monkeypatch.setattr(module, name, late)
        assert_problem(send(endpoint), 401, "invalid_credentials")
    assert not AccessToken.objects.exists()
    assert not JobToken.objects.exists()
    assert Build.objects.count() == 1  # `send` registered it


def test_token_is_not_taken_under_another_name(refused: Refused, token: str) -> None:
    shown = basic("another", token)
    refused(LIST_PRODUCTS, 401, "invalid_credentials", HTTP_AUTHORIZATION=shown)


@pytest.fixture
def later() -> Iterator[Callable[[float], None]]:
    """Move the clock by seconds from the test's start."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield lambda seconds: traveller.shift(timedelta(seconds=seconds))


def test_access_token_is_not_prolonged_by_asking_again(
    later: Callable[[float], None], send: Send
) -> None:
    shown = basic(send(TOKEN).json()["token"], "")
    later(HALF_A_DAY - 60)
    renewed = send(TOKEN, HTTP_AUTHORIZATION=shown).json()["token"]
    later(60)
    assert send(LIST_PRODUCTS, HTTP_AUTHORIZATION=basic(renewed, "")).status_code == 401


@pytest.fixture
def cookie() -> dict[str, str]:
    """The session cookie of an administrator who is logged in."""
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    return {"HTTP_COOKIE": f"sessionid={browser.cookies['sessionid'].value}"}


def test_key_counts_beside_a_cookie(send: Send, cookie: dict[str, Any]) -> None:
    response = send(LIST_PRODUCTS, **cookie)
    assert response.json()["products"] == ["https://keeper.example.org/products/guide"]


def test_wrong_key_is_not_made_right_by_a_cookie(refused: Refused, cookie: dict[str, Any]) -> None:
    shown = {"HTTP_AUTHORIZATION": "Bearer wrong", **cookie}
    refused(LIST_PRODUCTS, 401, "invalid_credentials", **shown)


def test_key_in_the_address_does_not_count(refused: Refused, caller: Caller) -> None:
    names = ("token", "access_token", "api_key", "key")
    path = "/products/?" + "&".join(f"{name}={raw_key(caller)}" for name in names)
    refused(Endpoint(method="GET", path=path), 401, "not_authenticated", HTTP_AUTHORIZATION="")
