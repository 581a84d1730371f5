"""Too many wrong keys from an address: 429 instead of 401, never for a right key, never where SDKs
come for credentials."""

from dataclasses import replace
from typing import Any

import pytest
import time_machine
from django.core.cache.backends.locmem import LocMemCache

from builds.models import Build
from credentials.access.callers import Caller
from tests.conftest import raw_key, undone
from tests.http.conftest import Refused, Send
from tests.http.endpoints import ENDPOINTS, ISSUE, LIST_PRODUCTS, TOKEN
from tests.http.problem import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_minute")]

WRONG = {"HTTP_AUTHORIZATION": f"Bearer ltdk_000000000000_{'0' * 64}"}
MALFORMED = {"HTTP_AUTHORIZATION": "Token 7"}
NEVER_429 = {name: each for name, each in ENDPOINTS.items() if each.path.endswith("credentials")}
BRAKED = {name: each for name, each in ENDPOINTS.items() if name not in NEVER_429}
LIMIT = 10


@pytest.fixture
def flood(send: Send) -> Any:
    """Show so many wrong keys."""

    def make(times: int = LIMIT, **headers: str) -> list[int]:
        shown = WRONG | headers
        return [send(LIST_PRODUCTS, **shown).status_code for _ in range(times)]

    return make


@pytest.mark.parametrize("shown", [WRONG, MALFORMED], ids=["unknown key", "malformed"])
def test_eleventh_failure_within_a_minute_is_told_to_wait(
    shown: dict[str, str], refused: Refused, flood: Any
) -> None:
    assert flood(**shown) == [401] * LIMIT
    response = refused(LIST_PRODUCTS, 429, "too_many_failures", **shown)
    assert response["Retry-After"] == "45"


def test_after_the_wait_it_is_told_what_is_wrong_again(
    send: Send, flood: Any, one_minute: time_machine.Traveller
) -> None:
    flood(LIMIT + 1)
    one_minute.shift(45)
    assert_problem(send(LIST_PRODUCTS, **WRONG), 401, "invalid_credentials")


def test_right_key_is_answered_in_the_middle_of_a_flood(send: Send, flood: Any) -> None:
    flood(LIMIT + 5)
    for name in ("list products", "issue credentials"):
        assert send(ENDPOINTS[name]).status_code == 200, name


def test_failing_call_is_told_to_wait_everywhere_else(refused: Refused, flood: Any) -> None:
    flood()
    for endpoint in BRAKED.values():
        refused(endpoint, 429, "too_many_failures", **WRONG)


def test_credential_endpoints_never_say_429(refused: Refused, flood: Any) -> None:
    flood(LIMIT + 5)
    for endpoint in NEVER_429.values():
        response = refused(endpoint, 401, "invalid_credentials", **WRONG)
        assert response["WWW-Authenticate"] == 'Basic realm="ltdkeeper"'
        assert "Retry-After" not in response


def test_failures_at_the_credential_endpoints_count(send: Send, refused: Refused) -> None:
    for _ in range(LIMIT):
        send(ISSUE, **WRONG)
    refused(TOKEN, 429, "too_many_failures", **WRONG)


def test_call_without_a_key_is_no_failure(send: Send) -> None:
    for _ in range(LIMIT + 5):
        response = send(LIST_PRODUCTS, HTTP_AUTHORIZATION="")
    assert_problem(response, 401, "not_authenticated")


# trusted proxies, addresses that fail (peer, X-Forwarded-For), one that asks -> is told to wait
ADDRESSES: dict[str, tuple[int, tuple[str, str], tuple[str, str], bool]] = {
    "another claim": (0, ("192.0.2.7", "203.0.113.1"), ("192.0.2.7", "203.0.113.2"), True),
    "behind the proxy": (1, ("10.0.0.1", "192.0.2.7"), ("10.0.0.1", "192.0.2.8"), False),
    "the same /64": (0, ("2001:db8::7", ""), ("2001:db8::8", ""), True),
    "another /64": (0, ("2001:db8::7", ""), ("2001:db8:0:1::7", ""), False),
}


def test_addresses_are_the_trusted_ones(send: Send, flood: Any, settings: Any) -> None:
    for case, (proxies, failing, asking, waits) in ADDRESSES.items():
        with undone():
            settings.LTD_TRUSTED_PROXIES = proxies
            flood(REMOTE_ADDR=failing[0], HTTP_X_FORWARDED_FOR=failing[1])
            response = send(
                LIST_PRODUCTS, REMOTE_ADDR=asking[0], HTTP_X_FORWARDED_FOR=asking[1], **WRONG
            )
            assert response.status_code == (429 if waits else 401), case


def test_limit_is_a_setting(flood: Any, settings: Any) -> None:
    settings.LTD_FAILURES_A_MINUTE = 2
    assert flood(4) == [401, 401, 429, 429]


def test_cache_that_is_away_refuses_nobody(
    send: Send, flood: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(LocMemCache, "get", fails)
    assert flood(LIMIT + 5) == [401] * (LIMIT + 5)
    assert send(LIST_PRODUCTS).status_code == 200


def test_right_key_does_not_ask_the_cache(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("asked")

    for name in ("get", "add", "incr", "set"):
        monkeypatch.setattr(LocMemCache, name, refuse)
    assert send(LIST_PRODUCTS).status_code == 200


def test_refusals_do_not_tell_unknown_from_wrong_either(
    send: Send, flood: Any, caller: Caller, build: Build
) -> None:
    flood()
    key = raw_key(caller)
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    shown = [WRONG["HTTP_AUTHORIZATION"], f"Bearer {wrong}", "Bearer x"]
    answers = {send(LIST_PRODUCTS, HTTP_AUTHORIZATION=each).content for each in shown}
    assert len(answers) == 1


def test_public_reads_with_a_wrong_key_are_braked_too(
    send: Send, flood: Any, settings: Any
) -> None:
    settings.LTD_PUBLIC_READS = True
    flood()
    assert send(LIST_PRODUCTS, **WRONG).status_code == 429
    assert send(LIST_PRODUCTS, HTTP_AUTHORIZATION="").status_code == 200


def test_address_that_does_not_exist_has_no_brake(send: Send, flood: Any) -> None:
    flood()
    nowhere = replace(LIST_PRODUCTS, path="/nowhere")
    assert_problem(send(nowhere, **WRONG), 404, "not_found")
