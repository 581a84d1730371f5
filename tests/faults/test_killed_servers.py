"""Web processes end in the midst of issuing: what their callers hold is in the ledger."""

import os
import random
import signal
import time

import pytest

from tests.demo.processes import become
from tests.faults.callers import Callers
from tests.faults.conftest import Services
from tests.faults.fake_store import FakeStore
from tests.faults.service import Service
from tests.faults.table import compare, times

pytestmark = pytest.mark.faults


def kill_worker(service: Service, *, spare: int) -> int:
    """End a worker that has begun to answer, but for one; return the one that takes its place."""
    before = service.workers()
    victim = random.choice([pid for pid in before if pid != spare])  # noqa: S311
    os.kill(victim, signal.SIGKILL)
    is_replaced = become(lambda: len(set(service.workers()) - {victim}) == len(before))
    assert is_replaced, service.log.read_text()[-5000:]
    return next(iter(set(service.workers()) - set(before)))


def test_killed_workers_leave_no_credentials_without_a_row(
    shared: Service, store: FakeStore
) -> None:
    tried, newest = times(100, 4), 0
    callers = Callers(shared, refreshing=True)
    with callers.asking():
        for _ in range(tried):
            callers.wait_for_more(16)
            time.sleep(random.random() / 5)  # noqa: S311
            newest = kill_worker(shared, spare=newest)
        callers.wait_for_more()
    named = shared.read("SELECT session_name FROM credentials_issuedsession")
    assert store.session_names <= {name for (name,) in named}
    compare("a web worker is killed", shared, callers, tried)


def test_server_that_is_told_to_stop_cuts_no_answer_off(kind: str, services: Services) -> None:
    service, tried, longest = services.make(kind), times(20, 1), 0.0
    callers = Callers(service)
    for _ in range(tried):
        with service.running(2), callers.asking():
            callers.wait_for_more(32)
            began = time.monotonic()
            service.process.terminate()
            assert service.process.wait() == 0
            longest = max(longest, time.monotonic() - began)
    note = f"ended within {longest:.1f} s"
    row = compare("the server is told to stop under load", service, callers, tried, note)
    assert row.issued == row.held
