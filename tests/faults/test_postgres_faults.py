"""PostgreSQL ends before, between and after the two commits of issuing, and comes back."""

import random
import time
from contextlib import ExitStack

import pytest

from demo.service import free_port
from tests.demo.processes import become
from tests.faults.callers import Callers
from tests.faults.conftest import Services
from tests.faults.fake_store import FakeStore
from tests.faults.postgres import Postgres
from tests.faults.service import Service
from tests.faults.table import compare, times

pytestmark = pytest.mark.faults
MODES = ("immediate", "fast")


@pytest.mark.parametrize("kind", ["postgresql"])
def test_restarts_under_load_lose_nothing(shared: Service) -> None:
    tried = times(40, 2)
    callers = Callers(shared, refreshing=True)
    with callers.asking():
        for number in range(tried):
            callers.wait_for_more(16)
            time.sleep(random.random() / 5)  # noqa: S311
            shared.server.stop(MODES[number % 2])
            shared.server.start()
        callers.wait_for_more()
    compare("PostgreSQL is restarted under load", shared, callers, tried)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_server_that_stops_while_sts_is_asked_has_nothing_issued(
    shared: Service, store: FakeStore
) -> None:
    tried = times(20, 2)
    callers = Callers(shared, 1)
    for number in range(tried):
        with callers.asking():
            callers.wait_for_more()
            store.asked, store.sts = 0, store.late
            assert become(lambda: store.asked)
            shared.server.stop(MODES[number % 2])
            store.behave()
            shared.server.start()
            callers.wait_for_more()
    compare("PostgreSQL stops while STS is asked", shared, callers, tried)


def fail_over(stack: ExitStack, primary: Postgres, port: int, callers: Callers) -> Postgres:
    """Give a server a standby, and lose the server under load; the standby, promoted."""
    primary.stop("fast")
    standby = primary.copy_to()
    standby.port = port
    standby.follow(primary)
    primary.start()
    stack.enter_context(standby.running())
    assert become(primary.has_synchronous_standby)
    with callers.asking():
        callers.wait_for_more(32)
        primary.stop("immediate")
        standby.promote()
        callers.wait_for_more(32)
    return standby


def test_failover_to_a_synchronous_standby_loses_nothing(services: Services) -> None:
    service, tried, port = services.make("postgresql"), times(5, 1), free_port()
    callers, primary = Callers(service), service.server
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{port}"
    service.env["DATABASE_URL"] = (
        f"postgres://postgres@{hosts}/postgres?target_session_attrs=read-write"
    )
    with ExitStack() as stack:
        stack.enter_context(service.running(2))
        for _ in range(tried):
            primary, port = fail_over(stack, primary, port, callers), primary.port
        compare("PostgreSQL fails over to its synchronous standby", service, callers, tried)
