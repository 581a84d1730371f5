"""SeaweedFS: S3, STS and IAM at one loopback address.

It reads its roles once, as it starts, and has no call that changes them. So it is given as many as
the suite sets up accounts, with the documents that `bootstrap_store` prints for such a store.
"""

import base64
import json
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from credentials.rules.account_documents import WantedAccount
from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey
from demo.processes import ROOT, Child, DemoError, bare_environment, last_lines
from demo.service import free_port

WEED = ROOT / ".venv-seaweedfs" / "bin" / "weed"
START_SECONDS = 120.0
POLL_SECONDS = 0.2
# It tells nobody of itself, and serves nothing beside S3.
OPTIONS = ("-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0",
           "-s3.port.lance=0", "-s3.iam.readOnly=false")  # fmt: skip
PARTS = ("master", "volume", "filer", "s3", "admin")


@contextmanager
def running(
    url: str, *, identities: Mapping[str, AccessKey], accounts: Sequence[WantedAccount]
) -> Iterator[None]:
    """It listens at an address and ends with this process. The first identity may do everything,
    the others nothing.
    """
    address = urlsplit(url)
    ports = [f"-{part}.port.grpc={free_port()}" for part in PARTS]
    ports += [f"-{part}.port={free_port()}" for part in PARTS if part != "s3"]
    with tempfile.TemporaryDirectory(prefix="ltdkeeper-seaweedfs-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "s3.json").write_text(json.dumps(_identities(identities)))
        (folder / "iam.json").write_text(json.dumps(_roles(accounts)))
        where = [
            f"-ip={address.hostname}",
            f"-ip.bind={address.hostname}",
            f"-s3.port={address.port}",
        ]
        files = [f"-dir={folder / 'data'}", f"-s3.config={folder / 's3.json'}"]
        files += [f"-s3.iam.config={folder / 'iam.json'}"]
        command = [str(WEED), "mini", *OPTIONS, *where, *ports, *files]
        with Child(command, env=bare_environment(), log=folder / "log") as child:
            _wait(child, url, folder / "log")
            yield


def new_key() -> AccessKey:
    return AccessKey(
        access_key_id=f"AKIA{secrets.token_hex(8).upper()}",
        secret_access_key=Secret(secrets.token_urlsafe(30)),
    )


def _identities(keys: Mapping[str, AccessKey]) -> dict[str, Any]:
    def identity(name: str, key: AccessKey, actions: list[str]) -> dict[str, Any]:
        pair = {"accessKey": key.access_key_id, "secretKey": key.secret_access_key.reveal()}
        return {"name": name, "credentials": [pair], "actions": actions}

    first = next(iter(keys))
    rights = {name: ["Admin"] if name == first else [] for name in keys}
    return {"identities": [identity(name, key, rights[name]) for name, key in keys.items()]}


def _roles(accounts: Sequence[WantedAccount]) -> dict[str, Any]:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    policies = [
        {"name": each.role_name, "document": json.loads(each.documents["upload"])}
        for each in accounts
    ]
    roles = [
        {
            "roleName": each.role_name,
            "roleArn": each.role_arn,
            "trustPolicy": json.loads(each.trust(refuse_sessions=False)),
            "attachedPolicies": [each.role_name],
        }
        for each in accounts
    ]
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "ltdkeeper-tests",
            "signingKey": key,
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": policies,
        "roles": roles,
    }


def _wait(child: Child, url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while child.is_running() and time.monotonic() < deadline:
        with requests.Session() as session:
            session.trust_env = False
            try:
                if session.get(url, timeout=60).status_code < requests.codes.server_error:
                    return
            except requests.ConnectionError:
                pass
        time.sleep(POLL_SECONDS)
    raise DemoError(f"SeaweedFS did not start.\n{last_lines(log)}")
