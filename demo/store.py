"""The embedded store, seen from the process that starts it."""

import os
import secrets
import select
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config

from demo.child import ROOT, Child
from demo.errors import DemoError
from demo.presented import BOOTSTRAP_HEADER

PYTHON = ROOT / ".venv-store" / "bin" / "python"
REGION = "us-east-1"
ACCOUNT = "000000000000"
START_SECONDS = 30.0
# Requests go to one loopback address: never through a proxy, and by path, since no name resolves
# to <bucket>.127.0.0.1.
CLIENT_CONFIG = Config(
    proxies={},
    s3={"addressing_style": "path"},
    retries={"total_max_attempts": 2, "mode": "standard"},
    connect_timeout=5,
    read_timeout=20,
    max_pool_connections=32,
)


class EmbeddedStore:
    """Context manager: S3, STS and IAM on a loopback port, enforcing, empty, in memory.

    Nobody is its root but `admin_client`: the secret that admits it is made here, handed over a
    pipe, and never leaves this object.
    """

    def __init__(self, *, log: Path | None = None, port: int = 0) -> None:
        self._log = log or Path(os.devnull)
        self._wanted_port = port
        self._bootstrap = secrets.token_urlsafe(32)
        self._child: Child
        self.endpoint_url = ""

    def __enter__(self) -> Self:
        if not PYTHON.exists():
            raise DemoError(f"{PYTHON} is missing: `make demo` and `make test` install it.")
        command = [str(PYTHON), "-m", "demo.store_server", "--port", str(self._wanted_port)]
        with ExitStack() as on_failure:
            self._child = Child(command, env=_environment(), log=self._log, answers=True)
            on_failure.enter_context(self._child)
            self._child.tell(self._bootstrap)
            self.endpoint_url = f"http://127.0.0.1:{self._port()}"
            on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._child.stop()

    @property
    def pid(self) -> int:
        """The id of the store's process."""
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.is_running()

    def _port(self) -> int:
        """The port that the store says it listens on."""
        output = self._child.output
        ready, _, _ = select.select([output], [], [], START_SECONDS)
        line = output.readline().strip() if ready else b""
        if not line.isdigit():
            raise DemoError(f"The embedded store did not start; {self._log} says why.")
        return int(line)

    def client(
        self,
        service: Literal["s3", "iam", "sts"],
        *,
        access_key_id: str,
        secret_access_key: str,
        session_token: str | None = None,
    ) -> Any:
        """A boto3 client of the store for somebody's key."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            aws_session_token=session_token,
            config=CLIENT_CONFIG,
        )

    def admin_client(self, service: Literal["s3", "iam", "sts"]) -> Any:
        """A boto3 client of the account's root, for setting the store up."""
        client = self.client(service, access_key_id="test", secret_access_key="test")  # noqa: S106
        client.meta.events.register("before-send", self._present_bootstrap)
        return client

    def _present_bootstrap(self, request: AWSPreparedRequest, **_kwargs: Any) -> None:
        request.headers[BOOTSTRAP_HEADER.decode()] = self._bootstrap


def _environment() -> dict[str, str]:
    """Nothing of the user's: no AWS settings, no proxies, no home folder to find them in."""
    return {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
