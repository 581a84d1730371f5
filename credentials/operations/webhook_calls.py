"""One signed call of a webhook, which reaches no internal network and lasts ten seconds at most.

The name of the webhook's host is resolved once, and the connection is made to the very address that
was checked: a name that leads elsewhere a moment later changes nothing. Redirects are not followed,
proxies are not used, and of the response only the status is read.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from credentials.rules.secret import Secret
from credentials.rules.webhooks import may_connect, signed_headers

CONNECT_SECONDS = 3.0
WHOLE_SECONDS = 10.0
GONE = 410


class Problem(StrEnum):
    """Why a call had no response, or not the expected one; nothing of it is the host's."""

    STATUS = "status"
    UNKNOWN_HOST = "unknown_host"
    INTERNAL_ADDRESS = "internal_address"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    TLS = "tls"
    TIMED_OUT = "timed_out"
    NOT_HTTP = "not_http"


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is sent, and with which secrets it is signed."""

    url: str
    event_id: str
    body: bytes
    secrets: Sequence[Secret]
    allowed_networks: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How a call ended: with a status, or without one for the reason of `problem`."""

    status: int | None = None
    problem: Problem | None = None

    @property
    def is_taken(self) -> bool:
        return self.problem is None


class InternalAddress(OSError):
    """No address of the host may be connected to."""


# The first that fits; each is an OSError but for the last.
PROBLEMS: list[tuple[type[Exception], Problem]] = [
    (InternalAddress, Problem.INTERNAL_ADDRESS),
    (socket.gaierror, Problem.UNKNOWN_HOST),
    (ssl.SSLCertVerificationError, Problem.CERTIFICATE),
    (TimeoutError, Problem.TIMED_OUT),
    (ssl.SSLError, Problem.TLS),
    (http.client.HTTPException, Problem.NOT_HTTP),
    (OSError, Problem.UNREACHABLE),
    (ValueError, Problem.UNKNOWN_HOST),  # a name that IDNA does not take
]


def send(call: Call, *, now: datetime) -> Answer:
    """Send it once. A failure is a result too: this raises nothing."""
    until = time.monotonic() + WHOLE_SECONDS
    try:
        status = _status(call, now, until)
    except (OSError, http.client.HTTPException, ValueError) as err:
        problem = next(each for kind, each in PROBLEMS if isinstance(err, kind))
        answer = Answer(problem=problem)
    else:
        is_taken = 200 <= status < 300  # noqa: PLR2004 - success, in HTTP
        answer = Answer(status=status, problem=None if is_taken else Problem.STATUS)
    # What is hung up on may look like any failure, and like an answer that has come to its end.
    return answer if time.monotonic() < until else Answer(problem=Problem.TIMED_OUT)


def _status(call: Call, now: datetime, until: float) -> int:
    parts = urlsplit(call.url)
    host, is_https = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_https else 80)
    connected = _connect(host, port, call.allowed_networks, is_https=is_https)
    if is_https:
        connected = ssl.create_default_context().wrap_socket(
            connected, server_hostname=host, do_handshake_on_connect=False
        )
    headers = {
        **signed_headers(secrets=call.secrets, event_id=call.event_id, sent_at=now, body=call.body),
        "host": parts.netloc,
        "content-type": "application/json",
        "user-agent": "ltdkeeper",
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _hanging_up(connected, until):
        if isinstance(connected, ssl.SSLSocket):
            connected.do_handshake()
        connection = http.client.HTTPConnection(host, port)
        connection.sock = connected
        connection.request("POST", target, call.body, headers)
        with connection.getresponse() as response:
            return response.status


@contextmanager
def _hanging_up(connected: socket.socket, until: float) -> Iterator[None]:
    """Close the connection at the end, and shut it down when its time is over: a receiver that
    sends a byte now and then passes every time-out of a socket.
    """

    def hang_up() -> None:
        with suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)  # also under TLS

    watchdog = threading.Timer(max(0, until - time.monotonic()), hang_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        with closing(connected):
            yield
    finally:
        watchdog.cancel()


def _connect(
    host: str, port: int, allowed_networks: Sequence[str], *, is_https: bool
) -> socket.socket:
    """A connection to the first address of a host that may be connected to and answers."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(each[4][0]) for each in found)
    allowed = [each for each in addresses if may_connect(each, allowed_networks, is_https=is_https)]
    problem: OSError = InternalAddress()
    for address in allowed[:2]:
        try:
            connected = socket.create_connection((address, port), timeout=CONNECT_SECONDS)
        except OSError as err:
            problem = err
        else:
            connected.settimeout(WHOLE_SECONDS)
            return connected
    raise problem
