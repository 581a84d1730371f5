"""The store, the cache and the service's own key fail under load, and come back."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from demo.service import free_port
from tests.faults.callers import Callers
from tests.faults.conftest import Services, preloaded
from tests.faults.fake_store import VENDOR, FakeStore
from tests.faults.service import Service
from tests.faults.table import IS_FULL, compare, times, wait_for_outcomes
from tests.http.sts_answers import Answer

# The database makes little difference here.
KINDS = ["postgresql", "sqlite"] if IS_FULL else ["postgresql"]
pytestmark = [pytest.mark.faults, pytest.mark.parametrize("kind", KINDS)]
BAD = (502, "sts_bad_answer")
EXPIRED = (503, "vendor_credentials_expired")
# By the clock, STS took too long.
WITHHELD = (409, "session_withheld")
LONG_AGO = "2020-01-01T00:00:00Z"
OTHER_ACCOUNT = "arn:aws:sts::210987654321:assumed-role/upload/x"
# What STS does, and what a caller is told then.
FAULTS: dict[str, tuple[Callable[[FakeStore], Answer], tuple[int, str]]] = {
    "refuses": (lambda s: s.refusal("AccessDenied", 403), (502, "role_not_assumable")),
    "throttles": (lambda s: s.refusal("Throttling"), (503, "sts_throttled")),
    "answers garbage": (lambda s: (200, "<Assume arn:aws:x"), BAD),
    "is cut off": (FakeStore.cut, BAD),
    "answers for another account": (lambda s: s.changed("Arn", OTHER_ACCOUNT), BAD),
    "gives a session that is over": (lambda s: s.changed("Expiration", LONG_AGO), BAD),
    "hangs": (FakeStore.hang, (503, "sts_unreachable")),
}


def test_faults_of_sts_lose_nothing(shared: Service, store: FakeStore) -> None:
    tried, callers = times(10, 1), Callers(shared, 4, refreshing=True)
    callers.usual = callers.usual | {told for _, told in FAULTS.values()}
    with callers.asking():
        for behaviour, told in tried * list(FAULTS.values()):
            store.sts = lambda behaviour=behaviour: behaviour(store)
            callers.wait_to_be_told(told)
            store.behave()
            callers.wait_for_more()
    wait_for_outcomes(shared, callers)
    compare("STS fails, in each way", shared, callers, tried * len(FAULTS))


def test_answers_of_sts_that_come_byte_by_byte_are_read(shared: Service, store: FakeStore) -> None:
    tried, callers = times(20, 4), Callers(shared, 4)
    store.drips = True
    with callers.asking():
        callers.wait_for_more(tried)
    compare("STS answers byte by byte", shared, callers, tried)


def test_builds_are_finished_while_the_store_is_away(shared: Service, store: FakeStore) -> None:
    callers = Callers(shared, times(40, 4))
    with callers.asking():
        callers.wait_for_more()
    with store.stopped():
        for build in callers.builds:
            answer = shared.call("PATCH", build, {"uploaded": True}, headers=shared.headers)
            assert (answer.status_code, answer.json()["state"]) == (200, "finished")
    compare("the store is away when a build is finished", shared, callers, len(callers.builds))


def test_own_key_that_rotates_or_expires_loses_nothing(
    kind: str, services: Services, store: FakeStore
) -> None:
    service, tried = services.make(kind), times(40, 4)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del service.env[name]
    service.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = store.url + VENDOR
    callers = Callers(service)
    callers.usual = callers.usual | {EXPIRED}
    with service.running(2), callers.asking():
        for _ in range(tried):
            store.rotate()
            callers.wait_for_more(8)
        store.keys = []
        callers.wait_to_be_told(EXPIRED)
        store.rotate()
        callers.wait_for_more(8)
    compare("the service's own key rotates, and once expires", service, callers, tried)


@contextmanager
def redis(port: int) -> Iterator[None]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            yield
        finally:
            server.kill()


def test_redis_that_goes_and_comes_back_lets_nobody_in(
    kind: str, services: Services, store: FakeStore
) -> None:
    service, port, tried = services.make(kind), free_port(), times(10, 1)
    service.env["LTD_CACHE_URL"] = f"redis://127.0.0.1:{port}/0"
    callers, wrong = Callers(service, 4), {"Authorization": "Bearer ltdk_000000000000_" + "0" * 43}
    with service.running(2), callers.asking():
        for _ in range(tried):
            for is_there in (redis(port), nullcontext()):
                with is_there:
                    callers.wait_for_more(8)
                    assert service.call("GET", "/products/", headers=wrong).status_code == 401
    compare("Redis goes and comes back", service, callers, tried)


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_clock_that_jumps_by_an_hour_loses_nothing(
    kind: str, services: Services, store: FakeStore, tmp_path: Path
) -> None:
    service, tried, shift = services.make(kind), times(10, 1), tmp_path / "shift"
    clock = preloaded("clock.c", tmp_path / "clock.so")
    service.env |= {"LD_PRELOAD": clock, "CLOCK_SHIFT": str(shift)}
    callers = Callers(service, 4)
    callers.usual = callers.usual | {BAD, WITHHELD}
    with service.running(2), callers.asking():
        for seconds in tried * [3600, 0, -3600, 0]:
            shift.write_text(str(seconds))
            callers.wait_for_answers(16)
        callers.wait_for_more(16)
    assert callers.answers[BAD]  # of STS, whose clock is right
    del service.env["LD_PRELOAD"]
    compare("the clock jumps by an hour", service, callers, 4 * tried)
