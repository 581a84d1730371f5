"""The operator's own clients of a store: for setting it up, never for serving it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from credentials.rules.secret import Secret

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

    from builds.models import Store

CONNECT_SECONDS, READ_SECONDS, TOTAL_ATTEMPTS = 5, 20, 3


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """Somebody's key; the token only where it is a session's."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None


@dataclass(kw_only=True)
class Operator:
    """Clients of one store with the credentials of a boto3 session; by default what boto3 finds.

    `endpoint_url` is empty for AWS; `addressing` is botocore's addressing style.
    """

    store_name: str
    endpoint_url: str
    region: str
    addressing: str
    session: boto3.session.Session = field(default_factory=boto3.session.Session)
    s3: "S3Client" = field(init=False)
    iam: "IAMClient" = field(init=False)

    def __post_init__(self) -> None:
        endpoint_url, region, config = self.endpoint_url or None, self.region, self._config()
        self.s3 = self.session.client(
            "s3", region_name=region, endpoint_url=endpoint_url, config=config
        )
        self.iam = self.session.client(
            "iam", region_name=region, endpoint_url=endpoint_url, config=config
        )

    @classmethod
    def of(cls, store: "Store", *, session: boto3.session.Session | None = None) -> Self:
        """The operator of a store that this service knows."""
        return cls(
            store_name=store.name,
            endpoint_url=store.endpoint_url,
            region=store.region,
            addressing=store.addressing,
            session=session or boto3.session.Session(),
        )

    def sts_with(self, key: AccessKey) -> "STSClient":
        """STS as the owner of a key sees it."""
        token = key.session_token
        return boto3.session.Session().client(
            "sts",
            region_name=self.region,
            endpoint_url=self.endpoint_url or None,
            config=self._config(),
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key.reveal(),
            aws_session_token=token.reveal() if token else None,
        )

    def _config(self) -> Config:
        return Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TOTAL_ATTEMPTS},
            s3={"addressing_style": self.addressing},  # type: ignore[arg-type]
        )


def key_of_profile(profile: str) -> AccessKey:
    """The credentials that a profile holds at this moment.

    Raises ProfileNotFound, NoCredentialsError.
    """
    credentials = boto3.session.Session(profile_name=profile).get_credentials()
    frozen = credentials.get_frozen_credentials() if credentials else None
    if frozen is None or frozen.access_key is None or frozen.secret_key is None:
        raise NoCredentialsError
    return AccessKey(
        access_key_id=frozen.access_key,
        secret_access_key=Secret(frozen.secret_key),
        session_token=Secret(frozen.token) if frozen.token else None,
    )
