"""No key, a wrong key, a key that has ended: 401 with `WWW-Authenticate`, and nothing happens."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from credentials.access.callers import Caller
from credentials.access.clients import start_access_token
from credentials.models import AccessToken
from tests.conftest import raw_key
from tests.http.conftest import Refused, Send, basic
from tests.http.endpoints import ISSUE, TOKEN

pytestmark = pytest.mark.django_db

OTHER_ID = "ltdk_000000000000"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def last_digit_changed(key: str) -> str:
    return key[:-1] + ("0" if key[-1] != "0" else "1")


HEADERS: dict[str, Callable[[str], str]] = {
    "blank": lambda key: " ",
    "key alone": lambda key: key,
    "Bearer alone": lambda key: "Bearer",
    "Bearer and nothing": lambda key: "Bearer ",
    "two keys": lambda key: f"Bearer {key}, Bearer {key}",
    "other scheme": lambda key: f"Token {key}",
    "wrong secret": lambda key: f"Bearer {last_digit_changed(key)}",
    "shorter": lambda key: f"Bearer {key[:-1]}",
    "longer": lambda key: f"Bearer {key}0",
    "upper case": lambda key: f"Bearer {key.upper()}",
    "NUL at the end": lambda key: f"Bearer {key}\0",
    "unknown id": lambda key: f"Bearer {OTHER_ID}{key[17:]}",
    "other kind": lambda key: f"Bearer ltds{key[4:]}",
    "public id alone": lambda key: f"Bearer {key[:17]}",
    "secret alone": lambda key: f"Bearer {key[18:]}",
    "the secret's digits full width": lambda key: "Bearer " + key[:18] + "\uff11" * 64,
    "zero-width inside": lambda key: f"Bearer {key[:20]}\u200b{key[20:]}",
    "100,000 characters": lambda key: "Bearer " + "a" * 100_000,
    "Basic alone": lambda key: "Basic",
    "not base64": lambda key: "Basic !!!",
    "no padding": lambda key: "Basic " + b64("ci:x").rstrip("="),
    "not UTF-8": lambda key: "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
    "colon alone": lambda key: basic("", ""),
    "wrong name": lambda key: basic("another", key),
    "no name": lambda key: basic("", key),
    "name in another case": lambda key: basic("CI", key),
    "wrong password": lambda key: basic("ci", "hunter2"),
    "name and password swapped": lambda key: basic(key, "ci"),
    "newline after the key": lambda key: basic("ci", key + "\n"),
    "space before the key": lambda key: basic("ci", " " + key),
    "NUL in the name": lambda key: basic("ci\0", key),
}


def test_malformed_or_wrong_header_is_refused(refused: Refused, caller: Caller) -> None:
    for make_header in HEADERS.values():
        header = make_header(raw_key(caller))
        response = refused(ISSUE, 401, "invalid_credentials", HTTP_AUTHORIZATION=header)
        assert response["WWW-Authenticate"].startswith("Basic ")


def test_ended_access_token_is_refused(refused: Refused, caller: Caller) -> None:
    hours_ago = timezone.now() - timedelta(hours=13)
    token = start_access_token(caller=caller, now=hours_ago).reveal()
    for endpoint in (ISSUE, TOKEN):
        refused(endpoint, 401, "invalid_credentials", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert AccessToken.objects.count() == 1


def test_refusals_do_not_tell_unknown_from_wrong(send: Send, caller: Caller) -> None:
    key = raw_key(caller)
    headers = [f"Bearer {last_digit_changed(key)}", f"Bearer {OTHER_ID}{key[17:]}", "Bearer x"]
    bodies = {send(ISSUE, HTTP_AUTHORIZATION=header).content for header in headers}
    bodies.add(send(ISSUE, HTTP_AUTHORIZATION=basic("another", key)).content)
    assert len(bodies) == 1
