"""Ceph's gateway, seen from the process that starts it: the counterpart of `demo.store`."""

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import boto3

from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey
from demo.service import free_port
from demo.store import CLIENT_CONFIG, REGION
from tests.store.ceph.cluster import Cluster
from tests.store.ceph.config import ClusterConfig
from tests.store.ceph.packages import require_ceph

OPERATOR = "operator"
# What lets a user of Ceph make roles and the policies of users; buckets any user may make.
OPERATOR_RIGHTS = "roles=*;user-policy=*"


@dataclass(frozen=True, kw_only=True)
class CephUser:
    """A user of the gateway with its one key."""

    arn: str
    key: AccessKey


class CephStore:
    """Context manager: S3, STS and IAM on a loopback port, enforcing, empty, in memory.

    It ends when this process ends, however it ends. Keys are made by Ceph, at random.
    """

    def __init__(self) -> None:
        self._running = ExitStack()
        self._cluster: Cluster
        self.operator: CephUser

    def __enter__(self) -> Self:
        require_ceph()
        with ExitStack() as on_failure:
            folder = on_failure.enter_context(tempfile.TemporaryDirectory(prefix="ltdkeeper-ceph-"))
            config = ClusterConfig(
                folder=Path(folder), monitor_port=free_port(), gateway_port=free_port()
            )
            self._cluster = Cluster(config, on_failure)
            self._cluster.start()
            self.operator = self.new_user(OPERATOR, rights=OPERATOR_RIGHTS)
            self._running = on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.close()

    @property
    def endpoint_url(self) -> str:
        return self._cluster.endpoint_url

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
        """A boto3 client of the operator, for setting the store up."""
        key = self.operator.key
        return self.client(
            service,
            access_key_id=key.access_key_id,
            secret_access_key=key.secret_access_key.reveal(),
        )

    def new_account(self, name: str) -> tuple[str, AccessKey]:
        """Make an account, whose IAM makes users: its id, and the key of its root user."""
        made = self._made("account", "create", f"--account-name={name}")
        account_id: str = made["id"]
        root = self.new_user(name, "--account-root", f"--account-id={account_id}")
        return account_id, root.key

    def new_user(
        self, name: str, *options: str, rights: str = "", may_make_buckets: bool = True
    ) -> CephUser:
        """Make a user. Outside of accounts this is the only way: IAM has roles, but no users."""
        options = (f"--uid={name}", f"--display-name={name}", "--gen-access-key", *options)
        options += (f"--caps={rights}",) if rights else ()
        options += () if may_make_buckets else ("--max-buckets=-1",)
        made = self._made("user", "create", *options)
        return CephUser(
            arn=f"arn:aws:iam:::user/{name}",
            key=AccessKey(
                access_key_id=made["keys"][0]["access_key"],
                secret_access_key=Secret(made["keys"][0]["secret_key"]),
            ),
        )

    def _made(self, *command: str) -> Any:
        return json.loads(self._cluster.run("radosgw-admin", *command))
