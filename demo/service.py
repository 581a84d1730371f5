"""The service, run as the Procfile says: release once, then web until stopped."""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests

from demo.child import ROOT, Child
from demo.errors import DemoError

START_SECONDS = 60.0
# Where a server that listens everywhere is reached from its own machine.
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
POLL_SECONDS = 0.1


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
        self._run(["sh", "-c", procfile_command("release")])
        # "exec" makes the web server itself, not a shell, the process that is stopped.
        command = ["sh", "-c", f"exec {procfile_command('web')}"]
        self._web = Child.tethered(command, env=self.environment, log=self.log)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._web.stop()

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
        """Run a management command; its standard output."""
        return self._run([sys.executable, "manage.py", *arguments], environment)

    def new_client(self, name: str) -> str:
        """A new API key for one day, of a client that is made if missing.

        The client may create products.
        """
        options = ["--may-create-products", "--expires-days", "1", "--format", "json"]
        answer = json.loads(self.manage("create_client", name, *options))
        return str(answer["api_key"])

    def _run(self, command: list[str], environment: Mapping[str, str] | None = None) -> str:
        env = self.environment | dict(environment or {})
        with Child.tethered(command, env=env, log=self.log, answers=True) as child:
            output = child.output.read().decode()
            if child.wait() != 0:
                raise DemoError(f"`{' '.join(command)}` failed.\n{last_lines(self.log)}")
            return output


def procfile_command(process: str) -> str:
    """The command of one of the Procfile's processes."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        if name == process:
            return command.strip()
    raise DemoError(f"The Procfile has no {process!r} process.")


def require_free_port(port: int) -> None:
    """Raises DemoError when something listens on a loopback port already."""
    with socket.socket() as probe:
        # As servers do: addresses that only wait for late packets count as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"Port {port} cannot be used: {error.strerror}. Try another: PORT=8001 make serve"
            ) from None


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, with where to read the rest."""
    lines = log.read_text(errors="replace").splitlines()[-count:] if log.exists() else []
    return "\n".join([*lines, f"(all of it: {log})"])
