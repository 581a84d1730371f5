"""A process started here: stopped by its own id, and gone when this process is gone."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).resolve().parent.parent
GRACE_SECONDS = 8.0


class Child:
    """Owns one process and the group it leads. Its standard input stays open while it may live."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        answers: bool = False,
    ) -> None:
        """Start a command that ends with its standard input, in the project's folder.

        What it writes is appended to `log`; with `answers`, its standard output is `output`.
        """
        with log.open("ab") as log_file:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if answers else log_file,
                stderr=log_file,
                start_new_session=True,
            )

    @classmethod
    def tethered(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        answers: bool = False,
    ) -> Self:
        """Start any command: `demo.tether` watches its standard input for it."""
        tether = [sys.executable, "-m", "demo.tether", *command]
        return cls(tether, env=env, log=log, answers=answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> IO[bytes]:
        return _pipe(self._process.stdout)

    def tell(self, line: str) -> None:
        """Write one line to its standard input."""
        with contextlib.suppress(BrokenPipeError):  # it ended; whoever waits for it will notice
            _pipe(self._process.stdin).write(line.encode() + b"\n")
            _pipe(self._process.stdin).flush()

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
            with contextlib.suppress(BrokenPipeError):
                if pipe:
                    pipe.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the child was not started with this pipe")
    return pipe
