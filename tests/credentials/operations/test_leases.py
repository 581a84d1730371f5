"""Two of a kind at once do the work once; what was killed does not block it for long."""

import re
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from builds.models import Store
from credentials.errors import AlreadyRunning
from credentials.models import IsolationRun, JobRun, Lease
from credentials.operations import leases
from credentials.operations.leases import LEASE_LIFE, only_run, renew
from ltdkeeper.management.outcomes import ExitCode

pytestmark = pytest.mark.django_db


def test_second_is_told_who_runs_and_since_when() -> None:
    with only_run("purge_builds"):
        held = Lease.objects.get()
        with pytest.raises(AlreadyRunning) as refused, only_run("purge_builds"):
            pass
    assert f"on {held.holder}, since {held.acquired_at:%F %T} UTC" in refused.value.message
    assert re.search(r", process \d+\Z", held.holder)


def test_lease_is_given_back_also_after_a_failure() -> None:
    with pytest.raises(RuntimeError), only_run("purge_builds"):
        raise RuntimeError
    assert not Lease.objects.exists()
    with only_run("purge_builds"), only_run("count_builds"):
        assert Lease.objects.count() == 2


def test_lease_of_a_holder_that_was_killed_expires_within_two_minutes() -> None:
    now = timezone.now()
    leases._acquire("purge_builds", now - timedelta(minutes=2))
    with only_run("purge_builds"):
        assert Lease.objects.get().acquired_at >= now


def test_lease_from_before_the_clock_was_set_back_is_taken_over() -> None:
    leases._acquire("purge_builds", timezone.now() + timedelta(hours=1))
    with only_run("purge_builds"):
        assert Lease.objects.get().expires_at < timezone.now() + 2 * LEASE_LIFE


def test_lease_that_is_renewed_stays_and_one_that_was_taken_over_does_not() -> None:
    now = timezone.now()
    first = leases._acquire("purge_builds", now)
    later = now + LEASE_LIFE - timedelta(seconds=1)
    assert renew("purge_builds", first, later)
    with pytest.raises(AlreadyRunning):
        leases._acquire("purge_builds", later + timedelta(seconds=30))
    second = leases._acquire("purge_builds", later + LEASE_LIFE)
    assert not renew("purge_builds", first, later + LEASE_LIFE)
    assert Lease.objects.get().token == second


def test_holder_that_lost_its_lease_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted: list[int] = []
    answers = iter([True, False])  # it does not ask again
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0)
    monkeypatch.setattr(leases, "renew", lambda *_: next(answers))
    monkeypatch.setattr(leases._thread, "interrupt_main", interrupted.append)
    monkeypatch.setattr(leases, "connection", type("", (), {"close": lambda: None}))
    leases._keep("purge_builds", "", threading.Event())
    assert len(interrupted) == 1


COMMANDS = {
    "audit_sessions": ("audit_sessions", []),
    "roll_up": ("roll_up", []),
    "write_revocations": ("write_revocations", []),
    "count_builds": ("count_builds", []),
    "purge_builds": ("purge_builds", ["--deleted-before", "30", "--apply"]),
    "import_ltd": ("import_ltd", ["--from", "http://127.0.0.1:9", "--store", "main"]),
    "check_isolation of the store main": ("check_isolation", []),
    "bootstrap_store of the store main": ("bootstrap_store", ["--apply"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_command_that_is_running_already_is_exit_code_4(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "x")
    command, arguments = COMMANDS[name]
    leases._acquire(name, timezone.now())
    with pytest.raises(CommandError, match=f"{name} is already running: on ") as caught:
        call_command(command, *arguments)
    assert caught.value.returncode == ExitCode.ALREADY_RUNNING
    assert not IsolationRun.objects.exists()
    assert not JobRun.objects.exists()
