"""Processes of this machine, for tests that nothing is left of them."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

PATIENCE_SECONDS = 120.0
PROC = Path("/proc/self").parent if Path("/proc/self/stat").exists() else Path("/nonexistent")


def descendants(pid: int) -> set[int]:
    """The children of a process, theirs, and so on."""
    parents = {child: parent for child, (_, parent) in _processes().items()}
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


def running(pids: set[int]) -> set[int]:
    """Which of these still run; a process that only waits to be reaped does not."""
    found = _processes()
    return {pid for pid in pids if pid in found and not found[pid][0].startswith("Z")}


def become(condition: Callable[[], object]) -> bool:
    """Whether a condition comes true before patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def arguments() -> bytes:
    """What every process of this machine was started with."""
    if PROC.is_dir():
        return b"\n".join(text for _, text in _read_each("cmdline"))
    command = ["ps", "-A", "-ww", "-o", "command="]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _processes() -> dict[int, tuple[str, int]]:
    """State and parent of every process, by process id; `ps` need not be there where /proc is."""
    if PROC.is_dir():
        # The name before the last parenthesis may hold anything (proc(5)).
        fields = ((pid, text.rpartition(b")")[2].split()) for pid, text in _read_each("stat"))
        return {pid: (state.decode(), int(parent)) for pid, (state, parent, *_) in fields}
    command = ["ps", "-A", "-o", "pid=,stat=,ppid="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = (line.split() for line in listing.splitlines())
    return {int(pid): (state, int(parent)) for pid, state, parent in lines}


def _read_each(name: str) -> Iterator[tuple[int, bytes]]:
    for file in PROC.glob(f"[0-9]*/{name}"):
        with suppress(OSError):  # it has ended meanwhile
            yield int(file.parent.name), file.read_bytes()
