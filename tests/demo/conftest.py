"""Stores for the tests of the demo: the embedded one, and the same software as it is installed."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import boto3
import pytest
import requests

from demo.child import ROOT
from demo.identities import Identities, apply_identities
from demo.store import CLIENT_CONFIG, EmbeddedStore
from tests.demo.requests_to_store import BUCKET, plain

EVERYTHING = '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@dataclass(frozen=True, kw_only=True)
class AttackedStore:
    """A store with a bucket, and a user that may do everything."""

    url: str
    key_id: str
    secret: str = field(repr=False)


@pytest.fixture(scope="session")
def embedded_store() -> Iterator[EmbeddedStore]:
    with EmbeddedStore() as store:
        yield store


@pytest.fixture(scope="session")
def identities(embedded_store: EmbeddedStore) -> Identities:
    return apply_identities(store=embedded_store)


@pytest.fixture(scope="session")
def closed_store(embedded_store: EmbeddedStore) -> AttackedStore:
    s3, iam = embedded_store.admin_client("s3"), embedded_store.admin_client("iam")
    return _prepared(embedded_store.endpoint_url, s3, iam)


@pytest.fixture(scope="session")
def installed_store() -> Iterator[AttackedStore]:
    """Without the guard: what makes an attack an attack."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    python = ROOT / ".venv-store" / "bin" / "python"
    command = [str(python), "-m", "hypercorn", "ministack.app:app", "--bind", address]
    settings = {"AUTH": "true", "SERVICES": "s3,sts,iam", "LOG_LEVEL": "WARNING"}
    closed = {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "DOCKER_HOST": "unix:///nonexistent"}
    env = {"PATH": os.defpath, "HOME": "/nonexistent", **settings, **closed}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet) as process:
        try:
            _wait_for(f"http://{address}")
            clients = [_root_client(service, f"http://{address}") for service in ("s3", "iam")]
            yield _prepared(f"http://{address}", *clients)
        finally:
            process.kill()


def _prepared(url, s3, iam) -> AttackedStore:
    s3.create_bucket(Bucket=BUCKET)
    iam.create_user(UserName="victim")
    iam.put_user_policy(UserName="victim", PolicyName="all", PolicyDocument=EVERYTHING)
    key = iam.create_access_key(UserName="victim")["AccessKey"]
    return AttackedStore(url=url, key_id=key["AccessKeyId"], secret=key["SecretAccessKey"])


def _root_client(service: str, url: str):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = {"region_name": "us-east-1", "config": CLIENT_CONFIG}
    return boto3.client(service, endpoint_url=url, **keys, **config)


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            plain("GET", "/health")(url)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)
