"""boto3 clients that act with a session this service issued: to look, to probe, to clean up.

And one that acts as the auditor, who reads where a session may not.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from builds.models import Store
from credentials.vending.issuing import VendedSession
from credentials.vending.sts import Patience

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

SOMEBODY_WAITS = Patience(connect_seconds=0.5, read_seconds=1.5, attempts=1)
NOBODY_WAITS = Patience(connect_seconds=5, read_seconds=30, attempts=4)


@cache
def _boto_session() -> boto3.session.Session:
    """Shared for its loaded service models: a client of it costs a fraction of the first one.

    Made when first needed, since it reads the AWS configuration of the service.
    """
    return boto3.session.Session()


def s3_client(vended: VendedSession) -> "S3Client":
    """S3 with the session's credentials: one attempt, about 2 s at most."""
    store = vended.build.product.store
    client: S3Client = _client("s3", vended, s3={"addressing_style": store.addressing})
    return client


def patient_s3_client(vended: VendedSession) -> "S3Client":
    """The same for scheduled work, with time and further attempts: nobody waits for it."""
    addressing = vended.build.product.store.addressing
    client: S3Client = _client(
        "s3", vended, patience=NOBODY_WAITS, s3={"addressing_style": addressing}
    )
    return client


def auditor_s3_client(auditor: boto3.session.Session, store: Store) -> "S3Client":
    """S3 with the auditor's credentials, for scheduled work. Raises BotoCoreError without any."""
    client: S3Client = auditor.client(
        "s3",
        region_name=store.region,
        endpoint_url=store.endpoint_url or None,
        config=_config(NOBODY_WAITS, s3={"addressing_style": store.addressing}),
    )
    return client


def sts_client(vended: VendedSession) -> "STSClient":
    """STS with the session's credentials, to see whether it can assume the role again."""
    client: STSClient = _client("sts", vended)
    return client


def _client(
    service: str, vended: VendedSession, patience: Patience = SOMEBODY_WAITS, **config: Any
) -> Any:
    store = vended.build.product.store
    return _boto_session().client(  # type: ignore[call-overload]
        service,
        region_name=store.region,
        endpoint_url=store.endpoint_url or None,
        aws_access_key_id=vended.assumed.access_key_id,
        aws_secret_access_key=vended.assumed.secret_access_key.reveal(),
        aws_session_token=vended.assumed.session_token.reveal(),
        config=_config(patience, **config),
    )


def _config(patience: Patience, **config: Any) -> Config:
    return Config(
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        **config,
    )
