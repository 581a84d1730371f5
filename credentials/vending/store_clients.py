"""boto3 clients of a store: at which address, with whose credentials, and with which timeouts.

Every client of the service is made here, so that none waits longer or tries more often than
specified: botocore's own defaults are a minute and five attempts.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import boto3
from botocore.config import Config
from django.conf import settings

from builds.models import Store
from credentials.rules.secret import Secret

Service = Literal["s3", "sts", "iam", "kms", "cloudtrail", "athena"]

# As a text: botocore's own, with its version of Python and so on, is made anew twice a call. It
# still adds its own version.
USER_AGENT = f"ltdkeeper Boto3/{boto3.__version__}"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a store answers: `endpoint_url` is empty on AWS, `addressing` is botocore's style."""

    region: str
    endpoint_url: str
    addressing: str = Store.Addressing.AUTO.value


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """Credentials for a store. The token is empty unless they are a session's."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a call waits to connect and for a response, in seconds, and how often it is tried.

    `attempts` counts all of them: botocore's `total_max_attempts`. Its `max_attempts: 2` would be
    three (botocore's retry guide, and measured against a hanging server).
    """

    connect_seconds: float
    read_seconds: float
    attempts: int


INTERACTIVE = Patience(connect_seconds=0.5, read_seconds=1.5, attempts=1)
# A check that must learn what one call does, from a store that may be slow: not trying again.
ONE_CALL = Patience(connect_seconds=5, read_seconds=30, attempts=1)
UNATTENDED = Patience(connect_seconds=5, read_seconds=30, attempts=4)


def store_client(
    store: Store | Endpoint,
    service: Service,
    credentials: AccessKey | boto3.session.Session,
    patience: Patience,
) -> Any:
    """A client of one of the store's services, with a key or with what a boto3 session finds.

    Raises BotoCoreError and ValueError for an address or a profile that is none.
    """
    key: dict[str, Any] = {}
    if isinstance(credentials, AccessKey):
        key = {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key.reveal(),
            "aws_session_token": credentials.session_token.reveal() or None,
        }
        credentials = _shared_session()
    make_client: Any = credentials.client  # typed for each service, not for any
    config: Any = {
        "connect_timeout": patience.connect_seconds,
        "read_timeout": patience.read_seconds,
        "retries": {"mode": "standard", "total_max_attempts": patience.attempts},
        "max_pool_connections": max(10, settings.LTD_WEB_THREADS),
        # botocore would presign in an older one
        "signature_version": "s3v4" if service == "s3" else None,
        "s3": {"addressing_style": store.addressing},
        "user_agent": USER_AGENT,
        # What STS is sent was checked when it came in, and STS checks it again.
        "parameter_validation": service != "sts",
    }
    return make_client(
        service,
        region_name=store.region,
        endpoint_url=store.endpoint_url or None,
        config=Config(**config),
        **key,
    )


@cache
def _shared_session() -> boto3.session.Session:
    """Shared for its loaded service models: a client of it costs a fraction of the first one.

    Made when first needed, since it reads the AWS configuration of the service.
    """
    return boto3.session.Session()
