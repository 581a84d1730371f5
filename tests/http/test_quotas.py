"""How much one client may have: 429 on registering only, naming the limit, by the ledger."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.access.models import Client
from credentials.models import IssuedSession
from tests.conftest import raw_key
from tests.credentials.ledger_rows import failed_row, issued_row, requested_row
from tests.http.conftest import Refused, Send, expire
from tests.http.endpoints import DELETE_BUILD, ENDPOINTS, FINISH_BUILD, ISSUE, REGISTER_BUILD
from tests.http.fake_s3 import FakeS3

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def one_build(settings: Any, build: Build) -> Build:
    """The client has as many open builds as it may."""
    settings.LTD_OPEN_BUILDS = 1
    return build


def sessions(client: Client, count: int, **fields: Any) -> None:
    for _ in range(count):
        issued_row(client=client, requested_at=timezone.now(), **fields)


@pytest.fixture
def three_sessions(settings: Any, caller: Caller, build: Build) -> None:
    """The client asked for as many sessions within the hour as it may."""
    settings.LTD_SESSIONS_AN_HOUR = 3
    sessions(caller.client, 3)


def test_registering_beyond_the_open_builds_is_refused(one_build: Build, refused: Refused) -> None:
    response = refused(REGISTER_BUILD, 429, "too_many_open_builds")
    assert int(response["Retry-After"]) > 0
    assert "1 open builds" in response.json()["message"]
    assert "LTD_OPEN_BUILDS" in response.json()["message"]


def test_registering_beyond_the_sessions_is_refused(three_sessions: None, refused: Refused) -> None:
    response = refused(REGISTER_BUILD, 429, "too_many_sessions")
    assert int(response["Retry-After"]) > 0
    assert "3 sessions within an hour" in response.json()["message"]
    assert "LTD_SESSIONS_AN_HOUR" in response.json()["message"]


OTHERS = {name: each for name, each in ENDPOINTS.items() if each != REGISTER_BUILD}


@pytest.mark.parametrize("name", OTHERS)
def test_everything_else_goes_on(
    name: str, one_build: Build, three_sessions: None, send: Send, s3: FakeS3
) -> None:
    s3.sizes = [1]
    assert send(OTHERS[name]).status_code in {200, 201}


ENDS: dict[str, Callable[[Send, Build], object]] = {
    "finished": lambda send, build: send(FINISH_BUILD),
    "deleted": lambda send, build: send(DELETE_BUILD),
    "out of time": lambda send, build: expire(build),
}


@pytest.mark.parametrize("how", ENDS)
def test_closed_build_makes_room(how: str, one_build: Build, send: Send, s3: FakeS3) -> None:
    s3.sizes = [1]
    ENDS[how](send, one_build)
    assert send(REGISTER_BUILD).status_code == 201


# sessions of the client within the hour, an hour ago -> is there room under a limit of three
COUNTED = {"one less": (2, 0, 201), "as many": (3, 0, 429), "one an hour ago": (2, 1, 201)}


@pytest.mark.parametrize("case", COUNTED)
def test_sessions_of_the_last_hour_count(
    case: str, send: Send, caller: Caller, settings: Any
) -> None:
    settings.LTD_SESSIONS_AN_HOUR = 3
    recent, old, status = COUNTED[case]
    sessions(caller.client, recent + old)
    for row in IssuedSession.objects.all()[:old]:
        IssuedSession.objects.filter(pk=row.pk).update(requested_at=timezone.now() - HOUR)
    assert send(REGISTER_BUILD).status_code == status


NOT_HANDED_OUT: dict[str, Callable[..., object]] = {
    "requested": requested_row,
    "failed": failed_row,
    "withheld": lambda **fields: issued_row(status="withheld", **fields),
}


@pytest.mark.parametrize("status", NOT_HANDED_OUT)
def test_sessions_that_were_not_handed_out_count_too(
    status: str, send: Send, caller: Caller, settings: Any
) -> None:
    settings.LTD_SESSIONS_AN_HOUR = 1
    NOT_HANDED_OUT[status](client=caller.client, requested_at=timezone.now())
    assert send(REGISTER_BUILD).status_code == 429


def test_issuing_fills_the_limit_and_is_never_stopped_by_it(send: Send, settings: Any) -> None:
    settings.LTD_SESSIONS_AN_HOUR = 2
    assert [send(ISSUE).status_code for _ in range(4)] == [200] * 4
    assert send(REGISTER_BUILD).status_code == 429


def test_limits_are_each_client_s_own(
    one_build: Build,
    three_sessions: None,
    send: Send,
    make_caller: Callable[..., Caller],
    product: Product,
) -> None:
    other = make_caller("other", product)
    shown = {"HTTP_AUTHORIZATION": f"Bearer {raw_key(other)}"}
    assert send(REGISTER_BUILD, **shown).status_code == 201
