"""PostgreSQL ends before, between and after the two commits of issuing, and comes back."""

import random
import time
from contextlib import ExitStack, closing

import psycopg
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


# What another session locks, so that the statement waits that comes then.
MOMENTS = {
    "before STS is asked": "LOCK TABLE credentials_issuedsession IN EXCLUSIVE MODE",
    "while STS is asked": "",
    "after STS has answered": "SELECT id FROM builds_build FOR NO KEY UPDATE",
}
WAITS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'"
)


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_server_that_stops_around_the_call_of_sts_has_nothing_issued(
    moment: str, shared: Service, store: FakeStore
) -> None:
    tried, callers, lock = times(20, 2), Callers(shared, 1), MOMENTS[moment]
    with callers.asking():
        callers.wait_for_more()
    for number in range(tried):
        store.asked, store.sts = 0, store.session if lock else store.late
        with closing(psycopg.connect(shared.server.url())) as other:
            other.execute(lock.encode())
            with callers.asking():
                assert become(lambda: shared.read(WAITS) if lock else store.asked)
                assert store.asked == (moment != "before STS is asked")
                stop_and_start(shared.server, store, MODES[number % 2])
                callers.wait_for_more()
    compare(f"PostgreSQL stops {moment}", shared, callers, tried)


def stop_and_start(server: Postgres, store: FakeStore, mode: str) -> None:
    """STS answers in between."""
    server.stop(mode)
    store.behave()
    server.start()


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
