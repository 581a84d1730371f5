"""The last look: each thing the right rests on is read anew, and locked in one order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from builds.models import Build, Product
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import start_access_token
from credentials.models import AccessToken, ApiKey, BuildOwner, Client, Grant
from tests.credentials.access.looks import right_still_stands
from tests.undone import undone

Look = Callable[..., bool]


@pytest.fixture
def look(caller: Caller, build: Build, now: datetime) -> Look:
    def call(**changes: Any) -> bool:
        with transaction.atomic():
            return right_still_stands(
                **({"caller": caller, "build_id": build.pk, "now": now} | changes)
            )

    return call


@pytest.fixture
def session_caller(caller: Caller, now: datetime) -> Caller:
    token = start_access_token(caller=caller, now=now)
    return authenticate(raw_token=token.reveal(), name=None, now=now)


def test_right_stands_while_nothing_changed(look: Look, session_caller: Caller) -> None:
    assert look()
    assert look(caller=session_caller)


ENDED: dict[str, Callable[[datetime], object]] = {
    "client disabled": lambda now: Client.objects.update(is_active=False),
    "key revoked": lambda now: ApiKey.objects.update(revoked_at=now),
    "key expired": lambda now: ApiKey.objects.update(expires_at=now),
    "grant taken": lambda now: Grant.objects.all().delete(),
    "registration taken": lambda now: BuildOwner.objects.all().delete(),
    "build finished": lambda now: Build.objects.update(finished_at=now),
    "build deleted": lambda now: Build.objects.update(deleted_at=now),
    "build out of time": lambda now: Build.objects.update(
        open_until=now, registered_at=now - timedelta(hours=1)
    ),
}


def test_right_ends_with_each_thing_it_rests_on(
    look: Look, session_caller: Caller, now: datetime
) -> None:
    for case, end in ENDED.items():
        with undone():
            end(now)
            assert not look(), case
            assert not look(caller=session_caller), case
    assert look(caller=session_caller)


SESSION_ENDED: dict[str, Callable[[datetime], object]] = {
    "expired": lambda now: AccessToken.objects.update(
        expires_at=now, created_at=now - timedelta(hours=1)
    ),
    "removed": lambda now: AccessToken.objects.all().delete(),
}


def test_end_of_an_access_token_ends_its_right_and_not_the_key_s(
    look: Look, session_caller: Caller, now: datetime
) -> None:
    for case, end in SESSION_ENDED.items():
        with undone():
            end(now)
            assert not look(caller=session_caller), case
            assert look(), case


def test_key_that_was_removed_gives_no_right(look: Look, caller: Caller) -> None:
    gone = Caller(client=caller.client, api_key=ApiKey(pk=caller.api_key.pk + 1))
    assert not look(caller=gone)


def test_client_that_was_removed_gives_no_right(look: Look, caller: Caller) -> None:
    gone = Caller(client=Client(pk=caller.client.pk + 1), api_key=caller.api_key)
    assert not look(caller=gone)


def test_service_itself_acts_with_the_client_s_right_alone(look: Look, caller: Caller) -> None:
    ApiKey.objects.update(revoked_at=caller.api_key.created_at)
    inside = Caller(client=caller.client)
    assert look(caller=inside)
    Client.objects.update(is_active=False)
    assert not look(caller=inside)


def test_registration_of_another_client_gives_no_right(
    look: Look, make_caller: Callable[..., Caller], product: Product
) -> None:
    assert not look(caller=make_caller("other", product))


def test_grant_of_another_client_gives_no_right(
    look: Look, make_caller: Callable[..., Caller]
) -> None:
    Grant.objects.update(client=make_caller("other").client)
    assert not look()


def test_grant_of_another_product_gives_no_right(
    look: Look, make_product: Callable[..., Product]
) -> None:
    Grant.objects.update(product=make_product("other"))
    assert not look()


def test_unknown_build_gives_no_right(look: Look, build: Build) -> None:
    assert not look(build_id=build.pk + 1)


def test_look_reads_the_database_and_not_the_caller(look: Look, caller: Caller) -> None:
    caller.client.is_active = False
    caller.api_key.revoked_at = caller.api_key.created_at
    assert look()


def test_look_is_one_statement(look: Look) -> None:
    with CaptureQueriesContext(connection) as captured:
        look()
    assert [query["sql"][:6] for query in captured if "SAVEPOINT" not in query["sql"]] == ["SELECT"]
