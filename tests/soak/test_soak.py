"""Mixed work for half an hour, on PostgreSQL with two web processes and a clock: `make soak`.

Callers ask as fast as they are answered for a tenth of the time, and then for LOAD percent of what
was reached (70). `SOAK=3 RATE=0.5` takes three minutes and begins so many jobs a second instead.
"""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from botocore.utils import ContainerMetadataFetcher

from demo.processes import ROOT, Child
from demo.service import free_port, procfile_command
from tests.browser import PASSWORD, USERNAME
from tests.clients.relay import Relay
from tests.clients.scene import PRODUCT, Scene, scene_with
from tests.clients.sites import make_pages
from tests.demo.processes import become
from tests.faults.postgres import Postgres
from tests.faults.table import written
from tests.soak.tally import Growth, Tally
from tests.soak.work import FINISHED, REVOKED, Operator, Pace, Uploads, revoked_job, work_in_job
from tests.store.answers import REFUSED
from tests.store.stage import Account, prepared_account
from tests.store.started import store_under_test
from tests.store.test_bootstrap_command import profile
from tests.store.uploader import Uploader
from tests.store.users import user_key

SECONDS = float(os.environ.get("SOAK", "30")) * 60
RATE = float(os.environ.get("RATE", "0"))
LOAD = float(os.environ.get("LOAD", "70")) / 100
CALLERS, PAGES = 16, 12
UPLOAD_PAUSE, OPERATOR_PAUSE = 30.0, 15.0
BAD_REQUEST, UNAVAILABLE = 400, 503
FILE = ROOT / ".build" / "soak.csv"
SCHEDULE = (
    "write_revocations=20s,deliver_webhooks=15s,roll_up=1m,audit_sessions=1m,count_builds=90s,"
    "audit_bucket=2m,compact_policies=3m"
)
RECEIVER = ROOT / "docs" / "examples" / "webhook_receiver.py"
# As the embedded store makes them; sessions of the service itself are seen by nobody.
ACCESS_KEY_ID = rb"ASIA[A-Z0-9]{16}"
FOR_CALLERS = "delivery NOT IN ('list', 'probe', 'clean', 'verify')"
# How many processes are there from the beginning to the end: what starts web processes, and two of
# them; the clock, and what forks its jobs.
STARTED = {"web": 3, "clock": 2}
# Together, more is a leak: on a busy machine every caller may have a connection at the same time.
MORE_MB, MORE_HANDLES, MORE_THREADS = 32, 32, 32
SET_UP = """
from django.contrib.auth.models import User
from django.utils import timezone
from credentials.models import Webhook
User.objects.create_superuser({!r}, "", {!r})
webhook = Webhook.objects.create(name="receiver", url="http://127.0.0.1:{}/")
print(webhook.secrets(timezone.now())[0].reveal())
"""


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What is looked at: during the work by `tally` and `growth`, afterwards by the rest."""

    scene: Scene
    clock: Child
    folder: Path
    tally: Tally = field(default_factory=Tally)
    growth: Growth = field(default_factory=Growth)
    revoked: list[Any] = field(default_factory=list)
    reached: list[float] = field(default_factory=list)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.scene.service.environment["DATABASE_URL"]) as connection:
            return connection.execute(query.encode()).fetchall()

    @property
    def held(self) -> set[str]:
        """The access key ids that callers were given."""
        return {each.decode() for each in self.scene.counter.relay.found}

    def issued(self, condition: str = "true") -> set[str]:
        """Those of the ledger."""
        query = "SELECT access_key_id FROM credentials_issuedsession WHERE status = 'issued' AND "
        return {key for (key,) in self.read(query + condition)}

    def runs(self) -> list[tuple[Any, ...]]:
        """Of the clock's jobs, but for what still runs: name, state, problem and seconds."""
        return self.read(
            "SELECT job, state, problem, extract(epoch FROM finished_at - started_at)"
            " FROM credentials_jobrun WHERE finished_at IS NOT NULL"
        )

    def events(self, log: str) -> list[dict[str, Any]]:
        lines = (self.folder / log).read_bytes().splitlines()
        return [orjson.loads(line) for line in lines if line.startswith(b"{")]

    def received(self) -> list[str]:
        """The roots of which the receiver of webhooks was told that they are finished."""
        lines = (self.folder / "receiver.log").read_text().splitlines()
        return [line.split()[0] for line in lines if line.startswith(f"{PRODUCT}/")]


def settings_for(account: Account, folder: Path, server: Postgres, door: Relay) -> dict[str, str]:
    """As in production, behind the relay; clients may do as much as they like."""
    auditor, keys = user_key(account, "auditor"), folder / "aws-credentials"
    # The embedded store does not know the condition that the revoker's right has.
    keys.write_text(profile("auditor", auditor) + profile("revoker", account.store.operator))
    return {
        "DATABASE_URL": server.url(),
        "PORT": str(door.target),
        "LTD_PUBLIC_URL": f"http://127.0.0.1:{door.port}",
        "LTD_LOG_LEVEL": "INFO",
        "LTD_OPEN_BUILDS": "1000000",
        "LTD_SESSIONS_AN_HOUR": "1000000",
        "LTD_SCHEDULE": SCHEDULE,
        "LTD_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        "LTD_AUDITOR_PROFILE": "auditor",
        "LTD_REVOKER_PROFILE": "revoker",
    }


@contextmanager
def prepared(folder: Path) -> Iterator[Soak]:
    """Everything that takes part, running."""
    with ExitStack() as stack:
        store = stack.enter_context(store_under_test())
        # It looks every half minute: the store may just have closed an idle connection.
        looking = store.client("s3", store.operator, attempts=4)
        account = replace(stack.enter_context(prepared_account(store)), admin=looking)
        server = Postgres()
        server.settings["fsync"] = "on"
        server.create()
        stack.enter_context(server.running())
        door = stack.enter_context(Relay(free_port(), watched=ACCESS_KEY_ID))
        settings = settings_for(account, folder, server, door)
        scene = stack.enter_context(scene_with(account, folder, door, **settings))
        scene.service.manage("check_isolation")
        port = free_port()
        code = SET_UP.format(USERNAME, PASSWORD, port)
        secret = scene.service.manage("shell", "--no-imports", "--command", code).strip()
        environment = scene.service.environment | {"WEBHOOK_SECRET": secret, "PORT": str(port)}
        command, log = [sys.executable, str(RECEIVER)], folder / "receiver.log"
        stack.enter_context(Child(command, env=environment, log=log))
        command = ["sh", "-c", f"exec {procfile_command('clock')}"]
        clock = Child(command, env=scene.service.environment, log=folder / "clock.log")
        yield Soak(scene=scene, clock=stack.enter_context(clock), folder=folder)


def work(soak: Soak, site: Path) -> None:
    """Everybody works until the time is over; whoever fails ends it."""
    tally, scene, ended = soak.tally, soak.scene, threading.Event()
    pace, uploads = Pace(ended), Uploads(tally, scene, site, soak.folder)

    def jobs() -> None:
        fetcher = ContainerMetadataFetcher()
        while pace.wait():
            with closing(new_client(scene)) as client:
                work_in_job(tally, client, fetcher)

    def upload(way: str) -> None:
        while not ended.wait(UPLOAD_PAUSE):
            uploads.upload(way)

    def operate() -> None:
        with closing(Operator(tally, scene.service)) as operator:
            while not ended.wait(OPERATOR_PAUSE):
                with closing(new_client(scene)) as client:
                    soak.revoked.append(revoked_job(tally, scene, client, operator))

    tasks = [*[jobs] * CALLERS, operate, *(partial(upload, way) for way in uploads.ways)]
    with ThreadPoolExecutor(len(tasks)) as pool:
        try:
            futures = [pool.submit(task) for task in tasks]
            look_on(soak, pace, futures)
        finally:
            ended.set()
    for future in futures:
        future.result()


def new_client(scene: Scene) -> Uploader:
    """With connections of its own, through the relay."""
    return Uploader(scene.service.url, api_key=scene.api_key, store="")


def look_on(soak: Soak, pace: Pace, futures: list["Future[None]"]) -> None:
    """Let them work as fast as they can, then at the pace, and look at the processes meanwhile."""
    started, is_warm = time.monotonic(), False
    while (elapsed := time.monotonic() - started) < SECONDS:
        if is_warm:
            soak.growth.look(web=soak.scene.service.pid, clock=soak.clock.pid)
        elif pace.turns > 2 * CALLERS if RATE else elapsed > SECONDS / 10:
            is_warm = True
            soak.reached.append(pace.turns / elapsed)
            pace.settle(RATE or LOAD * pace.turns / elapsed)
        if any(future.done() for future in futures):
            return
        time.sleep(1)


@pytest.fixture(scope="module")
def soak(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Soak]:
    """All of it done; what the clock has to do afterwards, too."""
    site = make_pages(tmp_path_factory.mktemp("site"), PAGES)
    with prepared(tmp_path_factory.mktemp("soak")) as soak:
        work(soak, site)
        waiting = (
            "SELECT 1 FROM credentials_webhookdelivery WHERE state = 'waiting'"
            " UNION ALL SELECT 1 FROM credentials_revocation WHERE verified_at IS NULL"
        )
        assert become(lambda: not soak.read(waiting))
        yield soak
        capture: Any = request.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled():
            sys.stdout.write("\n".join(["", *written(FILE, table(soak)), ""]))


def table(soak: Soak) -> list[list[str]]:
    """Calls by kind, runs of the clock, credentials, processes."""
    for job, _, _, seconds in soak.runs():
        soak.tally.seconds[f"clock: {job}"].append(float(seconds))
    issued = f"ledger rows: {len(soak.issued(FOR_CALLERS))}"
    return [
        ["what", "times", "median", "95 % within", "note"],
        *(soak.tally.row(kind) for kind in sorted(soak.tally.seconds)),
        ["CI jobs per second, without a pause", f"{soak.reached[0]:.1f}", "", "", ""],
        ["credentials given to callers", str(len(soak.held)), "", "", issued],
        ["webhook calls received", str(len(soak.received())), "", "", ""],
        *(soak.growth.row(name) for name in STARTED),
    ]


def test_every_answer_was_the_expected_one(soak: Soak) -> None:
    """Those that programs got, too: nothing was refused but what callers tried on purpose."""
    assert soak.tally.wrong == []
    answers = [each["status"] for each in soak.events("service.log") if each["event"] == "request"]
    provoked = {409: len(soak.tally.seconds[FINISHED]), 401: len(soak.tally.seconds[REVOKED])}
    refused = Counter(each for each in answers if each >= BAD_REQUEST and each != UNAVAILABLE)
    assert refused == provoked


@pytest.mark.parametrize("log", ["service.log", "clock.log"])
def test_logs_have_no_error(soak: Soak, log: str) -> None:
    """But for the answers that tell callers to come back."""
    failures = [each for each in soak.events(log) if each["level"] in {"error", "critical"}]
    assert [each for each in failures if each.get("status") != UNAVAILABLE] == []
    assert "Traceback" not in (soak.folder / log).read_text()


def test_what_callers_hold_is_in_the_ledger(soak: Soak) -> None:
    """And the other way round, but for answers that a caller did not wait for."""
    assert soak.held
    assert soak.held - soak.issued() == set()
    not_waited_for = soak.scene.counter.relay.unanswered + soak.tally.later.total()
    assert len(soak.issued(FOR_CALLERS) - soak.held) <= not_waited_for


@pytest.mark.parametrize(("name", "processes"), STARTED.items())
def test_memory_handles_and_threads_are_flat(soak: Soak, name: str, processes: int) -> None:
    first, last = soak.growth.thirds(name)
    assert len(soak.growth.always_there(name)) >= processes
    assert last.mb <= first.mb + MORE_MB
    assert last.handles <= first.handles + MORE_HANDLES
    assert last.threads <= first.threads + MORE_THREADS


def test_every_job_of_the_clock_finishes(soak: Soak) -> None:
    runs = soak.runs()
    assert [run for run in runs if run[1] != "finished"] == []
    well = {job for job, _, problem, _ in runs if not problem}
    assert well >= {each.partition("=")[0] for each in SCHEDULE.split(",")}


def test_audits_find_nothing(soak: Soak) -> None:
    assert soak.read("SELECT rule, subject FROM credentials_auditfinding") == []


def test_webhooks_are_told_of_every_finished_build_once(soak: Soak) -> None:
    finished = soak.read("SELECT root FROM builds_build WHERE finished_at IS NOT NULL")
    assert sorted(soak.received()) == sorted(root for (root,) in finished)


def test_revoked_sessions_are_refused_by_the_store(soak: Soak) -> None:
    assert {put() for put in soak.revoked} == {REFUSED}
