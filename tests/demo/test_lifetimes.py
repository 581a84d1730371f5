"""Whatever was started ends with whoever started it, also when that one is killed outright."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.child import ROOT, Child
from demo.errors import DemoError
from demo.store import EmbeddedStore
from tests.demo.processes import arguments, become, descendants, running

pytestmark = pytest.mark.loopback

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
from demo.child import Child
child = Child.tethered(["sh", "-c", "sleep 600 & sleep 600"], env=os.environ, log=Path(os.devnull))
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("program", [HOLD_A_STORE, HOLD_A_SHELL], ids=["store", "shell"])
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_child_dies_with_its_parent(program: str, sign: signal.Signals) -> None:
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        started = {child} | descendants(child)
        assert running(started) == started
        parent.send_signal(sign)
    assert become(lambda: not running(started))


def test_store_is_stopped_by_the_end_of_its_block() -> None:
    with EmbeddedStore() as store:
        assert store.is_running()
    assert not running({store.pid})


def test_stopping_takes_the_whole_group_along() -> None:
    command = ["sh", "-c", "trap '' TERM; sleep 600 & echo ready; wait"]
    child = Child.tethered(command, env=os.environ, log=Path(os.devnull), answers=True)
    child.output.readline()
    started = {child.pid} | descendants(child.pid)
    child._process.kill()
    child.stop()
    assert become(lambda: not running(started))


def test_exit_code_comes_through_the_tether() -> None:
    with Child.tethered(["sh", "-c", "exit 3"], env=os.environ, log=Path(os.devnull)) as child:
        assert child.wait() == 3


def test_store_says_when_its_port_is_taken(embedded_store: EmbeddedStore, tmp_path: Path) -> None:
    port = int(embedded_store.endpoint_url.rpartition(":")[2])
    log = tmp_path / "store.log"
    with pytest.raises(DemoError, match="did not start"), EmbeddedStore(log=log, port=port):
        pass
    assert "Address already in use" in log.read_text()


def test_bootstrap_secret_is_in_no_argument_and_no_environment(
    embedded_store: EmbeddedStore,
) -> None:
    shown = arguments()
    environment = Path(f"/proc/{embedded_store.pid}/environ")
    shown += environment.read_bytes() if environment.exists() else b""
    assert embedded_store._bootstrap.encode() not in shown
