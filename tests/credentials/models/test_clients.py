"""Each database constraint of clients, grants, keys, access tokens and registrations refuses."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction
from django.db.models import F, ProtectedError

from builds.models import Build
from credentials.access.callers import Caller
from credentials.access.clients import start_access_token
from credentials.models import AccessToken, ApiKey, BuildOwner, Client, Grant

CHECKS: dict[str, list[tuple[type[models.Model], dict[str, Any]]]] = {
    "client_name_legal": [(Client, {"name": name}) for name in ["", "c:i", "ci\n", "caf\u00e9"]],
    "api_key_hashed": [
        (ApiKey, {"secret_sha256": text}) for text in ["0" * 63, "A" * 64, f"{'0' * 63}\n"]
    ],
    "key_session_expires": [
        (AccessToken, {"expires_at": F("created_at")}),
        (AccessToken, {"expires_at": F("created_at") - timedelta(seconds=1)}),
    ],
}


@pytest.fixture
def rows(caller: Caller, build: Build, now: datetime) -> Build:
    """One row of every table."""
    start_access_token(caller=caller, now=now)
    return build


@pytest.mark.parametrize("name", CHECKS)
def test_row_that_breaks_the_rule_is_refused(name: str, rows: Build) -> None:
    for model, fields in CHECKS[name]:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            model._default_manager.update(**fields)


def again(row: models.Model, **changes: Any) -> None:
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    type(row)._default_manager.create(**(fields | {"id": None} | changes))


UNIQUE: dict[str, Callable[[], None]] = {
    "client name": lambda: again(Client.objects.get()),
    "grant_once": lambda: again(Grant.objects.get()),
    "key id": lambda: again(ApiKey.objects.get()),
    "session id": lambda: again(AccessToken.objects.get()),
    "registration": lambda: again(BuildOwner.objects.get(), token_name="another"),
}


@pytest.mark.parametrize("case", UNIQUE)
def test_row_exists_once(case: str, rows: Build) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        UNIQUE[case]()


def test_every_constraint_is_violated_here() -> None:
    tables = (Client, Grant, ApiKey, AccessToken, BuildOwner)
    named = {constraint.name for model in tables for constraint in model._meta.constraints}
    assert named == {*CHECKS, "grant_once"}


def test_client_that_a_registration_names_is_not_removed(rows: Build) -> None:
    with pytest.raises(ProtectedError):
        Client.objects.all().delete()


def test_client_with_keys_is_not_removed(caller: Caller) -> None:
    with pytest.raises(ProtectedError):
        caller.client.delete()


def test_grant_says_who_and_what(caller: Caller) -> None:
    assert str(Grant.objects.get()) == "ci may upload to guide"


# expires in seconds, revoked, client active -> usable by itself, in the query
KEYS = {
    "never expires": (None, False, True, True, True),
    "expires later": (1, False, True, True, True),
    "expires now": (0, False, True, False, False),
    "expired": (-1, False, True, False, False),
    "revoked": (None, True, True, False, False),
    "client disabled": (None, False, False, True, False),
}


@pytest.mark.parametrize("case", KEYS)
def test_usable_keys_are_neither_expired_nor_revoked(
    case: str, api_key: ApiKey, now: datetime
) -> None:
    seconds, revoked, active, by_itself, in_query = KEYS[case]
    api_key.expires_at = None if seconds is None else now + timedelta(seconds=seconds)
    api_key.revoked_at = now if revoked else None
    api_key.save()
    Client.objects.update(is_active=active)
    assert api_key.is_usable(now) is by_itself
    assert ApiKey.objects.usable(now).exists() is in_query
