"""What only the production server shows: late bodies, odd request lines, stuck callers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.conftest import Call
from tests.faults.fake_store import FakeStore
from tests.faults.service import CLIENT_SECONDS, Service

MEGABYTES = 2_000_000
JSON = "Content-Type: application/json"


@pytest.fixture
def connection(service: Service) -> Iterator[socket.socket]:
    """A bare connection to the service."""
    address = ("127.0.0.1", service.port)
    with socket.create_connection(address, timeout=CLIENT_SECONDS) as opened:
        yield opened


def exchange(
    connection: socket.socket, service: Service, line: str, *headers: str, body: bytes = b""
) -> tuple[int, str, bytes]:
    """Send a request as written; status, head in lower case and body of the answer."""
    authorization = f"Authorization: {service.headers['Authorization']}"
    host = f"Host: 127.0.0.1:{service.port}"
    lines = [f"{line} HTTP/1.1", host, authorization, *headers, "Connection: close", "", ""]
    connection.sendall("\r\n".join(lines).encode("latin-1") + body)
    answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1").lower(), content


BODIES = {
    "too long": (413, "body_too_large", [f"Content-Length: {MEGABYTES}"], b" " * MEGABYTES),
    "too long and never sent": (413, "body_too_large", [f"Content-Length: {MEGABYTES}"], b""),
    "of unknown length": (
        411,
        "length_required",
        ["Transfer-Encoding: chunked"],
        b"2\r\n{}\r\n0\r\n\r\n",
    ),
    "of two lengths": (
        411,
        "length_required",
        ["Content-Length: 2", "Transfer-Encoding: chunked"],
        b"2\r\n{}\r\n0\r\n\r\n",
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_body_is_refused_as_it_comes(
    case: str, connection: socket.socket, service: Service, build: str, store: FakeStore
) -> None:
    status, code, headers, body = BODIES[case]
    line = f"POST {build}/credentials?a=%ff"
    headers = headers if "charset" in case else [JSON, *headers]
    found, head, content = exchange(connection, service, line, *headers, body=body)
    assert (found, store.asked) == (status, 0)
    assert "application/problem+json" in head
    assert f'"code":"{code}"'.encode() in content


LINES = {
    "GET //products/": 404,
    "GET /products/%ff": 404,
    "GET /builds/1%00": 404,
    "GET /static/%2e%2e/%2e%2e/db.sqlite3": 404,
    "OPTIONS *": 404,
    "CONNECT other:443": 405,
    "TRACE /products/": 405,
}


@pytest.mark.parametrize("line", LINES)
def test_odd_request_line_gets_a_problem(
    line: str, connection: socket.socket, service: Service
) -> None:
    status, head, content = exchange(connection, service, line)
    assert status == LINES[line]
    assert "application/problem+json" in head
    assert b"<html" not in content


BROKEN = {
    "length that is no number": ["Content-Length: abc"],
    "two lengths": ["Content-Length: 1", "Content-Length: 2"],
    "header without a name": [": x"],
    "too many headers": [f"X-{number}: a" for number in range(500)],
}


@pytest.mark.parametrize("case", BROKEN)
def test_request_that_is_no_http_is_refused_without_a_page(
    case: str, connection: socket.socket, service: Service
) -> None:
    status, _, content = exchange(connection, service, "GET /token", *BROKEN[case])
    assert 400 <= status < 500
    assert b"<" not in content


def test_http_2_is_not_spoken(connection: socket.socket, service: Service) -> None:
    """There, the service would take a body without `Content-Length` for none."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    assert connection.recv(65_536) == b""


def test_head_never_issues(
    connection: socket.socket, service: Service, build: str, store: FakeStore
) -> None:
    status, head, content = exchange(connection, service, f"HEAD {build}/credentials")
    assert (status, content, store.asked) == (405, b"", 0)
    assert "cache-control: no-store" in head


def test_address_in_the_request_line_does_not_change_answers(
    connection: socket.socket, service: Service, call: Call
) -> None:
    _, _, content = exchange(connection, service, "GET http://evil.example/products/")
    assert content == call("GET", "/products/").content


FORWARDED = {
    "one line": ["X-Forwarded-For: 203.0.113.66, 198.51.100.7"],
    "two lines": ["X-Forwarded-For: 203.0.113.66", "X-Forwarded-For: 198.51.100.7"],
}


@pytest.mark.parametrize("case", FORWARDED)
def test_address_of_the_caller_is_what_our_proxy_put_down(
    case: str, connection: socket.socket, service: Service, build: str
) -> None:
    exchange(connection, service, f"GET {build}/credentials", *FORWARDED[case])
    query = "SELECT caller_address FROM credentials_issuedsession ORDER BY id DESC LIMIT 1"
    assert service.read(query) == [("198.51.100.7",)]


def test_callers_that_never_finish_their_request_stop_nobody(service: Service, call: Call) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stuck = socket.create_connection(("127.0.0.1", service.port))
            stack.enter_context(stuck).sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert call("GET", "/readyz").status_code == 200
        assert call("GET", "/products/").status_code == 200
