"""The address in the ledger: the peer's, or what our own proxies put down, never an invention."""

from typing import Any

import pytest

from credentials.models import IssuedSession
from tests.conftest import undone
from tests.http.conftest import Send
from tests.http.endpoints import ISSUE, REFRESH

pytestmark = pytest.mark.django_db

PEER = "192.0.2.1"
SPOOFED = "203.0.113.66"

# hops trusted, X-Forwarded-For as it arrives here, what the ledger must say
CASES = {
    "no proxy, no header": (0, None, PEER),
    "no proxy, spoofed": (0, SPOOFED, PEER),
    "one proxy, no header": (1, None, PEER),
    "one proxy": (1, "198.51.100.7", "198.51.100.7"),
    "one proxy, spoofed": (1, f"{SPOOFED}, " * 50 + "198.51.100.7", "198.51.100.7"),
    "one proxy, spoofed without spaces": (1, f"{SPOOFED},198.51.100.7", "198.51.100.7"),
    "one proxy, IPv6": (1, "2001:db8::7", "2001:db8::7"),
    "one proxy, with port": (1, "198.51.100.7:4711", "198.51.100.7"),
    "one proxy, IPv6 with port": (1, "[2001:db8::7]:4711", "2001:db8::7"),
    "one proxy, empty last": (1, f"{SPOOFED}, ", PEER),
    "two proxies": (2, "198.51.100.7, 10.0.0.1", "198.51.100.7"),
    "two proxies, spoofed": (2, f"{SPOOFED}, 198.51.100.7, 10.0.0.1", "198.51.100.7"),
    "two proxies, one entry": (2, SPOOFED, PEER),
}
OTHERS = ["HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_CLIENT_IP", "HTTP_TRUE_CLIENT_IP"]


def test_address_is_taken_through_trusted_proxies_only(send: Send, settings: Any) -> None:
    for case, (proxies, header, expected) in CASES.items():
        with undone():
            settings.LTD_TRUSTED_PROXIES = proxies
            extra = {} if header is None else {"HTTP_X_FORWARDED_FOR": header}
            send(ISSUE, REMOTE_ADDR=PEER, **extra)
            assert IssuedSession.objects.get().caller_address == expected, case


def test_address_of_a_refresh_is_taken_alike(send: Send, settings: Any) -> None:
    settings.LTD_TRUSTED_PROXIES = 1
    send(REFRESH, REMOTE_ADDR=PEER, HTTP_X_FORWARDED_FOR="198.51.100.7")
    assert IssuedSession.objects.get().caller_address == "198.51.100.7"


def test_other_headers_about_addresses_are_ignored(send: Send, settings: Any) -> None:
    settings.LTD_TRUSTED_PROXIES = 1
    send(ISSUE, REMOTE_ADDR=PEER, **dict.fromkeys(OTHERS, SPOOFED))
    assert IssuedSession.objects.get().caller_address == PEER


def test_agent_is_kept_as_far_as_it_fits(send: Send) -> None:
    send(ISSUE, HTTP_USER_AGENT="uploader/1.0 " + "x" * 1_000)
    agent = IssuedSession.objects.get().caller_agent
    assert (agent[:13], len(agent)) == ("uploader/1.0 ", 255)


@pytest.mark.parametrize("agent", ["a\0b", "\u202eevil"])
def test_odd_agent_does_not_fail_the_request(agent: str, send: Send) -> None:
    assert send(ISSUE, HTTP_USER_AGENT=agent).status_code == 200


def test_long_address_does_not_fail_the_request(send: Send, settings: Any) -> None:
    settings.LTD_TRUSTED_PROXIES = 1
    assert send(ISSUE, HTTP_X_FORWARDED_FOR="9" * 1_000).status_code == 200
    assert len(IssuedSession.objects.get().caller_address) <= 45
