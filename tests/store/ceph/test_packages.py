"""Ceph's programs are found, installed by root, or asked for in one command."""

import subprocess
from typing import Any

import pytest

from demo.processes import DemoError
from tests.store.ceph import packages


class Machine:
    """Has some programs, and gets Ceph's when apt-get is run, unless that fails."""

    def __init__(self, programs: set[str], *, fails: bool = False) -> None:
        self.programs, self.fails = programs, fails
        self.commands: list[tuple[str, ...]] = []

    def which(self, program: str) -> str | None:
        return program if program in self.programs else None

    def run(self, command: tuple[str, ...], **_options: Any) -> Any:
        self.commands.append(command)
        self.programs |= set(packages.PROGRAMS)
        return subprocess.CompletedProcess(command, int(self.fails), "", "no network")


def require_on(machine: Machine, monkeypatch: pytest.MonkeyPatch, *, user: int) -> None:
    monkeypatch.setattr(packages.shutil, "which", machine.which)
    monkeypatch.setattr(packages.subprocess, "run", machine.run)
    monkeypatch.setattr(packages.os, "geteuid", lambda: user)
    packages.require_ceph()


def test_what_is_there_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({*packages.PROGRAMS, "apt-get"})
    require_on(machine, monkeypatch, user=0)
    assert machine.commands == []


def test_root_gets_it_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({"apt-get"})
    require_on(machine, monkeypatch, user=0)
    assert machine.commands == [packages.UPDATE, packages.INSTALL]


@pytest.mark.parametrize(
    ("programs", "user"), [({"apt-get"}, 1000), (set(), 0)], ids=["not root", "no apt-get"]
)
def test_anybody_else_is_told_the_command(
    programs: set[str], user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DemoError) as told:
        require_on(Machine(programs), monkeypatch, user=user)
    assert "sudo apt-get install -y --no-install-recommends radosgw" in str(told.value)


def test_installation_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DemoError, match="no network"):
        require_on(Machine({"apt-get"}, fails=True), monkeypatch, user=0)
