"""The store that the environment names: one that runs somewhere, or one that is started here."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from credentials.secret import Secret
from credentials.stores.operator import AccessKey
from demo.child import ROOT
from demo.store import ACCOUNT, REGION, EmbeddedStore
from tests.store.ceph.packages import ceph_version
from tests.store.ceph.store import OPERATOR, CephStore
from tests.store.named import VARIABLE, named_store
from tests.store.under_test import StoreUnderTest, User

# Long enough to be used before it is over, short enough to be waited for.
SHORTEST_SECONDS = 3
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "iam:*", "sts:*"], "Resource": "*"}],
}


def is_store_named() -> bool:
    """Whether the environment says which store is meant."""
    return any(name in os.environ for name in (VARIABLE, f"{VARIABLE}_KIND"))


@contextmanager
def store_under_test() -> Iterator[StoreUnderTest]:
    """`LTD_TEST_STORE_KIND` names one that runs already; else `LTD_TEST_STORE` is started."""
    if os.environ.get(f"{VARIABLE}_KIND"):
        yield named_store()
        return
    start = {"embedded": _embedded, "ceph": _ceph}[os.environ.get(VARIABLE, "embedded")]
    with start() as store:
        yield store


@contextmanager
def _embedded() -> Iterator[StoreUnderTest]:
    with EmbeddedStore() as store:
        yield StoreUnderTest(
            kind="ministack",
            version=_embedded_version(),
            endpoint_url=store.endpoint_url,
            region=REGION,
            account=ACCOUNT,
            operator=_administrator(store.admin_client("iam")),
            shortest_seconds=SHORTEST_SECONDS,
        )


@contextmanager
def _ceph() -> Iterator[StoreUnderTest]:
    with CephStore() as store:
        # The objects of sessions belong to the vendor's user, not to the bucket's owner.
        _allow_everything(store.admin_client("iam"), OPERATOR)
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


def _administrator(iam: Any) -> AccessKey:
    """A user who may do everything, as an operator is on AWS: nothing here runs as root."""
    name = "administrator"
    iam.create_user(UserName=name)
    _allow_everything(iam, name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return AccessKey(
        access_key_id=made["AccessKeyId"], secret_access_key=Secret(made["SecretAccessKey"])
    )


def _allow_everything(iam: Any, user: str) -> None:
    # Compact: Ceph's gateway reads no other.
    document = json.dumps(EVERYTHING, separators=(",", ":"))
    iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=document)


def _embedded_version() -> str:
    """What is installed in the store's own virtual environment."""
    [folder] = Path(ROOT / ".venv-store" / "lib").glob("python3*/site-packages")
    return next(iter(distributions(name="ministack", path=[str(folder)]))).version
