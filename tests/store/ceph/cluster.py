"""A monitor, an OSD and a gateway, as children of this process."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack

import requests

from demo.processes import Child, DemoError, bare_environment, last_lines
from tests.store.ceph.config import HOST, ClusterConfig

STEP_SECONDS = 120.0
POLL_SECONDS = 0.05
# After this process is gone, its daemons have 5 seconds; then the folder is nobody's.
SWEEP = 'cat >/dev/null; sleep 7; rm -rf "$1"'


class Cluster:
    """Starts a cluster in a folder of its own. `running` is given what stops each part."""

    def __init__(self, config: ClusterConfig, running: ExitStack) -> None:
        self._config = config
        self._running = running
        self.endpoint_url = f"http://{HOST}:{config.gateway_port}"

    def start(self) -> None:
        """Raises DemoError, with the ends of the logs, when a part does not start."""
        self._config.write()
        self._sweep_after_this_process()
        monitor = self._start_monitor()
        self._start_osd(monitor)
        self._wait(self._start("radosgw", "-n", "client.rgw.a"), self._answers)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of Ceph's tools to its end; what it printed."""
        command = [program, "-c", str(self._config.file), *arguments]
        done = subprocess.run(
            command,
            env=bare_environment(),
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise DemoError(f"`{' '.join(command)}` failed:\n{done.stderr[-1000:]}")
        return done.stdout

    def _succeeds(self, program: str, *arguments: str) -> bool:
        try:
            self.run(program, *arguments)
        except DemoError:
            return False
        return True

    def _sweep_after_this_process(self) -> None:
        """Remove the folder also when this process is killed and cannot do it."""
        command = ["sh", "-c", SWEEP, "sweep", str(self._config.folder)]
        sweep = subprocess.Popen(
            command, env=bare_environment(), stdin=subprocess.PIPE, start_new_session=True
        )
        self._running.enter_context(sweep)
        self._running.callback(sweep.terminate)

    def _start_monitor(self) -> Child:
        monmap = str(self._config.folder / "monmap")
        address = f"[{self._config.monitor_address}]"
        cluster = ["--fsid", self._config.cluster_id, "--addv", "a", address]
        self.run("monmaptool", "--create", *cluster, monmap)
        self.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap)
        return self._start("ceph-mon", "-i", "a")

    def _start_osd(self, monitor: Child) -> None:
        osd_id = str(uuid.uuid4())
        # A monitor that listens may not lead yet and refuses. Asked again, it makes the same OSD.
        self._wait(monitor, lambda: self._succeeds("ceph", "osd", "new", osd_id))
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        log = self._config.logs / "osd.0.log"
        osd = self._start("ceph-osd", "-i", "0")
        self._wait(osd, lambda: "state: booting -> active" in log.read_text(errors="replace"))

    def _answers(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(self.endpoint_url, timeout=60).ok
            except requests.RequestException:
                return False

    def _start(self, program: str, *arguments: str) -> Child:
        """Start a daemon in the foreground, so that it is a child; it ends with this process."""
        command = [program, "-c", str(self._config.file), *arguments, "--no-mon-config", "-f"]
        log = self._config.logs / f"{program}.out"
        child = Child(command, env=bare_environment(), log=log)
        self._running.callback(_kill, child)
        return child

    def _wait(self, child: Child, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STEP_SECONDS
        while child.is_running() and time.monotonic() < deadline:
            if is_ready():
                return
            time.sleep(POLL_SECONDS)
        ends = "\n".join(last_lines(log, 5) for log in sorted(self._config.logs.iterdir()))
        raise DemoError(f"Ceph did not start.\n{ends}")


def _kill(child: Child) -> None:
    """End a daemon at once: there is nothing to save, and asking costs seconds for each."""
    if child.is_running():
        os.killpg(child.pid, signal.SIGKILL)
    child.stop()
