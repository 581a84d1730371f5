"""A PostgreSQL server of a test's own, to be stopped, killed, filled up and failed over."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from demo.service import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
USER = "postgres"
# What is asked for at commit is the same: only a power cut would show the difference.
SETTINGS = {"fsync": "off", "listen_addresses": "127.0.0.1", "max_connections": "60"}


class Postgres:
    """A server with its files in a folder of its own, below `parent` if that is named."""

    def __init__(self, parent: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ltdkeeper-postgres-", dir=parent))
        self.data = self.folder / "data"
        self.port = free_port()
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(self.folder, USER)
        self.settings: dict[str, str] = {}
        self.env: dict[str, str] = {}

    def create(self) -> None:
        self._run("initdb", "--auth=trust", f"--username={USER}", "--wal-segsize=1", "--no-sync")

    def copy_to(self, parent: Path | None = None) -> "Postgres":
        """Another server with the same data. This one must be stopped, or have been killed."""
        other = Postgres(parent)
        subprocess.run(["cp", "-a", self.data, other.data], check=True)  # noqa: S607
        return other

    def url(self, database: str = "postgres") -> str:
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # of one that has ended
        settings = SETTINGS | self.settings | {"unix_socket_directories": str(self.folder)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = ("-l", str(self.folder / "log"))
        self._run("pg_ctl", *log, "-w", "-o", f"-p {self.port} {options}", "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is how a crash looks to clients and data; `fast` is an orderly end."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def follow(self, primary: "Postgres") -> None:
        """Be a standby of the server that this one is a copy of. The primary waits for it."""
        (self.data / "standby.signal").touch()
        self.settings["primary_conninfo"] = (
            f"host=127.0.0.1 port={primary.port} user={USER} application_name=standby"
        )
        primary.settings["synchronous_standby_names"] = "standby"

    def has_synchronous_standby(self) -> bool:
        with psycopg.connect(self.url()) as connection:
            states = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
        return states == [("sync",)]

    def promote(self) -> None:
        self._run("pg_ctl", "-w", "promote")

    @contextmanager
    def running(self) -> Iterator["Postgres"]:
        """Started; at the end stopped, whatever happened to it, and its files removed."""
        try:
            self.start()
            yield self
        finally:
            self.remove()

    def end(self) -> None:
        """Stop it, unless it has stopped by itself."""
        if (self.data / "postmaster.pid").exists():
            subprocess.run(self._command("pg_ctl", "-w", "-m", "immediate", "stop"), check=False)

    def remove(self) -> None:
        self.end()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command, env = self._command(program, *arguments), os.environ | self.env
        subprocess.run(command, env=env, check=True, cwd="/")

    def _command(self, program: str, *arguments: str) -> list[str]:
        as_user = ["runuser", "-u", USER, "--"] if os.getuid() == 0 else []
        quiet = ["sh", "-c", '"$@" >/dev/null 2>&1', "sh"]  # the server keeps its outputs open
        place = ["-D", str(self.data)]
        return [*as_user, *quiet, str(PROGRAMS[-1] / program), *place, *arguments]
