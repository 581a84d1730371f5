"""Two clients with the same grant: each sees the other's builds and changes only its own."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.access.clients import command_line_user, make_api_key, start_access_token
from credentials.models import ApiKey, BuildOwner, IssuedSession
from tests.conftest import api_for, raw_key, undone
from tests.fake_sts import FakeSts
from tests.http.conftest import Send, basic
from tests.http.endpoints import (
    CHANGING_A_BUILD,
    DELETE_BUILD,
    ISSUE,
    ISSUING,
    READ_BUILD,
    REGISTER_BUILD,
    Endpoint,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def neighbour(make_caller: Callable[..., Caller], product: Product) -> str:
    """The key of another client with the same grant."""
    return raw_key(make_caller("neighbour", product))


@pytest.fixture
def second_key(caller: Caller) -> str:
    """Another key of the same client."""
    _, secret = make_api_key(client=caller.client, actor=command_line_user())
    return secret.reveal()


def test_build_belongs_to_who_registered_it(send: Send, caller: Caller) -> None:
    send(REGISTER_BUILD)
    registration = BuildOwner.objects.latest("pk")
    assert (registration.client, registration.token_name) == (caller.client, caller.token_name)


def test_neighbour_may_look(send: Send, neighbour: str) -> None:
    assert send(READ_BUILD, HTTP_AUTHORIZATION=f"Bearer {neighbour}").status_code == 200


def test_neighbours_change_nothing_of_each_other(send: Send, neighbour: str, sts: FakeSts) -> None:
    api = api_for(neighbour)
    for endpoint in CHANGING_A_BUILD.values():
        with undone():
            theirs = api.post("/products/guide/builds/", {"git_refs": ["main"]}).json()
            path = theirs["self_url"].removeprefix("https://keeper.example.org")
            mine = Endpoint(
                method=endpoint.method,
                path=endpoint.path.replace("/builds/{build}", path),
                body=endpoint.body,
            )
            assert send(mine).json()["code"] == "not_your_build", endpoint
            assert (sts.requests, IssuedSession.objects.count()) == ([], 0), endpoint


def test_any_key_of_the_client_gets_credentials(send: Send, second_key: str) -> None:
    for endpoint in ISSUING.values():
        with undone():
            response = send(endpoint, HTTP_AUTHORIZATION=f"Bearer {second_key}")
            assert response.status_code == 200, endpoint
            assert IssuedSession.objects.get().token_name == second_key[:17], endpoint


def test_build_of_a_access_token_belongs_to_the_client(
    send: Send, caller: Caller, now: datetime
) -> None:
    token = start_access_token(caller=caller, now=now).reveal()
    built = send(REGISTER_BUILD, HTTP_AUTHORIZATION=basic(token, "")).json()
    path = built["self_url"].removeprefix("https://keeper.example.org")
    shown = f"{caller.token_name}/{token[:17]}"
    assert BuildOwner.objects.latest("pk").token_name == shown
    assert send(Endpoint(method="POST", path=f"{path}/credentials", body={})).status_code == 200


def test_deleted_build_is_still_read_but_gets_nothing(send: Send) -> None:
    send(DELETE_BUILD)
    assert send(READ_BUILD).json()["state"] == "deleted"
    assert send(ISSUE).json()["code"] == "build_closed"


def test_build_closes_no_later_than_its_key_ends(send: Send, now: datetime) -> None:
    end = now + timedelta(hours=1)
    ApiKey.objects.update(expires_at=end)
    send(REGISTER_BUILD)
    assert Build.objects.latest("pk").open_until == end


def test_build_stays_open_for_the_upload_window(send: Send) -> None:
    send(REGISTER_BUILD)
    build = Build.objects.latest("pk")
    assert build.open_until - build.registered_at == timedelta(hours=12)
