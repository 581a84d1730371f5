"""The embedded store, as the process that starts it sees it, and the users of its account."""

import json
import os
import secrets
import select
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import boto3
from botocore.config import Config

from demo.processes import ROOT, Child, DemoError

PYTHON = ROOT / ".venv-store" / "bin" / "python"
REGION = "us-east-1"
ACCOUNT = "000000000000"
BUCKET = "demo-docs"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ltdkeeper-upload"
READER = "demo-reader"
ADMINISTRATOR = "administrator"
REVOKER = "demo-revoker"
START_SECONDS = 60.0
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


@dataclass(frozen=True)
class Key:
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make AWS clients use it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def profile(self, name: str) -> list[str]:
        """Its lines of an AWS credentials file."""
        values = (f"{key.lower()} = {value}\n" for key, value in self.environment.items())
        return [f"[{name}]\n", *values]


class EmbeddedStore:
    """Context manager: S3, STS and IAM on a loopback port, enforcing, empty, in memory.

    Its root key is random, made here, and known to this object and the store's process only.
    """

    def __init__(self, *, log: Path | None = None, port: int = 0) -> None:
        self._log = log or Path(os.devnull)
        self._wanted_port = port
        self._root = Key(f"AKIA{secrets.token_hex(16).upper()}", secrets.token_urlsafe(32))
        self._child: Child
        self.endpoint_url = ""

    def __enter__(self) -> Self:
        if not PYTHON.exists():
            raise DemoError(f"{PYTHON} is missing: `make demo` and `make test` install it.")
        command = [str(PYTHON), "-m", "demo.store_server", "--port", str(self._wanted_port)]
        with ExitStack() as on_failure:
            self._child = Child(command, env=self._environment(), log=self._log, answers=True)
            on_failure.enter_context(self._child)
            self.endpoint_url = f"http://127.0.0.1:{self._port()}"
            on_failure.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._child.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.is_running()

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
        return self.client(service, **asdict(self._root))

    def _environment(self) -> dict[str, str]:
        """The root key, and nothing of the user's: no AWS settings, no proxies, no home folder."""
        return {
            "PATH": os.defpath,
            "HOME": "/nonexistent",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **self._root.environment,
        }

    def _port(self) -> int:
        output = self._child.output
        ready, _, _ = select.select([output], [], [], START_SECONDS)
        line = output.readline().strip() if ready else b""
        if not line.isdigit():
            raise DemoError(f"The embedded store did not start; {self._log} says why.")
        return int(line)


def new_user(store: EmbeddedStore, name: str, *, policy: str) -> Key:
    """The key of a user that is made now, with one inline policy."""
    iam = store.admin_client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def administrator_policy() -> str:
    """Who sets an account up may do everything in it."""
    return _document({"s3:*": "*", "iam:*": "*", "sts:*": "*"})


def revoker_policy() -> str:
    """As `bootstrap_store` has it, without a condition that the store does not know."""
    return _document(dict.fromkeys(("iam:GetRolePolicy", "iam:PutRolePolicy"), ROLE_ARN))


def reader_policy(*, bucket: str) -> str:
    """A key for looking at what arrived: read and list one bucket."""
    arn = f"arn:aws:s3:::{bucket}"
    return _document(
        {"s3:GetObject": f"{arn}/*", "s3:ListBucket": arn, "s3:GetBucketLocation": arn}
    )


def _document(allowed: dict[str, str]) -> str:
    statements = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in allowed.items()]
    document = {"Version": "2012-10-17", "Statement": statements}
    # Compact: Ceph's gateway, which the tests start as well, reads no other.
    return json.dumps(document, separators=(",", ":"))
