"""The service, run as the Procfile says: release once, then web until stopped."""

import contextlib
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import requests

from demo.processes import ROOT, Child, DemoError, WorkFolder, bare_environment, last_lines
from demo.store import (
    ADMINISTRATOR,
    BUCKET,
    READER,
    REGION,
    REVOKER,
    ROLE_ARN,
    EmbeddedStore,
    Key,
    administrator_policy,
    new_user,
    reader_policy,
    revoker_policy,
)

CLIENT = "demo"
STORE_NAME = "embedded"
START_SECONDS = 60.0
POLL_SECONDS = 0.1
# Where a server that listens everywhere is reached from its own machine.
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


class Service:
    """Context manager: released when entered, its web server started; it may not answer yet."""

    def __init__(self, environment: Mapping[str, str], *, log: Path) -> None:
        # The Procfile's commands are found where this Python's are.
        path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        self.environment = dict(environment) | {"PATH": path}
        self.log = log
        self.url = environment["LTD_PUBLIC_URL"].rstrip("/")
        host = LOOPBACK_OF.get(environment["HOST"], environment["HOST"])
        self.inside_url = f"http://{host}:{environment['PORT']}"
        public = urlsplit(self.url)
        # As the proxy in front would say it: the service answers to its public name only.
        self.inside_headers = {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}
        self._web: Child

    def __enter__(self) -> Self:
        self.release()
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def release(self) -> None:
        """Check the settings, bring the database up to date, make the store's row."""
        self._succeed(["sh", "-c", procfile_command("release")])

    def start(self) -> None:
        # "exec" makes the web server itself, not a shell, the process that is stopped.
        command = ["sh", "-c", f"exec {procfile_command('web')}"]
        self._web = Child(command, env=self.environment, log=self.log)

    def stop(self) -> None:
        self._web.stop()

    @property
    def pid(self) -> int:
        return self._web.pid

    def is_running(self) -> bool:
        return self._web.is_running()

    def wait_until_it_answers(self) -> None:
        """Raises DemoError, with the end of the log, when it does not start."""
        deadline = time.monotonic() + START_SECONDS
        while self.is_running() and time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException), requests.Session() as session:
                session.trust_env = False
                address = f"{self.inside_url}/livez"
                if session.get(address, headers=self.inside_headers, timeout=2).ok:
                    return
            time.sleep(POLL_SECONDS)
        raise DemoError(f"The web server did not start.\n{last_lines(self.log)}")

    def manage(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a management command; its standard output. Raises DemoError when it fails."""
        return self._succeed([sys.executable, "manage.py", *arguments], environment)

    def new_client(self, name: str) -> str:
        """A new API key for one day, of a client that is made if missing.

        The client may create products.
        """
        options = ["--may-create-products", "--expires-days", "1", "--format", "json"]
        answer = json.loads(self.manage("create_client", name, *options))
        return str(answer["api_key"])

    def check_isolation(self) -> tuple[bool, str]:
        """Whether the store was seen to keep builds apart, and what `check_isolation` says."""
        code, output = self._run([sys.executable, "manage.py", "check_isolation"])
        return code == 0, output

    def _succeed(self, command: list[str], environment: Mapping[str, str] | None = None) -> str:
        code, output = self._run(command, environment)
        if code != 0:
            raise DemoError(f"`{' '.join(command)}` failed.\n{last_lines(self.log)}")
        return output

    def _run(
        self, command: list[str], environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        env = self.environment | dict(environment or {})
        with Child(command, env=env, log=self.log, answers=True) as child:
            output = child.output.read().decode()
            return child.wait(), output


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """A service that runs on an embedded store, and the keys that were made for it."""

    store: EmbeddedStore
    service: Service
    vendor: Key
    auditor: Key
    revoker: Key
    reader: Key
    api_key: str = field(repr=False)

    def is_running(self) -> bool:
        return self.service.is_running() and self.store.is_running()


@contextmanager
def embedded_service(*, folder: WorkFolder, port: int) -> Iterator[Embedded]:
    """A fresh service on a fresh store; both are stopped at the end, whatever ends it.

    The store is set up by `bootstrap_store`, as an operator would. Raises DemoError.
    """
    with EmbeddedStore(log=folder.store_log) as store:
        administrator = new_user(store, ADMINISTRATOR, policy=administrator_policy())
        revoker = new_user(store, REVOKER, policy=revoker_policy())
        reader = new_user(store, READER, policy=reader_policy(bucket=BUCKET))
        environment = embedded_environment(
            folder=folder, endpoint_url=store.endpoint_url, port=port
        )
        service = Service(environment | administrator.environment, log=folder.service_log)
        service.release()
        made = json.loads(service.manage("bootstrap_store", "--apply", "--format", "json"))
        vendor = Key(**made["keys"]["vendor"])
        service.environment |= vendor.environment
        service.start()
        try:
            # Another process that takes a second to start: meanwhile, the web server does.
            api_key = service.new_client(CLIENT)
            service.wait_until_it_answers()
            yield Embedded(
                store=store,
                service=service,
                vendor=vendor,
                auditor=Key(**made["keys"]["auditor"]),
                revoker=revoker,
                reader=reader,
                api_key=api_key,
            )
        finally:
            service.stop()


def embedded_environment(*, folder: WorkFolder, endpoint_url: str, port: int) -> dict[str, str]:
    """As in production, but for SQLite and plain HTTP on loopback, with every event logged."""
    return bare_environment() | {
        "LTD_ENV_FILE": os.devnull,
        "LTD_SECRET_KEY": secrets.token_urlsafe(50),
        "LTD_PUBLIC_URL": loopback_url(port),
        "LTD_ALLOW_HTTP": "true",
        "LTD_ALLOW_SQLITE": "true",
        "LTD_LOG_LEVEL": "DEBUG",
        "DATABASE_URL": f"sqlite:///{quote(str(folder.database))}",
        "LTD_STORE_NAME": STORE_NAME,
        "LTD_STORE_BUCKET": BUCKET,
        "LTD_STORE_REGION": REGION,
        "LTD_STORE_ENDPOINT_URL": endpoint_url,
        "LTD_STORE_ROLE_ARN": ROLE_ARN,
        "LTD_STORE_WITH_SYNC": "true",
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }


def loopback_url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def procfile_command(process: str) -> str:
    """The command of one of the Procfile's processes."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        if name == process:
            return command.strip()
    raise DemoError(f"The Procfile has no {process!r} process.")


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
