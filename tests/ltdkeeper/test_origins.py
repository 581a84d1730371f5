"""The caller's address is what our own proxies wrote, never what the caller claims."""

import pytest
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from credentials.access.callers import Origin
from ltdkeeper.api.origins import caller_address, origin_of

PEER, CALLER, PROXY, CLAIMED = "192.0.2.1", "198.51.100.7", "192.0.2.9", "203.0.113.66"

# trusted proxies, X-Forwarded-For -> address; more in tests/http/test_caller_address.py
ADDRESSES = {
    "no proxy, header claimed": (0, CLAIMED, PEER),
    "one proxy, much claimed": (1, f"{CLAIMED}, {CLAIMED},{CLAIMED} , {CALLER}", CALLER),
    "one proxy that wrote an empty header": (1, "", PEER),
    "two proxies, header claimed": (2, f"{CLAIMED}, {CALLER}, {PROXY}", CALLER),
    "spaces": (1, f"  {CALLER}  ", CALLER),
}


def request_with(forwarded: str | None, **more: str) -> Request:
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return Request(APIRequestFactory(REMOTE_ADDR=PEER).get("/", **headers, **more))


@pytest.mark.parametrize("case", ADDRESSES)
def test_address_is_taken_through_trusted_hops_only(case: str, settings: Settings) -> None:
    settings.LTD_TRUSTED_PROXIES, forwarded, expected = ADDRESSES[case]
    assert caller_address(request_with(forwarded)) == expected


def test_origin_is_address_and_agent() -> None:
    request = request_with(None, HTTP_USER_AGENT="ltd-conveyor/0.4.2")
    assert origin_of(request) == Origin(address=PEER, agent="ltd-conveyor/0.4.2")


def test_origin_without_an_agent_is_empty_there() -> None:
    assert origin_of(request_with(None)) == Origin(address=PEER, agent="")
