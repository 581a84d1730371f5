"""Everything a run needs on the store: buckets, identities, and the service that vends for them."""

import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3

from builds.models import Store
from credentials.operations.account.bootstrap import Report, bootstrap_store
from credentials.operations.account.bucket import placement
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import wanted_account
from credentials.rules.account_documents import WantedAccount
from credentials.vending.store_clients import AccessKey
from demo.processes import ROOT, bare_environment
from demo.service import Service, free_port, loopback_url
from tests.store.removal import remove_everything
from tests.store.under_test import StoreUnderTest, session_arguments

DATABASE = "db.sqlite3"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A store whose bucket and identities are set up, with the operator's clients of it.

    `admin` is S3 with the operator's key: other eyes than those of the session that is tested.
    """

    store: StoreUnderTest
    row: Store
    plan: WantedAccount
    operator: StoreClients
    report: Report
    admin: Any
    elsewhere: str

    @property
    def bucket(self) -> str:
        return self.row.bucket

    @property
    def iam(self) -> Any:
        return self.operator.iam

    @property
    def vendor(self) -> AccessKey:
        return self.store.vendor or self.report.keys["vendor"]


@contextmanager
def prepared_account(store: StoreUnderTest, *, with_sync: bool = True) -> Iterator[Account]:
    """Names that nobody else has, set up as an operator does it, and removed at the end."""
    name = next(store.names[with_sync]) if store.names else f"ltdkeeper-{secrets.token_hex(4)}"
    row, plan = named(store, name, with_sync=with_sync)
    session = boto3.session.Session(**session_arguments(store.operator))
    operator, admin = StoreClients(store=row, session=session), store.client("s3", store.operator)
    elsewhere = f"{name}-elsewhere"
    try:
        report = bootstrap_store(
            clients=operator, account=plan, vendor_key=store.vendor, apply=True
        )
        assert store.names or not report.has_failed, report.steps
        admin.create_bucket(Bucket=elsewhere, **placement(plan))
        yield Account(
            store=store,
            row=row,
            plan=plan,
            operator=operator,
            report=report,
            admin=admin,
            elsewhere=elsewhere,
        )
    finally:
        remove_everything(operator, plan, buckets=[row.bucket, elsewhere])


def named(
    store: StoreUnderTest, name: str, *, with_sync: bool = True
) -> tuple[Store, WantedAccount]:
    """The row and the plan of an account whose names all begin alike."""
    row = store.row(bucket=f"{name}-docs", role=f"{name}-upload", with_sync=with_sync)
    return row, wanted_account(row, vendor_arn=store.vendor_arn, prefix=name)


def service_environment(account: Account, folder: Path, **extra: str) -> Mapping[str, str]:
    """As in production, but for SQLite and plain HTTP on loopback, with every event logged."""
    port, row, vendor = free_port(), account.row, account.vendor
    environment = bare_environment() | {
        "LTD_ENV_FILE": os.devnull,
        "LTD_SECRET_KEY": secrets.token_urlsafe(50),
        "LTD_PUBLIC_URL": loopback_url(port),
        "LTD_ALLOW_HTTP": "true",
        "LTD_ALLOW_SQLITE": "true",
        "LTD_LOG_LEVEL": "DEBUG",
        "DATABASE_URL": f"sqlite:///{quote(str(folder / DATABASE))}",
        "LTD_STORE_NAME": row.name,
        "LTD_STORE_BUCKET": row.bucket,
        "LTD_STORE_REGION": row.region,
        "LTD_STORE_ENDPOINT_URL": row.endpoint_url,
        "LTD_STORE_ROLE_ARN": row.role_arn,
        "LTD_STORE_WITH_SYNC": str(row.with_sync),
        "AWS_ACCESS_KEY_ID": vendor.access_key_id,
        "AWS_SECRET_ACCESS_KEY": vendor.secret_access_key.reveal(),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    return environment | extra


def service_for(account: Account, folder: Path, **extra: str) -> Service:
    """The service as the Procfile runs it, not started yet."""
    return Service(service_environment(account, folder, **extra), log=folder / "service.log")


def isolation_of(service: Service) -> str:
    """What `check_isolation --format json` says, whatever its exit code is."""
    command = [sys.executable, "manage.py", "check_isolation", "--format", "json"]
    ran = subprocess.run(
        command, cwd=ROOT, env=service.environment, capture_output=True, text=True, check=False
    )
    return ran.stdout


def allow_sync(folder: Path, *, product: str) -> None:
    """What an operator does in the admin: no call of the API does it."""
    edit(folder, "UPDATE builds_product SET access = 'sync' WHERE slug = ?", product)


def edit(folder: Path, statement: str, *values: str) -> None:
    """Change the service's database behind its back."""
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute(statement, values)
