"""Run a command that ends when its starter does: `python -m demo.tether COMMAND...`.

Standard input is the tether. Its end, however the starter ended, stops the command and everything
that the command started. It is started as the leader of its own group, and exits with the
command's exit code.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 5.0
is_orphan = threading.Event()


def main() -> None:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watcher = threading.Thread(target=_end_with_parent, args=(child,), daemon=True)
    watcher.start()
    exit_code = child.wait()
    if is_orphan.is_set():
        watcher.join()  # it ends the whole group, this process included
    sys.exit(exit_code)


def _end_with_parent(child: "subprocess.Popen[bytes]") -> None:
    # Unbuffered: a buffer's lock, held by this thread, would break the interpreter's own ending.
    while os.read(sys.stdin.fileno(), 1):
        pass
    is_orphan.set()
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    # What is left of the command, if anything, and this process with it.
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
