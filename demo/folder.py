"""The folder that a run of the demo keeps its files in: `.demo`, or `DEMO_DIR`."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.child import ROOT
from demo.errors import DemoError


class WorkFolder:
    """`.demo/` holds what outlives a run; `.demo/<run>/` is one run's own: `play` or `serve`.

    So `make demo` works while `make serve` is running.
    """

    def __init__(self, run: str, *, root: Path | None = None) -> None:
        self.root = (root or Path(os.environ.get("DEMO_DIR") or ROOT / ".demo")).resolve()
        self.run = self.root / run
        self.site = self.root / "site"
        self.doctrees = self.root / "doctrees"
        self.env_file = self.root / "env"
        self.manage_file = self.root / "manage-env"
        self.database = self.run / "db.sqlite3"
        self.service_log = self.run / "service.log"
        self.store_log = self.run / "store.log"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, hold it against a second run, and start with nothing of an older one."""
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
            self._clear()
            yield

    def _clear(self) -> None:
        for path in (*self.written_files(), self.store_log):
            path.unlink(missing_ok=True)

    def written_files(self) -> list[Path]:
        """What the service writes: its database, what SQLite keeps beside it, its log."""
        found = [*self.run.glob(f"{self.database.name}*"), self.service_log]
        return sorted(path for path in found if path.exists())
