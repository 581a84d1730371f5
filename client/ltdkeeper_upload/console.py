"""What a person or a log sees: sentences, exit codes, and the progress of a transfer."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from s3transfer.subscribers import BaseSubscriber

REFUSED, USAGE, FAILED, INTERRUPTED = 1, 2, 3, 130
BAR_WIDTH = 30
MEGABYTE = 1_000_000


class Failure(Exception):
    """A sentence for people, the exit code, and after how many seconds a retry may help, if ever;
    0 if that is not known."""

    def __init__(self, sentence: str, code: int = FAILED, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.code, self.retry_after = code, retry_after


def say(sentence: object) -> None:
    """Write exactly one line to standard error: a file's name must not begin another, which a CI
    system might read as a command."""
    sys.stderr.write(" ".join(str(sentence).split()) + "\n")


class Progress(BaseSubscriber):  # type: ignore[misc, unused-ignore]
    """Of all uploads of a transfer: a bar on a terminal, a line now and then in a log. `failure`
    is the first error of any."""

    def __init__(self, files: int, size: int) -> None:
        self.failure: BaseException | None = None
        self._files, self._size = files, size
        self._done = self._sent = 0
        self._on_terminal = sys.stderr.isatty()
        self._pause = 0.1 if self._on_terminal else 10.0
        self._due = time.monotonic() + self._pause
        self._lock = threading.Lock()

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:
        """Count bytes. Those of a part that is sent again were taken off before."""
        self._add(sent=bytes_transferred)

    def on_done(self, future: Any, **_: Any) -> None:
        """Count a file, or keep its error."""
        try:
            future.result()
        except BaseException as err:  # noqa: BLE001 - raised when the transfer has ended
            self.failure = self.failure or err
        else:
            self._add(files=1)

    def _add(self, *, files: int = 0, sent: int = 0) -> None:
        with self._lock:
            self._done, self._sent = self._done + files, self._sent + sent
            last = files > 0 and self._done == self._files
            if not last and time.monotonic() < self._due:
                return
            self._due = time.monotonic() + self._pause
            sizes = f"{self._sent / MEGABYTE:,.1f} of {self._size / MEGABYTE:,.1f} MB"
            line = f"{self._done:,} of {self._files:,} files, {sizes}"
            if self._on_terminal:
                bar = "#" * (BAR_WIDTH * self._sent // max(self._size, 1))
                line = f"\r[{bar:<{BAR_WIDTH}}] {line}"
            sys.stderr.write(line if self._on_terminal and not last else f"{line}\n")
