"""Several processes at once on PostgreSQL answer as if one had answered after the other."""

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from demo.processes import ROOT
from tests.faults.callers import Callers
from tests.faults.conftest import Services
from tests.faults.fake_store import FakeStore
from tests.faults.sequential import CLOSED, OK, REFUSED, SPENT, WITHHELD, Call, State, outcomes
from tests.faults.service import Service
from tests.faults.table import ROWS, Row, compare, times

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("kind", ["postgresql"])]
PROCESSES, SHARED = times(8, 3), 20
CREATED = 201
BUILDS = "/products/guide/builds/"
# What a caller does with its build: method, what follows the build's path, and body.
CALLS: dict[str, tuple[str, str, Any]] = {
    "register": ("POST", "", {"git_refs": ["main"]}),
    "issue": ("POST", "/credentials", {}),
    "refresh": ("GET", "/credentials", None),
    "finish": ("PATCH", "", {"uploaded": True, "empty": True}),
    "delete": ("DELETE", "", None),
}
OPERATORS = ["end", "disable", "enable", "revoke"]
# Mostly there is somebody left to answer.
MIX = [*CALLS, *["register", "issue", "refresh"] * 3, *OPERATORS, "enable", "enable", "revoke"]
Asked = tuple[str, int]
BATCHES = st.lists(
    st.tuples(st.sampled_from(MIX), st.integers(0, 1)),
    min_size=1,
    max_size=4,
)
# Nothing gives up waiting for a lock because the machine is busy: what still fails is a deadlock.
PATIENT = f"?options={quote('-c lock_timeout=120s')}"
REVOKED = "SELECT access_key_id FROM credentials_issuedsession WHERE revoked_at IS NOT NULL"
STATES = """SELECT id, CASE WHEN deleted_at IS NOT NULL THEN 'deleted' WHEN finished_at IS NOT NULL
 THEN 'finished' WHEN superseded_at IS NOT NULL THEN 'superseded' ELSE 'open' END
 FROM builds_build"""


class Operator:
    """A process beside the web processes. It does one thing at a time."""

    def __init__(self, service: Service) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.operator_program"],
            cwd=ROOT,
            env=service.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def act(self, deed: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with self._turn:
            self._process.stdin.write(deed + "\n")
            self._process.stdin.flush()
            assert self._process.stdout.readline() == "done\n"

    def stop(self) -> None:
        self._process.communicate()


class Job:
    """A CI job: its token."""

    def __init__(self, service: Service) -> None:
        path = "/token?format=json&product=guide"
        token = service.call("GET", path, headers=service.headers).json()["token"]
        self.headers = {"Authorization": f"Bearer {token}"}
        self.public_id = token.split("_")[1]


class World:
    """Two jobs of one client, and an operator; knows how things stand by what was answered."""

    def __init__(self, callers: Callers, operator: Operator, store: FakeStore) -> None:
        self.service, self.callers = callers.service, callers
        self._operator, self._store = operator, store
        operator.act("enable ci")
        self.jobs = [Job(self.service), Job(self.service)]
        self.builds: list[str] = []
        self._revoked: set[str] = set()
        # What no answer has told yet, such as which of two deeds came last, leaves several.
        self.states = {State(alive=(True, True), current=(None, None))}

    def together(self, asked: list[Asked], *, sts_is_last: bool) -> int:
        """Make these calls at once; how many were made. Fails if no order explains the answers."""
        asked = [each for each in asked if self._is_possible(*each)]
        if sts_is_last:  # finishing and refreshing wait for STS as well
            asked = [each for each in asked if each[0] not in {"finish", "refresh"}]
            self._store.sts = self._store.late
        with ThreadPoolExecutor(len(asked) or 1) as pool:
            tasks = [pool.submit(self._call, *each) for each in asked]
            wait([task for task, (kind, _) in zip(tasks, asked, strict=True) if kind != "issue"])
            self._store.behave()
        calls = [self._registered(*task.result()) for task in tasks]
        found = outcomes(self.states, calls, sts_is_last=sts_is_last)
        seen = self._seen()
        explained = {state for state in found if state.builds == seen}
        assert explained, (self.states, calls, seen)
        self.states = explained
        self._revoked = {key for (key,) in self.service.read(REVOKED)}
        return len(calls)

    def _is_possible(self, kind: str, job: int) -> bool:
        return kind in {"register", "end", "disable", "enable"} or self._build_of(job) is not None

    def _build_of(self, job: int) -> int | None:
        """The newest that may be the job's."""
        found = [number for state in self.states if (number := state.current[job]) is not None]
        return max(found, default=None)

    def _call(self, kind: str, job: int) -> tuple[Call, str]:
        """The call as it was answered, and where a build was registered."""
        build = self._build_of(job)
        call = Call(kind=kind, job=job, build=build, answer=OK)
        if kind in OPERATORS:
            self._operator.act(f"{kind} {self._name(kind, job, build)}")
            return call, ""
        method, suffix, body = CALLS[kind]
        path = BUILDS if build is None or kind == "register" else self.builds[build] + suffix
        answers: list[requests.Response] = []

        def send() -> requests.Response:
            # From elsewhere each time: an address that is refused too often is told to wait. Not
            # from `random`, which begins anew with each example.
            address = str(IPv4Address(secrets.randbits(32)))
            headers = self.jobs[job].headers | {"X-Forwarded-For": address, "Connection": "close"}
            answers.append(self.service.call(method, path, body, headers=headers))
            return answers[0]

        status, code = self.callers.note(send)
        assert answers, (call, "no answer")
        assert answers[0].json().get("AccessKeyId") not in self._revoked, call
        made = answers[0].headers["Location"] if status == CREATED else ""
        return replace(call, answer=code or OK), made

    def _name(self, kind: str, job: int, build: int | None) -> str:
        """Of whom or what an operator's deed is about."""
        if kind == "revoke" and build is not None:
            return self.builds[build].rpartition("/")[2]
        return self.jobs[job].public_id if kind == "end" else "ci"

    def _registered(self, call: Call, address: str) -> Call:
        if not address:
            return call
        self.builds.append("/builds/" + address.rpartition("/")[2])
        self.callers.builds.append(self.builds[-1])
        return replace(call, made=len(self.builds) - 1)

    def _seen(self) -> tuple[str, ...]:
        states = dict(self.service.read(STATES))
        return tuple(states[int(path.rpartition("/")[2])] for path in self.builds)


@pytest.fixture
def patient(kind: str, services: Services) -> Iterator[Service]:
    service = services.make(kind)
    service.env["DATABASE_URL"] += PATIENT
    with service.running(2):
        yield service


@pytest.fixture
def operator(patient: Service) -> Iterator[Operator]:
    operator = Operator(patient)
    yield operator
    operator.act("enable ci")
    operator.stop()


def test_answers_are_those_of_some_order(
    patient: Service, operator: Operator, store: FakeStore
) -> None:
    callers, made = Callers(patient), []
    callers.usual = callers.usual | {(401, REFUSED), (409, WITHHELD), (409, CLOSED), (409, SPENT)}

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.world = World(callers, operator, store)
            self.world.together([("register", 0), ("register", 1)], sts_is_last=False)

        @rule(asked=BATCHES, sts_is_last=st.booleans())
        def together(self, asked: list[Asked], *, sts_is_last: bool) -> None:
            made.append(self.world.together(asked, sts_is_last=sts_is_last))

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        # What was answered once is not answered again: no smaller example can be looked for.
        settings=settings(
            max_examples=times(300, 8),
            stateful_step_count=12,
            phases=(Phase.generate,),
            database=None,
        ),
    )
    compare("calls at once, as if one after the other", patient, callers, sum(made))


def test_builds_registered_by_many_processes_have_roots_of_their_own(patient: Service) -> None:
    each, before = times(2500, 10), patient.read("SELECT id FROM builds_build")
    processes = [Operator(patient) for _ in range(PROCESSES)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(lambda process: process.act(f"register {each} {SHARED}"), processes))
    for process in processes:
        process.stop()
    wanted = PROCESSES * each + SHARED
    [(rows, roots, owners)] = patient.read(
        "SELECT count(*), count(DISTINCT root), count(r.build_id) FROM builds_build b"
        " LEFT JOIN credentials_registration r ON r.build_id = b.id"
    )
    made = rows - len(before)
    ROWS.append(
        Row(
            fault=f"{PROCESSES} processes register builds of one product",
            database=patient.kind,
            tried=wanted,
            lost=wanted - made,
            wrong=rows - roots + rows - owners,
        )
    )
    assert (made, roots, owners) == (wanted, rows, rows)
