"""boto3 clients that act with a session this service issued: to look, to probe, to clean up."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from credentials.issuing import VendedSession

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

CONNECT_SECONDS = 0.5
READ_SECONDS = 1.5

# Shared for its loaded service models: a client of it costs a fraction of the first one.
_boto_session = boto3.session.Session()


def s3_client(vended: VendedSession) -> "S3Client":
    """S3 with the session's credentials: one attempt, about 2 s at most."""
    store = vended.build.product.store
    client: S3Client = _client("s3", vended, s3={"addressing_style": store.addressing})
    return client


def sts_client(vended: VendedSession) -> "STSClient":
    """STS with the session's credentials, to see whether it can assume the role again."""
    client: STSClient = _client("sts", vended)
    return client


def _client(service: str, vended: VendedSession, **config: Any) -> Any:
    store = vended.build.product.store
    return _boto_session.client(  # type: ignore[call-overload]
        service,
        region_name=store.region,
        endpoint_url=store.endpoint_url or None,
        aws_access_key_id=vended.assumed.access_key_id,
        aws_secret_access_key=vended.assumed.secret_access_key.reveal(),
        aws_session_token=vended.assumed.session_token.reveal(),
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
            **config,
        ),
    )
