"""Whatever was started ends with whoever started it; what a run writes is its owner's alone."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from demo.processes import ROOT, Child, DemoError, WorkFolder, environment_file
from tests.demo.processes import become, descendants, running

HOLD_A_STORE = """
import time
from demo.store import EmbeddedStore
with EmbeddedStore() as store:
    print(store.pid, flush=True)
    time.sleep(600)
"""
HOLD_A_SHELL = """
import os, time
from pathlib import Path
from demo.processes import Child
child = Child(["sh", "-c", "sleep 600 & sleep 600"], env=os.environ, log=Path(os.devnull))
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("program", "sign"),
    [
        (HOLD_A_STORE, signal.SIGKILL),
        (HOLD_A_SHELL, signal.SIGKILL),
        (HOLD_A_SHELL, signal.SIGTERM),
    ],
    ids=["store, killed", "shell, killed", "shell, terminated"],
)
def test_child_dies_with_its_parent(program: str, sign: signal.Signals) -> None:
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert become(lambda: len(descendants(child)) > 0)
        started = {child} | descendants(child)
        parent.send_signal(sign)
    assert become(lambda: not running(started))


def test_stopping_takes_the_whole_group_along() -> None:
    command = ["sh", "-c", "trap '' TERM; sleep 600 & echo ready; wait"]
    child = Child(command, env=os.environ, log=Path(os.devnull), answers=True)
    child.output.readline()
    started = {child.pid} | descendants(child.pid)
    child._process.kill()
    child.stop()
    assert become(lambda: not running(started))


def test_exit_code_comes_through_the_tether() -> None:
    with Child(["sh", "-c", "exit 3"], env=os.environ, log=Path(os.devnull)) as child:
        assert child.wait() == 3


def test_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = WorkFolder("play", root=tmp_path)
    with folder.opened(), pytest.raises(DemoError, match="DEMO_DIR=path"), folder.opened():
        pass


def test_two_kinds_of_run_share_a_folder(tmp_path: Path) -> None:
    with WorkFolder("play", root=tmp_path).opened(), WorkFolder("serve", root=tmp_path).opened():
        assert {path.name for path in tmp_path.iterdir()} == {"play", "serve"}


def test_new_run_starts_without_an_older_database(tmp_path: Path) -> None:
    folder = WorkFolder("play", root=tmp_path)
    with folder.opened():
        Path(f"{folder.database}-wal").write_text("older")
    with folder.opened():
        assert folder.written_files() == []


HARD_VALUES = {
    "quotes": 'it\'s "so"  ',
    "expansion": "$HOME ${HOME} $(touch hacked) `touch hacked`;touch hacked&|<>#!*?~\\",
    "newline": "one\ntwo\n",
    "like an option": "-n",
}


@pytest.mark.parametrize("value", HARD_VALUES.values(), ids=HARD_VALUES.keys())
def test_shell_reads_what_was_written(tmp_path: Path, value: str) -> None:
    with environment_file(tmp_path / "env", {"LTD_PASSWORD": value, "S3_BUCKET": ""}):
        script = ["sh", "-c", ". ./env && env -0"]
        read = subprocess.run(script, cwd=tmp_path, capture_output=True, check=True).stdout
        assert f"LTD_PASSWORD={value}".encode() in read.split(b"\0")
        assert b"S3_BUCKET" not in read
        assert [path.name for path in tmp_path.iterdir()] == ["env"]


def test_environment_file_is_new_and_its_owners_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("older")
    path.chmod(0o644)
    with path.open() as held_open, environment_file(path, {"LTD_PASSWORD": "x"}):
        assert held_open.read() == "older"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []
