"""The `Authorization` header and nothing else: Basic in both forms, Bearer, and what is neither."""

import base64
from collections.abc import Callable

import pytest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from credentials.access.callers import Caller
from ltdkeeper.api.authentication import TokenAuthentication
from tests.conftest import raw_key


def request_with(header: str | None, **more: str) -> Request:
    headers = {} if header is None else {"HTTP_AUTHORIZATION": header}
    return Request(APIRequestFactory().get("/", **headers, **more))


def basic(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return f"Basic {base64.b64encode(data).decode()}"


ACCEPTED: dict[str, Callable[[str], str]] = {
    "Bearer": lambda key: f"Bearer {key}",
    "bearer in lower case": lambda key: f"bearer {key}",
    "Basic with the client's name": lambda key: basic(f"ci:{key}"),
    "Basic in upper case": lambda key: basic(f"ci:{key}").replace("Basic", "BASIC"),
    "Basic with the token as name": lambda key: basic(f"{key}:"),
    "Basic with the token and no colon": basic,
}


def test_header_names_the_caller(caller: Caller) -> None:
    for make_header in ACCEPTED.values():
        header = make_header(raw_key(caller))
        answer = TokenAuthentication().authenticate(request_with(header))
        assert answer is not None, header
        user, auth = answer
        assert user is auth
        assert (user.client, user.api_key) == (caller.client, caller.api_key)


def test_request_without_the_header_stays_anonymous() -> None:
    for header in [None, ""]:
        assert TokenAuthentication().authenticate(request_with(header)) is None


# Others, and that nothing happens then: tests/http/test_wrong_keys.py.
REFUSED: dict[str, Callable[[str], str]] = {
    "Basic that is not base64": lambda key: f"Basic ci:{key}",
    "Basic with stray characters": lambda key: basic(f"ci:{key}")[:-4] + "*===",
    "Basic with the token as name and a password": lambda key: basic(f"{key}:x"),
    "Bearer with a name": lambda key: f"Bearer ci:{key}",
    "wrong key": lambda key: f"Bearer {key[:-4]}0000",
}


def test_header_that_names_no_caller_is_refused(caller: Caller) -> None:
    key = raw_key(caller)
    for case, make_header in REFUSED.items():
        with pytest.raises(AuthenticationFailed) as caught:
            TokenAuthentication().authenticate(request_with(make_header(key)))
        assert key not in str(caught.value.detail), case


def test_key_anywhere_else_authenticates_nobody(caller: Caller) -> None:
    key = raw_key(caller)
    elsewhere = {
        "QUERY_STRING": f"token={key}&access_token={key}",
        "HTTP_COOKIE": f"sessionid={key}; token={key}",
        "HTTP_X_API_KEY": key,
        "HTTP_X_AUTHORIZATION": f"Bearer {key}",
        "REMOTE_USER": "ci",
    }
    assert TokenAuthentication().authenticate(request_with(None, **elsewhere)) is None


def test_challenge_is_basic_as_ltd_clients_expect() -> None:
    challenge = TokenAuthentication().authenticate_header(request_with(None))
    assert challenge == 'Basic realm="ltdkeeper"'
