"""API keys are shown once, kept as a hash, and every making and revoking is in the admin log."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import OperationalError

from credentials.access.callers import Caller
from credentials.access.clients import (
    command_line_user,
    make_api_key,
    revoke_api_key,
    start_access_token,
)
from credentials.models import AccessToken, ApiKey, Client
from tests.credentials.cells import cells

MINUTE = timedelta(minutes=1)


@pytest.fixture
def client(db: None) -> Client:
    return Client.objects.create(name="ci")


@pytest.fixture
def actor(db: None) -> User:
    return User.objects.create(username="operator")


def test_key_s_secret_is_nowhere_in_the_database(client: Client, actor: User) -> None:
    key, text = make_api_key(client=client, actor=actor, label="CI")
    everything = "\n".join(cells())
    assert key.public_id in everything
    assert text.reveal() not in everything
    assert text.reveal().rpartition("_")[2] not in everything


def test_session_s_secret_is_nowhere_in_the_database(caller: Caller, now: datetime) -> None:
    text = start_access_token(caller=caller, now=now).reveal()
    assert text.rpartition("_")[2] not in "\n".join(cells())


def test_key_keeps_label_and_expiry(client: Client, actor: User, now: datetime) -> None:
    make_api_key(client=client, actor=actor, label="CI", expires_at=now)
    key = ApiKey.objects.get()
    assert (key.client, key.label, key.expires_at, key.revoked_at) == (client, "CI", now, None)
    assert str(key) == key.token_name == f"ltdk_{key.public_id}"


def test_making_a_key_is_in_the_admin_log(client: Client, actor: User) -> None:
    key, text = make_api_key(client=client, actor=actor)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag, entry.object_id) == (actor, ADDITION, str(key.pk))
    assert (entry.object_repr, entry.change_message) == (str(key), "Made a key for ci.")
    assert text.reveal() not in str(vars(entry))


def test_revoking_a_key_is_in_the_admin_log(client: Client, actor: User, now: datetime) -> None:
    key, _ = make_api_key(client=client, actor=actor)
    revoke_api_key(key=key, actor=actor, now=now)
    entry = LogEntry.objects.get(action_flag=CHANGE)
    assert (entry.user, entry.object_id, entry.change_message) == (actor, str(key.pk), "Revoked.")


def test_revoking_again_changes_nothing(client: Client, actor: User, now: datetime) -> None:
    key, _ = make_api_key(client=client, actor=actor)
    revoke_api_key(key=key, actor=actor, now=now)
    again = revoke_api_key(key=key, actor=actor, now=now + MINUTE)
    assert again.revoked_at == ApiKey.objects.get().revoked_at == now
    assert LogEntry.objects.filter(action_flag=CHANGE).count() == 1


def test_revoking_writes_no_other_key_and_no_other_field(
    client: Client, actor: User, now: datetime
) -> None:
    key, _ = make_api_key(client=client, actor=actor, label="old")
    other, _ = make_api_key(client=client, actor=actor)
    ApiKey.objects.update(label="new")
    revoke_api_key(key=key, actor=actor, now=now)
    assert ApiKey.objects.get(revoked_at=None) == other
    assert ApiKey.objects.get(pk=key.pk).label == "new"


WRITES: dict[str, Callable[[Client, User, datetime], object]] = {
    "making": lambda client, actor, now: make_api_key(client=client, actor=actor),
    "revoking": lambda client, actor, now: revoke_api_key(
        key=ApiKey.objects.get(), actor=actor, now=now
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("case", WRITES)
def test_without_its_log_entry_nothing_is_kept(
    case: str, client: Client, actor: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case == "revoking":
        make_api_key(client=client, actor=actor)
    before = list(ApiKey.objects.values())

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(LogEntry.objects, "log_actions", refuse)
    with pytest.raises(OperationalError):
        WRITES[case](client, actor, now)
    assert list(ApiKey.objects.values()) == before


def test_session_lives_as_long_as_the_setting_says(
    caller: Caller, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LTD_KEY_SESSION_SECONDS", 600)
    start_access_token(caller=caller, now=now)
    session = AccessToken.objects.get()
    assert (session.api_key, session.created_at) == (caller.api_key, now)
    assert session.expires_at == now + timedelta(seconds=600)


# the key ends after, the session that asks ends after (seconds) -> the new session ends after
ENDS = {
    "key for ever": (None, None, 43_200),
    "key that ends sooner": (600, None, 600),
    "key that ends later": (86_400, None, 43_200),
    "session that asks": (None, 600, 600),
    "session that asks, of a key that ends sooner": (300, 600, 300),
}


def test_session_never_outlives_what_asked_for_it(caller: Caller, now: datetime) -> None:
    key = caller.api_key
    assert key is not None
    for case, (key_ends, session_ends, expected) in ENDS.items():
        key.expires_at = now + timedelta(seconds=key_ends) if key_ends else None
        session = session_ends and AccessToken(expires_at=now + timedelta(seconds=session_ends))
        shown = Caller(client=caller.client, api_key=key, access_token=session or None)
        start_access_token(caller=shown, now=now)
        made = AccessToken.objects.latest("pk")
        assert made.expires_at == now + timedelta(seconds=expected), case


def test_service_itself_is_given_no_session(client: Client, now: datetime) -> None:
    with pytest.raises(TypeError, match="only an API key"):
        start_access_token(caller=Caller(client=client), now=now)


# seconds between the expiry of an older session and now -> is it removed
OLDER = {"over this moment": (0, True), "alive": (-1, False)}


@pytest.mark.parametrize("case", OLDER)
def test_new_session_removes_the_key_s_expired_ones(
    case: str, caller: Caller, now: datetime
) -> None:
    ago, removed = OLDER[case]
    start_access_token(caller=caller, now=now - timedelta(days=1))
    old = AccessToken.objects.get()
    AccessToken.objects.update(expires_at=now - timedelta(seconds=ago))
    start_access_token(caller=caller, now=now)
    assert AccessToken.objects.filter(pk=old.pk).exists() is not removed
    assert AccessToken.objects.count() == (1 if removed else 2)


def test_new_session_leaves_those_of_other_keys(
    caller: Caller, make_caller: Callable[..., Caller], now: datetime
) -> None:
    start_access_token(caller=make_caller("other"), now=now - timedelta(days=9))
    start_access_token(caller=caller, now=now)
    assert AccessToken.objects.count() == 2


def test_commands_act_as_a_user_that_cannot_log_in(db: None) -> None:
    user = command_line_user()
    assert (user.username, user.is_active, user.is_staff) == ("command-line", False, False)
    assert not user.has_usable_password()
    assert command_line_user() == user
    assert User.objects.count() == 1


def test_command_line_user_of_an_operator_is_left_as_it_is(db: None) -> None:
    User.objects.create_user("command-line", password="kept-by-its-operator", is_active=True)
    assert command_line_user().check_password("kept-by-its-operator")
    assert User.objects.get().is_active
