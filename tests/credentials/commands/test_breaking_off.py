"""A run that breaks off: one JSON document all the same, exit code 3, no lease left."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ProfileNotFound
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import IntegrityError

from builds.models import Build, Store
from credentials.errors import AlreadyRunning, CanaryHasKeys
from credentials.models import Lease
from credentials.models.runs import IsolationRun
from credentials.operations.account.doctor import Result, Verdict
from credentials.operations.closed_builds import Outcome
from credentials.operations.findings import Finding, Rule
from credentials.rules.verdicts import Line
from credentials.rules.verdicts import Outcome as Answer
from ltdkeeper.management.commands import (
    audit_sessions,
    check_isolation,
    count_builds,
    doctor,
    purge_builds,
)
from ltdkeeper.management.outcomes import BrokenOff
from tests.credentials.commands.test_exit_codes import FORMATS, NEEDED
from tests.ltdkeeper.test_command_line import ENVIRONMENT, ROOT

FINDING = Finding(rule=Rule.STUCK, subject="one", what="\x9b31m")
FAILURES: dict[str, tuple[BaseException, int, str]] = {
    "database away": (IntegrityError("gone"), 3, "The database failed: gone"),
    "interrupted": (KeyboardInterrupt(), 3, "Interrupted. Completed work is kept; run"),
    "refused": (CanaryHasKeys(), 3, "The client isolation-check is reserved for checks and"),
    "profile that is none": (
        ProfileNotFound(profile="nobody"),
        3,
        "The config profile (nobody) could not be found",
    ),
    "running already": (AlreadyRunning("It is already running."), 4, "It is already running."),
    "wrong argument": (CommandError("No such store.", returncode=2), 2, "No such store."),
}


def broken_off(name: str, *arguments: str) -> tuple[dict[str, Any], CommandError]:
    """What was written, which is one document, and the error."""
    written = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(name, *arguments, "--format", "json", stdout=written)
    return json.loads(written.getvalue()), caught.value


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *(("audit_sessions", case) for case in FAILURES),
        *((name, "interrupted") for name in FORMATS if name != "audit_sessions"),
    ],
)
def test_command_that_breaks_off_writes_a_document(
    name: str, case: str, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, code, sentence = FAILURES[case]
    command = type(load_command_class(get_commands()[name], name))
    monkeypatch.setattr(command, "handle", raising(error))
    document, told = broken_off(name, *NEEDED.get(name, []))
    assert document["error"].startswith(sentence)
    assert (told.returncode, str(told)) == (code, document["error"])


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


def then_raising(*items: object) -> Callable[..., Iterator[object]]:
    def generate(*_: Any, **__: Any) -> Iterator[object]:
        yield from items
        raise KeyboardInterrupt("SIGTERM")

    return generate


def test_audit_that_breaks_off_has_what_it_found(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_sessions, "audit_ledger", then_raising(FINDING))
    document, _ = broken_off("audit_sessions")
    assert [found["subject"] for found in document["findings"]] == ["one"]
    assert document["counts"] == {"session_stuck": 1}
    assert document["error"].startswith("Interrupted by SIGTERM.")
    assert not Lease.objects.exists()


@pytest.mark.parametrize("name", ["count_builds", "purge_builds"])
def test_work_on_builds_that_breaks_off_has_what_was_done(
    name: str, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = Outcome(build=build.pk, root=build.root, objects=2, bytes=3)
    module = {"count_builds": count_builds, "purge_builds": purge_builds}[name]
    monkeypatch.setattr(module, name, then_raising(outcome))
    document, _ = broken_off(name, *NEEDED.get(name, []))
    assert [told["root"] for told in document["builds"]] == [build.root]
    assert (document["totals"]["objects"], "SIGTERM" in document["error"]) == (2, True)


FOUND = Finding(rule="trust.open", what="", change="")
LINE = Line(call="write", expected=Answer.REFUSED, outcome=Answer.ACCEPTED, answer="200")


def examines_one(*, store: Store, on_result: Callable[[Result], None], **_: Any) -> list[Result]:
    """Of every store it says the same; in the second it is stopped then."""
    result = Result(check="trust", title="", verdict=Verdict.ERROR, findings=(FOUND,))
    on_result(result)
    if store.name == "second":
        raise BrokenOff("SIGTERM")
    return [result]


def checks_one(*, run: IsolationRun, on_line: Callable[[Line], None]) -> IsolationRun:
    on_line(LINE)
    if run.store.name == "second":
        raise BrokenOff("SIGTERM")
    run.finish(lines=[asdict(LINE)], passed=False, summary="Isolation does not hold.")
    return run


@pytest.fixture
def three_stores(store: Store) -> None:
    for name in ("second", "third"):
        Store.objects.create(name=name, bucket=f"{name}-bucket", role_arn=store.role_arn)
    Store.objects.filter(pk=store.pk).update(name="first")


def test_doctor_that_breaks_off_has_what_it_found(
    three_stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine_store", examines_one)
    document, _ = broken_off("doctor")
    found = [(each["store"], [c["check"] for c in each["checks"]]) for each in document["stores"]]
    assert found == [("first", ["trust"]), ("second", ["trust"])]
    assert (document["errors"], document["warnings"]) == (2, 0)
    assert document["error"].startswith("Interrupted by SIGTERM.")


def test_check_of_isolation_that_breaks_off_has_what_it_found(
    three_stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_isolation, "run_check", checks_one)
    document, _ = broken_off("check_isolation")
    told = [(run["store"], run["verdict"], len(run["lines"])) for run in document["runs"]]
    assert told == [("first", "failed", 1), ("second", "requested", 1)]
    assert document["runs"][0].keys() == document["runs"][1].keys()
    assert document["error"].startswith("Interrupted by SIGTERM.")
    assert not Lease.objects.exists()


def test_error_that_is_a_bug_says_its_kind_alone(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_sessions, "audit_ledger", raising(RuntimeError("a session token")))
    written = StringIO()
    with pytest.raises(RuntimeError):
        call_command("audit_sessions", "--format", "json", stdout=written)
    assert json.loads(written.getvalue())["error"] == "Interrupted by RuntimeError."


@pytest.mark.parametrize("options", [[], ["--format", "json"]], ids=["text", "json"])
def test_nothing_that_others_wrote_drives_the_terminal(
    options: list[str], db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_sessions, "audit_ledger", lambda **_: iter([FINDING]))
    written = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("audit_sessions", *options, stdout=written)
    assert "\\u009b31m" in written.getvalue()
    assert "\x9b" not in written.getvalue()


def test_error_does_not_drive_the_terminal_either(store: Store) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("create_client", "ci", "--network", "\x1b[2J\x9b")
    assert not {"\x1b", "\x9b"} & set(str(caught.value))


# A real process, whose audit finds one thing, says so, and waits; or finds without end.
# Whoever runs the tests in the background may have them ignore signals.
RUN = """
import dataclasses, itertools, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
import manage
from django.core.management import ManagementUtility
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "ltdkeeper.settings"
import django
django.setup()
from credentials.operations.findings import Finding, Rule
from ltdkeeper.management.commands import audit_sessions
FOUND = Finding(rule=Rule.STUCK, subject="one", what="x" * 1000)

def waiting(**_):
    yield FOUND
    print("ready", file=sys.stderr, flush=True)
    time.sleep(600)

def nothing(**_):
    return iter(())

def endless(**_):
    return itertools.repeat(FOUND)

def several(**_):
    return (dataclasses.replace(FOUND, subject=str(number)) for number in range(1200))

def several_until_killed(**_):
    yield from itertools.islice(several(), 800)
    yield from waiting()

audit_sessions.audit_ledger = globals()[sys.argv[1]]
manage.main(["manage.py", "audit_sessions", *sys.argv[2:]])
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file = tmp_path_factory.mktemp("database") / "db.sqlite3"
    made = ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{file}"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=made, cwd=ROOT, check=True)
    return made


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(script: str, *arguments: str, **pipes: Any) -> "subprocess.Popen[str]":
        pipes = {"stdin": -1, "stdout": -1, "stderr": -1, "text": True} | pipes
        command = [sys.executable, "-c", script, *arguments]
        running.append(subprocess.Popen(command, env=environment, cwd=ROOT, **pipes))
        return running[-1]

    yield begin
    for each in running:
        each.kill()
        each.communicate()


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_leaves_one_document_and_no_lease(number: signal.Signals, start: Start) -> None:
    run = start(RUN, "waiting", "--format", "json")
    while run.stderr.readline() != "ready\n":  # type: ignore[union-attr]
        assert run.poll() is None
    run.send_signal(number)
    out, err = run.communicate()
    document = json.loads(out)
    assert (len(document["findings"]), run.returncode) == (1, 3)
    assert document["error"].startswith(f"Interrupted by {number.name}.")
    assert err == f"CommandError: {document['error']}\n"
    again = start(RUN, "nothing")
    assert again.communicate()[0] == "Findings: 0\n"  # nobody holds the lease any more


@pytest.mark.slow
@pytest.mark.sqlite
def test_killed_and_run_again_keeps_each_finding_once(
    start: Start, environment: dict[str, str]
) -> None:
    file = environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as rows:  # other tests left theirs
        rows.execute("DELETE FROM credentials_auditfinding")
        rows.commit()
    run = start(RUN, "several_until_killed", stdout=subprocess.DEVNULL)
    while run.stderr.readline() != "ready\n":  # type: ignore[union-attr]
        assert run.poll() is None
    run.kill()
    run.wait()
    with closing(sqlite3.connect(file)) as rows:
        stored = "SELECT count(*), count(closed_at) FROM credentials_auditfinding"
        assert rows.execute(stored).fetchone()[0] == 500  # a batch; the rest was not stored yet
        rows.execute("DELETE FROM credentials_lease")
        rows.commit()
        assert start(RUN, "several", stdout=subprocess.DEVNULL).wait() == 1
        assert rows.execute(stored).fetchone() == (1200, 0)
        states = rows.execute("SELECT state FROM credentials_jobrun ORDER BY id DESC LIMIT 2")
        assert states.fetchall() == [("finished",), ("interrupted",)]


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.parametrize("options", [[], ["--format", "json"]], ids=["text", "json"])
def test_reader_that_goes_away_ends_the_run(options: list[str], start: Start) -> None:
    run = start(RUN, "endless", *options)
    assert run.stdout is not None
    assert run.stdout.read(10)
    run.stdout.close()
    assert run.wait() == 3
    assert run.stderr is not None
    assert run.stderr.read() == "CommandError: Interrupted: the output was closed.\n"


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_full_disk_is_exit_code_3(start: Start) -> None:
    with Path("/dev/full").open("w") as full:
        run = start(RUN, "endless", "--format", "json", stdout=full)
        assert run.wait() == 3


# Processes that want the same lease at the same moment.
TAKE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "ltdkeeper.settings"
import django
django.setup()
from credentials.operations.closed_builds import Outcome
from credentials.errors import AlreadyRunning
from credentials.operations.leases import only_run
print("ready", flush=True)
sys.stdin.readline()
try:
    with only_run("work"):
        print("did it", flush=True)
        sys.stdin.readline()
except AlreadyRunning:
    print("already running", flush=True)
"""


@pytest.mark.slow
@pytest.mark.sqlite
def test_of_processes_that_start_at_once_one_does_the_work(start: Start) -> None:
    running: list[Any] = [start(TAKE) for _ in range(4)]
    assert [each.stdout.readline() for each in running] == ["ready\n"] * 4
    for each in running:
        each.stdin.write("\n")
        each.stdin.flush()
    told = sorted(each.stdout.readline() for each in running)
    assert told == ["already running\n"] * 3 + ["did it\n"]
