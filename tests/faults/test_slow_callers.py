"""Callers that never finish what they send take nothing away from the others."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.faults.callers import Callers
from tests.faults.service import Service
from tests.faults.table import compare, times

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("kind", ["postgresql"])]
HALF_OPEN, SLOW, ENDLESS = times(500, 50), times(200, 20), times(200, 20)
HEAD = b"POST /builds/1/credentials HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = HEAD + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


@contextmanager
def connections(service: Service, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """So many that stay open, on which this was sent and nothing else."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            address = ("127.0.0.1", service.port)
            opened.append(stack.enter_context(socket.create_connection(address, timeout=120)))
            opened[-1].sendall(sent)
        yield opened


def test_connections_that_go_on_for_ever_stop_nobody(shared: Service) -> None:
    callers = Callers(shared)
    with (
        connections(shared, HALF_OPEN, b""),
        connections(shared, SLOW, HEAD) as slow,
        connections(shared, ENDLESS, BODY),
        callers.asking(),
    ):
        for number in range(times(20, 2)):
            for each in slow:
                each.sendall(b"X-Slow-%d: 1\r\n" % number)
            callers.wait_for_more(16)
    note = f"{HALF_OPEN} half-open, {SLOW} slow, {ENDLESS} bodies without end, not authenticated"
    compare("callers never finish", shared, callers, HALF_OPEN + SLOW + ENDLESS, note)
