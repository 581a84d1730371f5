"""The processes of a demo: how they start and end, the folder they write to, what goes wrong.

`python -m demo.processes COMMAND...` runs a command that ends when its starter does. Standard input
is the tether: its end, however the starter ended, stops the command and everything that the command
started. It is started as the leader of its own group, and exits with the command's exit code.
"""

import contextlib
import fcntl
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Self

ROOT = Path(__file__).resolve().parent.parent
GRACE_SECONDS = 8.0
# Shorter, so that who is tethered ends before who tethers it gives up.
TETHERED_GRACE_SECONDS = 5.0
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What programs need to run at all. The rest of the user's environment stays outside, so that
# nobody's AWS profile, proxy or .env changes what a demo shows.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
OWNER_ONLY = 0o600


class DemoError(Exception):
    """A sentence for the person at the terminal; it ends the run."""


class Interrupted(BaseException):
    """A signal asked this process to end. Carries the exit code of that signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn the first ending signal into `Interrupted`; ignore more while things are stopped."""

    def interrupt(signal_number: int, _frame: FrameType | None) -> None:
        for ending in ENDING_SIGNALS:
            signal.signal(ending, signal.SIG_IGN)
        raise Interrupted(signal_number)

    previous = {ending: signal.signal(ending, interrupt) for ending in ENDING_SIGNALS}
    try:
        yield
    finally:
        for ending, handler in previous.items():
            signal.signal(ending, handler)


def bare_environment() -> dict[str, str]:
    """The user's environment without anything that configures AWS clients or the service."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def enter_bare_environment() -> None:
    """Make this process's own boto3 and HTTP clients ignore the user's settings too."""
    bare = bare_environment()
    os.environ.clear()
    os.environ.update(bare)


class Child:
    """A command with all that it starts: stopped by its id, and gone when this process is gone."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], log: Path, answers: bool = False
    ) -> None:
        """Start it in the project's folder, tethered to its standard input.

        What it writes is appended to `log`; with `answers`, its standard output is `output`.
        """
        with log.open("ab") as log_file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "demo.processes", *command],
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if answers else log_file,
                stderr=log_file,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of the process and of the group it leads."""
        return self._process.pid

    @property
    def output(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise RuntimeError("the child was not started to answer")
        return self._process.stdout

    def wait(self) -> int:
        """Wait until it ends by itself; its exit code."""
        return self._process.wait()

    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Terminate it, wait, kill what is left of its group. Safe to call twice."""
        self._process.terminate()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Its id is not reused while the group it led still has members.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


class WorkFolder:
    """`.demo`, or `DEMO_DIR`, holds what outlives a run; `.demo/<run>/` is one run's own.

    So `make demo` works while `make serve` is running.
    """

    def __init__(self, run: str, *, root: Path | None = None) -> None:
        self.root = (root or Path(os.environ.get("DEMO_DIR") or ROOT / ".demo")).resolve()
        self.run = self.root / run
        self.env_file = self.root / "env"
        self.manage_file = self.root / "manage-env"
        self.profiles_file = self.root / "aws-profiles"
        self.database = self.run / "db.sqlite3"
        self.service_log = self.run / "service.log"
        self.store_log = self.run / "store.log"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, hold it against a second run, and remove what an older one wrote."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)
        with (self.run / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DemoError(
                    f"Another run uses {self.run}. Stop it, or give this one its own folder: "
                    "DEMO_DIR=path make ..."
                ) from None
            for path in (*self.written_files(), self.store_log):
                path.unlink(missing_ok=True)
            yield

    def written_files(self) -> list[Path]:
        """What the service writes: its database, what SQLite keeps beside it, its log."""
        found = [*self.run.glob(f"{self.database.name}*"), self.service_log]
        return sorted(path for path in found if path.exists())


@contextmanager
def environment_file(path: Path, values: Mapping[str, str]) -> Iterator[None]:
    """Shell lines that export `values`, in a private file.

    Empty values are left out. What a shell reads is exactly the value, whatever is in it.
    """
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items() if value]
    with private_file(path, lines):
        yield


@contextmanager
def private_file(path: Path, lines: Iterable[str]) -> Iterator[None]:
    """A file that only the owner may ever read, for as long as it is of use."""
    # A new file, narrow from its first moment, then put in place of an older one.
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(lines)
    made.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, with where to read the rest."""
    lines = log.read_text(errors="replace").splitlines()[-count:] if log.exists() else []
    return "\n".join([*lines, f"(all of it: {log})"])


def main() -> None:
    is_orphan = threading.Event()
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watcher = threading.Thread(target=_end_with_parent, args=(child, is_orphan), daemon=True)
    watcher.start()
    exit_code = child.wait()
    if is_orphan.is_set():
        watcher.join()  # it ends the whole group, this process included
    sys.exit(exit_code)


def _end_with_parent(child: "subprocess.Popen[bytes]", is_orphan: threading.Event) -> None:
    # Unbuffered: a buffer's lock, held by this thread, would break the interpreter's own ending.
    while os.read(sys.stdin.fileno(), 1):
        pass
    is_orphan.set()
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(TETHERED_GRACE_SECONDS)
    # What is left of the command, if anything, and this process with it.
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
