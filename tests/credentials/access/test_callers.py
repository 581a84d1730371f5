"""Who a token stands for: everything is read anew, and every refusal looks and costs the same."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from credentials.access.callers import Caller, authenticate
from credentials.access.clients import command_line_user, revoke_api_key, start_access_token
from credentials.errors import InvalidCredentials
from credentials.models import AccessToken, ApiKey, Client
from tests.conftest import raw_key
from tests.undone import undone

Show = Callable[..., Caller]
SECOND = timedelta(seconds=1)


@pytest.fixture
def key(caller: Caller) -> str:
    return raw_key(caller)


@pytest.fixture
def session(caller: Caller, now: datetime) -> str:
    return start_access_token(caller=caller, now=now).reveal()


@pytest.fixture
def show(now: datetime) -> Show:
    def call(raw_token: str, name: str | None = None, at: datetime = now) -> Caller:
        return authenticate(raw_token=raw_token, name=name, now=at)

    return call


def test_key_stands_for_its_client(show: Show, key: str, caller: Caller) -> None:
    found = show(key)
    assert (found.client, found.api_key, found.access_token) == (
        caller.client,
        caller.api_key,
        None,
    )
    assert found.is_authenticated
    assert found.token_name == f"ltdk_{caller.api_key.public_id}"


def test_session_stands_for_its_key_s_client(show: Show, session: str, caller: Caller) -> None:
    found, row = show(session), AccessToken.objects.get()
    assert (found.client, found.api_key, found.access_token) == (caller.client, caller.api_key, row)
    assert str(row) == f"ltds_{row.public_id}"
    assert found.token_name == f"{caller.api_key}/{row}"


def test_service_itself_is_named_in_the_ledger_too(caller: Caller, now: datetime) -> None:
    inside = Caller(client=caller.client)
    assert (inside.token_name, inside.is_alive(now)) == ("inside", True)
    assert inside.expires_at is None


# the key ends after, its session ends after (seconds) -> what was shown ends after
ENDS = {
    "a key for ever": (None, None, None),
    "a key with an expiry": (600, None, 600),
    "a session of a key for ever": (None, 300, 300),
    "a session that ends before its key": (600, 300, 300),
    "a session whose key ends first": (300, 600, 300),
}


def test_caller_ends_with_the_first_of_what_it_showed(now: datetime) -> None:
    for case, value in ENDS.items():
        key, session, expected = (
            None if seconds is None else now + timedelta(seconds=seconds) for seconds in value
        )
        shown = Caller(
            client=Client(),
            api_key=ApiKey(expires_at=key),
            access_token=AccessToken(expires_at=session) if session else None,
        )
        assert shown.expires_at == expected, case


def test_name_may_be_left_out_or_be_the_client_s(show: Show, key: str, session: str) -> None:
    for name in (None, "ci"):
        assert show(key, name).client == show(session, name).client
    for name in ("", "CI", "ci2", "c"):
        for raw_token in (key, session):
            with pytest.raises(InvalidCredentials):
                show(raw_token, name)


def revoke(now: datetime) -> None:
    revoke_api_key(key=ApiKey.objects.get(), actor=command_line_user(), now=now)


ENDED: dict[str, Callable[[datetime], object]] = {
    "expired": lambda now: ApiKey.objects.update(expires_at=now),
    "revoked": revoke,
    "client disabled": lambda now: Client.objects.update(is_active=False),
    "secret replaced": lambda now: (
        ApiKey.objects.update(secret_sha256="0" * 64),
        AccessToken.objects.update(secret_sha256="0" * 64),
    ),
    "id replaced": lambda now: (
        ApiKey.objects.update(public_id="z" * 12),
        AccessToken.objects.update(public_id="z" * 12),
    ),
}


def test_key_that_ended_opens_nothing_and_its_sessions_neither(
    show: Show, key: str, session: str, now: datetime
) -> None:
    for case, end in ENDED.items():
        assert show(key).client == show(session).client, case
        with undone():
            end(now)
            for raw_token in (key, session):
                with pytest.raises(InvalidCredentials):
                    show(raw_token)


def test_key_with_networks_is_taken_from_there_only(key: str, session: str, now: datetime) -> None:
    ApiKey.objects.update(networks=["192.0.2.0/24"])
    for raw_token in (key, session):
        assert authenticate(raw_token=raw_token, name=None, now=now, address="192.0.2.7")
        for elsewhere in ("192.0.3.7", ""):
            with pytest.raises(InvalidCredentials):
                authenticate(raw_token=raw_token, name=None, now=now, address=elsewhere)


def test_key_works_to_its_last_second(show: Show, key: str, now: datetime) -> None:
    ApiKey.objects.update(expires_at=now + SECOND)
    assert show(key).client.name == "ci"


def test_session_ends_at_its_expiry(show: Show, session: str) -> None:
    expires_at = AccessToken.objects.get().expires_at
    assert show(session, at=expires_at - SECOND)
    with pytest.raises(InvalidCredentials):
        show(session, at=expires_at)


def with_secret_of(raw_token: str, other: str) -> str:
    return f"{raw_token.rpartition('_')[0]}_{other.rpartition('_')[2]}"


def test_secret_of_another_client_s_key_is_refused(
    show: Show, key: str, make_caller: Callable[..., Caller]
) -> None:
    with pytest.raises(InvalidCredentials):
        show(with_secret_of(key, raw_key(make_caller("other"))))


def test_session_is_not_a_key_nor_the_other_way_round(show: Show, key: str, session: str) -> None:
    for raw_token in [key.replace("ltdk", "ltds"), session.replace("ltds", "ltdk")]:
        with pytest.raises(InvalidCredentials):
            show(raw_token)


def spoilt(raw_token: str) -> list[str]:
    prefix, public_id, secret = raw_token.split("_")
    unknown_id, wrong_secret = f"{prefix}_{'0' * 12}_{secret}", f"{prefix}_{public_id}_{'0' * 64}"
    return [unknown_id, wrong_secret, raw_token[:-1]]


def test_refusal_does_not_say_what_was_wrong(show: Show, key: str, session: str) -> None:
    for raw_token in (*spoilt(key), *spoilt(session)):
        with pytest.raises(InvalidCredentials) as caught:
            show(raw_token)
        assert str(caught.value) == InvalidCredentials.message


def test_caller_is_found_in_one_query(
    show: Show, key: str, session: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for raw_token in (key, session):
        show(raw_token)  # notes the use of the key, for a minute
        with django_assert_num_queries(1):
            assert show(raw_token).client.name == "ci"
