"""The store that the suite runs against, and how to reach it with somebody's key."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import boto3
from botocore.config import Config

from builds.models import Store
from credentials.vending.store_clients import AccessKey


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody without rights of their own."""

    name: str
    key: AccessKey


@dataclass(frozen=True, kw_only=True)
class StoreUnderTest:
    """Kind and version choose the differences that are expected of it.

    `account` is the account in its ARNs, `shortest_seconds` the shortest session that it gives.
    `vendor`, `vendor_arn` and `make_user` are set where its IAM makes no users. `names` gives names
    for an account, with or without sync, where its roles are made before it starts.
    """

    kind: str
    version: str
    endpoint_url: str
    region: str
    account: str
    operator: AccessKey
    shortest_seconds: int = 900
    vendor: AccessKey | None = None
    vendor_arn: str = ""
    make_user: Callable[[str], User] | None = None
    names: Mapping[bool, Iterator[str]] | None = None

    def client(
        self, service: Literal["s3", "iam", "sts"], key: AccessKey, *, attempts: int = 1
    ) -> Any:
        """A boto3 client of the store that believes nothing of what it is told to send.

        Without botocore's own checks, so that what is refused is refused by the store. Nothing is
        tried twice there, but for the `attempts` of who only looks.
        """
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url or None,
            region_name=self.region,
            config=self._config(attempts),
            **session_arguments(key),
        )

    def row(self, *, bucket: str, role: str, **fields: Any) -> Store:
        """The store as this service knows it; not saved."""
        return Store(
            name="tested",
            bucket=bucket,
            region=self.region,
            endpoint_url=self.endpoint_url,
            role_arn=f"arn:aws:iam::{self.account}:role/{role}",
            **fields,
        )

    def _config(self, attempts: int) -> Config:
        attempts = attempts if self.endpoint_url else 3
        return Config(
            proxies={},
            s3={"addressing_style": "path" if self.endpoint_url else "virtual"},
            retries={"mode": "standard", "total_max_attempts": attempts},
            parameter_validation=False,
            connect_timeout=60,
            read_timeout=120,
        )


def session_arguments(key: AccessKey) -> dict[str, str | None]:
    """A key as boto3 takes it."""
    return {
        "aws_access_key_id": key.access_key_id,
        "aws_secret_access_key": key.secret_access_key.reveal(),
        "aws_session_token": key.session_token.reveal() or None,
    }
