"""A call of a webhook goes where it may, is signed, and ends in time whatever the receiver does."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import trustme

from credentials.operations import webhook_calls
from credentials.operations.webhook_calls import Answer, Call, Problem, send
from credentials.rules.secret import Secret
from tests.oidc.issuer import TlsServer, write_authority
from tests.oidc.issuer import send as answer

pytestmark = pytest.mark.loopback
NOW = datetime(2026, 11, 27, tzinfo=UTC)
LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def receiver(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TlsServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(write_authority(authority, tmp_path)))
    server = TlsServer(authority)
    yield server
    server.stop()


def call(url: str, networks: list[str] = LOOPBACK) -> Answer:
    secrets = [Secret("whsec_c2VjcmV0")]
    sent = Call(url=url, event_id="e1", body=b'{"a":1}', secrets=secrets, allowed_networks=networks)
    return send(sent, now=NOW)


def test_call_is_a_signed_post_to_the_whole_address(receiver: TlsServer) -> None:
    seen: dict[str, str] = {}

    def look(handler: BaseHTTPRequestHandler) -> None:
        seen.update({name.lower(): value for name, value in handler.headers.items()})
        answer(handler, b"ignored", 202)

    receiver.answer = look
    assert call(f"{receiver.url}/hook?of=docs") == Answer(status=202)
    assert receiver.requests == ["/hook?of=docs"]
    assert (seen["webhook-id"], seen["webhook-timestamp"]) == ("e1", "1795737600")
    assert seen["webhook-signature"].startswith("v1,")
    assert seen["content-type"] == "application/json"
    assert seen["host"] == receiver.url.removeprefix("https://")


def test_redirect_and_failure_are_statuses(receiver: TlsServer) -> None:
    statuses = [301, 308, 400, 410, 500]
    waiting = iter(statuses)
    receiver.answer = lambda handler: answer(
        handler, b"", next(waiting), Location=f"{receiver.url}/x"
    )
    for asked, status in enumerate(statuses, 1):
        assert call(receiver.url) == Answer(status=status, problem=Problem.STATUS)
        assert len(receiver.requests) == asked


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.rfile.read()


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A header without end, a byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    with suppress(OSError):
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)


def test_receiver_that_does_not_come_to_an_end_is_hung_up_on(
    receiver: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_calls, "WHOLE_SECONDS", 0.5)
    for behaviour in (hang, drip):
        receiver.answer = behaviour
        assert call(receiver.url) == Answer(problem=Problem.TIMED_OUT), behaviour


def resolved(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """What names lead to, one answer after the other; and the addresses that are connected to."""
    connected: list[str] = []
    waiting = [list(each) for each in answers]

    def resolve(_host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in waiting.pop(0)]

    def connect(address: tuple[str, int], **_: Any) -> Any:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    return connected


INTERNAL = Answer(problem=Problem.INTERNAL_ADDRESS)
REFUSED = Answer(problem=Problem.UNREACHABLE)
# what the name resolves to -> addresses that are connected to
LEADS: dict[str, tuple[list[str], list[str]]] = {
    "public": (["93.184.216.34"], ["93.184.216.34"]),
    "metadata": (["169.254.169.254"], []),
    "loopback": (["127.0.0.1", "::1"], []),
    "mapped": (["::ffff:10.0.0.1"], []),
    "public and internal": (["10.0.0.1", "93.184.216.34"], ["93.184.216.34"]),
    "several": (
        ["2606:2800:220:1::1", "93.184.216.34", "93.184.216.35"],
        ["2606:2800:220:1::1", "93.184.216.34"],
    ),
}


def test_only_public_addresses_are_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for case, (addresses, expected) in LEADS.items():
        connected = resolved(monkeypatch, addresses)
        assert call("https://hooks.example.org/", networks=[]) == (
            REFUSED if expected else INTERNAL
        ), case
        assert connected == expected, case


def test_name_is_resolved_once_and_its_checked_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected = resolved(monkeypatch, ["93.184.216.34"], ["169.254.169.254"])
    assert call("https://rebinding.example.org/", networks=[]) == REFUSED
    assert connected == ["93.184.216.34"]


def test_plain_text_needs_an_allowed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = resolved(monkeypatch, ["93.184.216.34"], ["10.1.2.3"])
    assert call("http://hooks.example.org/", networks=["10.0.0.0/8"]) == INTERNAL
    assert call("http://hooks.internal/", networks=["10.0.0.0/8"]) == REFUSED
    assert connected == ["10.1.2.3"]


def test_certificate_of_another_host_or_authority_is_refused(
    receiver: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = receiver.url.replace("127.0.0.1", "localhost")
    assert call(other, networks=[*LOOPBACK, "::1"]) == Answer(problem=Problem.CERTIFICATE)
    monkeypatch.delenv("SSL_CERT_FILE")
    assert call(receiver.url) == Answer(problem=Problem.CERTIFICATE)
    assert receiver.requests == []


def test_failure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, problem in [
        (socket.gaierror(), Problem.UNKNOWN_HOST),
        (UnicodeError(), Problem.UNKNOWN_HOST),
        (TimeoutError(), Problem.TIMED_OUT),
        (ssl.SSLError(), Problem.TLS),
        (OSError(), Problem.UNREACHABLE),
    ]:
        monkeypatch.setattr(socket, "getaddrinfo", Mock(side_effect=error))
        assert call("https://hooks.example.org/") == Answer(problem=problem), error
