"""The real service under its production server, as a child process with a database of its own."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import requests

from demo.processes import ROOT
from demo.service import free_port
from tests.demo import processes
from tests.demo.processes import become
from tests.faults.fake_store import KEY
from tests.faults.postgres import Postgres

CLIENT_SECONDS = 120
START_SECONDS = 120
# The commands an operator types, in one process: each would take a second to start.
SET_UP = """
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
call_command("createcachetable", verbosity=0)
call_command("ensure_store", stdout=open("/dev/null", "w"))
from builds.services import create_product
create_product(slug="guide", store_name="default")
options = ("--product", "guide", "--may-create-products", "--format", "json")
call_command("create_client", "ci", *options)
"""


def is_stopped(pid: int) -> bool:
    """Whether all threads of a process are, by a signal."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    try:
        return all(b") T " in thread.read_bytes() for thread in threads)
    except OSError:  # a thread has ended meanwhile
        return False


class Service:
    """Set up by the commands an operator types, spoken to over HTTP, its ledger read from outside.

    On SQLite in the folder, unless `database_url` names another database.
    """

    server: Postgres

    def __init__(self, folder: Path, store_url: str, database_url: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "db.sqlite3"
        self.log = folder / "service.log"
        self.env = self._environment(store_url)
        self.env["DATABASE_URL"] = database_url or self.env["DATABASE_URL"]
        self.headers: dict[str, str] = {}
        self.http = requests.Session()
        self.http.trust_env = False

    def _environment(self, store_url: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "ltdkeeper.settings",
            "LTD_ENV_FILE": os.devnull,
            "LTD_SECRET_KEY": "only-for-tests-" * 5,
            "LTD_PUBLIC_URL": self.url,
            "LTD_ALLOW_HTTP": "true",
            "LTD_ALLOW_SQLITE": "true",
            "LTD_TRUSTED_PROXIES": "1",
            "LTD_WEB_THREADS": "4",
            "LTD_LOG_LEVEL": "DEBUG",
            "LTD_OPEN_BUILDS": "1000000",
            "LTD_SESSIONS_AN_HOUR": "1000000",
            "LTD_STORE_BUCKET": "docs-bucket",
            "LTD_STORE_ROLE_ARN": "arn:aws:iam::123456789012:role/upload",
            "LTD_STORE_ENDPOINT_URL": store_url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "only-for-tests",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def use_file(self, database: Path) -> None:
        """Of SQLite."""
        self.database = database
        self.env["DATABASE_URL"] = f"sqlite:///{database}"

    def use_server(self, server: Postgres) -> None:
        self.server = server
        self.env["DATABASE_URL"] = server.url()

    def set_up(self) -> None:
        """Migrate, make the store and a client, and show the client's key from now on."""
        key = json.loads(self.python("-c", SET_UP))["api_key"]
        self.headers = {"Authorization": f"Bearer {key}"}

    def python(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """What a program prints that runs with the service's settings: `-c`, or `manage.py`."""
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, check=False, capture_output=True, text=True
        )
        assert done.returncode in codes, done.stderr
        return done.stdout

    @contextmanager
    def running(
        self, workers: int = 1, *options: str, tree: Path = ROOT, ready: str = "/readyz"
    ) -> Iterator[None]:
        command = [
            str(Path(sys.executable).with_name("granian")),
            *("--interface", "wsgi", "--http", "1", "--host", "127.0.0.1"),
            *("--port", str(self.port)),
            *("--workers", str(workers), "--blocking-threads", "4", *options),
            "ltdkeeper.wsgi:application",
        ]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, cwd=tree, env=self.env, stdout=log, stderr=log)
        self.process = process
        try:
            self._wait(process, ready)
            yield
        finally:
            self.http.close()
            process.send_signal(signal.SIGTERM)
            process.wait(120)

    def workers(self) -> list[int]:
        """The processes that answer, the oldest first."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in children.split()]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its processes stand still meanwhile."""
        workers = self.workers()
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        assert become(lambda: all(map(is_stopped, workers)))
        try:
            yield
        finally:
            for worker in workers:
                os.kill(worker, signal.SIGCONT)

    def kill(self) -> None:
        """End all its processes at once."""
        workers = self.workers()
        self.process.kill()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        self.process.wait()
        assert become(lambda: not processes.running(set(workers)))

    def _wait(self, process: "subprocess.Popen[bytes]", ready: str) -> None:
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and process.poll() is None:
            try:
                if self.call("GET", ready).status_code == 200:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        raise RuntimeError(self.log.read_text())

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """One request, with time for a busy machine."""
        return self.http.request(
            method, self.url + path, json=body, timeout=CLIENT_SECONDS, **options
        )

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the service's database, read from outside."""
        if self.kind == "postgresql":
            with psycopg.connect(self.env["DATABASE_URL"]) as connection:
                return connection.execute(query.encode()).fetchall()
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(query).fetchall()

    def write(self, statement: str) -> None:
        """Change the service's database from outside."""
        if self.kind == "postgresql":
            with psycopg.connect(self.env["DATABASE_URL"]) as connection:
                connection.execute(statement.encode())
            return
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute(statement)

    @property
    def kind(self) -> str:
        return "postgresql" if self.env["DATABASE_URL"].startswith("postgres") else "sqlite"

    def last_session(self) -> tuple[str, str]:
        """Status and failure code of the newest ledger row."""
        query = "SELECT status, failure_code FROM credentials_issuedsession ORDER BY id DESC"
        status, code = self.read(query)[0]
        return status, code

    def sessions(self) -> int:
        return int(self.read("SELECT count(*) FROM credentials_issuedsession")[0][0])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another writer holds the database meanwhile."""
        lock = self.lock()
        try:
            yield
        finally:
            lock.close()

    def lock(self) -> sqlite3.Connection:
        """Take the write lock; closing the connection gives it back."""
        connection = sqlite3.connect(self.database, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")
        return connection
