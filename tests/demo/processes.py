"""Processes of this machine, for tests that nothing is left of them."""

import subprocess
import time
from collections.abc import Callable

PATIENCE_SECONDS = 120.0


def descendants(pid: int) -> set[int]:
    """The children of a process, theirs, and so on."""
    parents = {child: int(parent) for child, parent in _column("ppid=").items()}
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


def running(pids: set[int]) -> set[int]:
    """Which of these still run; a process that only waits to be reaped does not."""
    states = _column("stat=")
    return {pid for pid in pids if not states.get(pid, "Z").startswith("Z")}


def become(condition: Callable[[], object]) -> bool:
    """Whether a condition comes true before patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _column(name: str) -> dict[int, str]:
    """What `ps` says about every process, by process id."""
    command = ["ps", "-A", "-o", "pid=", "-o", name]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {int(pid): value for pid, value in (line.split() for line in listing.splitlines())}
