"""What the account of a store should hold, as this service knows it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from builds.names import partition_of
from credentials.doctor.principals import account_of, name_of
from credentials.identities import boundary_policy, trust_policy, upload_policy, vendor_policy

CHAINED_MAXIMUM = 3600


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One store and its vendor, in plain values.

    `vendor_arn` is the vendor's user or role; empty where the store does not tell. `upload_roles`
    are the roles of all stores; `post_seconds` is how long presigned POSTs are to be good for,
    None where the store takes none; `product_seconds` are the products that set a duration.
    """

    bucket: str
    region: str
    role_arn: str
    endpoint_url: str = ""
    public_endpoint_url: str = ""
    role_max_seconds: int = 3600
    external_id: str = ""
    kms_key_arn: str = ""
    takes_acls: bool = False
    vendor_arn: str = ""
    vendor_is_session: bool = False
    upload_roles: tuple[str, ...] = ()
    default_seconds: int = 1800
    post_seconds: int | None = None
    product_seconds: Mapping[str, int] = field(default_factory=dict)
    product_slugs: tuple[str, ...] = ()
    with_sync: bool = False

    @property
    def is_aws(self) -> bool:
        return not self.endpoint_url

    @property
    def partition(self) -> str:
        return partition_of(self.role_arn)

    @property
    def account(self) -> str:
        return account_of(self.role_arn)

    @property
    def role_name(self) -> str:
        return name_of(self.role_arn)

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def boundary_name(self) -> str:
        return f"{self.role_name}-boundary"

    @property
    def boundary_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:policy/{self.boundary_name}"

    @property
    def longest_chained(self) -> int:
        """The longest session that the vendor can have: AWS caps those of a role's session."""
        cap = CHAINED_MAXIMUM if self.vendor_is_session else self.role_max_seconds
        return min(cap, self.role_max_seconds)

    @property
    def trust(self) -> dict[str, Any]:
        """The trust policy. Raises UnsafeIdentityError while the vendor is not known."""
        text = trust_policy(vendor_arn=self.vendor_arn, external_id=self.external_id)
        return _read(text)

    @property
    def upload(self) -> dict[str, Any]:
        """The upload role's own policy."""
        return _read(upload_policy(**self._scope, with_sync=self.with_sync))

    @property
    def boundary(self) -> dict[str, Any]:
        """The permissions boundary: exactly what the role may be allowed."""
        return _read(boundary_policy(**self._scope, with_sync=self.with_sync))

    @property
    def vendor(self) -> dict[str, Any]:
        """The vendor's own policy: to assume the upload roles of all stores."""
        return _read(vendor_policy(role_arns=self.upload_roles or (self.role_arn,)))

    @property
    def _scope(self) -> dict[str, str]:
        return {
            "role_arn": self.role_arn,
            "bucket": self.bucket,
            "kms_key_arn": self.kms_key_arn,
        }


def _read(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    return document
