"""Clients of a store's account with somebody's credentials: for looking at it and setting it up.

Nothing here serves a job.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
)
from django.utils import timezone

from builds.models import Store
from credentials.operations.account.obstacles import (
    KeyRefused,
    NotSupported,
    Unclear,
    Unreachable,
    Whose,
    obstacle_of,
)
from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey, Patience, Service, store_client
from credentials.vending.store_errors import CALL_FAILED, UNREACHABLE, loggable

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

PATIENCE = Patience(connect_seconds=5, read_seconds=20, attempts=3)
# Where the name of a right is not that of the call (AWS service authorization reference, S3).
S3_RIGHTS = {
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
}
# What keeps a profile from giving credentials. A `credential_process` that is not there is an
# OSError, and what it writes, where that is no JSON, a ValueError.
UNUSABLE = (ClientError, BotoCoreError, OSError, ValueError)
# The arguments that name what a call is about.
NAMES = ("Bucket", "RoleName", "UserName", "GroupName", "PolicyArn", "KeyId")


@dataclass(kw_only=True)
class StoreClients:
    """Clients of one store with the credentials of a boto3 session; None where none were named.

    `silent` are the endpoints that did not answer; nobody waits for one of them again.
    `ahead_seconds` is this machine's time less the store's, as of the last response.
    """

    store: Store
    session: boto3.session.Session | None = field(default_factory=boto3.session.Session)
    whose: Whose = Whose.OPERATOR
    silent: set[str] = field(default_factory=set)
    ahead_seconds: float | None = None

    @cached_property
    def s3(self) -> "S3Client":
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def iam(self) -> "IAMClient":
        client: IAMClient = self._client("iam")
        return client

    @cached_property
    def sts(self) -> "STSClient":
        client: STSClient = self._client("sts")
        return client

    @cached_property
    def kms(self) -> Any:
        return self._client("kms")

    @cached_property
    def cloudtrail(self) -> Any:
        return self._client("cloudtrail")

    def sts_with(self, key: AccessKey) -> "STSClient":
        """STS as the owner of a key sees it."""
        client: STSClient = store_client(self.store, "sts", key, PATIENCE)
        return client

    def ask(self, service: str, method: str, **arguments: Any) -> Any:
        """The response to a call; None when what it names is not there. Raises an Obstacle."""
        client = getattr(self, service)
        return self._try(client, method, arguments, lambda: getattr(client, method)(**arguments))

    def pages(self, service: str, method: str, **arguments: Any) -> Any:
        """All pages of a listing as one answer; the same as `ask` otherwise."""
        client = getattr(self, service)
        pages = client.get_paginator(method).paginate(**arguments)
        return self._try(client, method, arguments, pages.build_full_result)

    def _try(
        self, client: Any, method: str, arguments: Mapping[str, Any], act: Callable[[], Any]
    ) -> Any:
        endpoint, action = client.meta.endpoint_url, _right_of(client, method)
        self.require_answering(endpoint)
        try:
            return act()
        except ClientError as err:
            found = obstacle_of(
                err, whose=self.whose, action=action, resource=_resource_of(arguments)
            )
            if found is None:
                return None
            raise found from err
        except UNREACHABLE as err:
            self.silent.add(endpoint)
            raise Unreachable(endpoint=endpoint, answer=type(err).__name__) from err
        except (LookupError, *CALL_FAILED) as err:  # LookupError: a response to no such call
            raise Unclear(action=action, answer=loggable(err)) from None

    def caller(self) -> str:
        """The ARN that calls are made as. Raises an Obstacle."""
        answer = self.ask("sts", "get_caller_identity") or {}
        if arn := str(answer.get("Arn", "")):
            return arn
        raise NotSupported(reason="this store does not tell who calls")

    def require_answering(self, endpoint: str) -> None:
        """Raises Unreachable for an endpoint that did not answer before."""
        if endpoint in self.silent:
            raise Unreachable(endpoint=endpoint, answer="as before")

    def _client(self, service: Service) -> Any:
        if self.session is None:
            raise KeyRefused(whose=self.whose, answer="none were named")
        try:
            found = _frozen_credentials(self.session)
        except UNUSABLE as err:
            raise KeyRefused(whose=self.whose, answer=_reason(err)) from None
        if found is None:
            raise KeyRefused(whose=self.whose, answer="there are none")
        client = store_client(self.store, service, self.session, PATIENCE)
        client.meta.events.register("after-call", self._note_time)
        return client

    def _note_time(self, http_response: Any, **_kwargs: Any) -> None:
        text = http_response.headers.get("Date", "")
        with contextlib.suppress(ValueError, TypeError):
            self.ahead_seconds = (timezone.now() - parsedate_to_datetime(text)).total_seconds()


def key_of_profile(profile: str) -> AccessKey:
    """The credentials that a profile holds at this moment. Raises BotoCoreError: ProfileNotFound,
    NoCredentialsError, CredentialRetrievalError.
    """
    session = boto3.session.Session(profile_name=profile)
    try:
        frozen = _frozen_credentials(session)
    except UNUSABLE as err:
        raise CredentialRetrievalError(provider=profile, error_msg=_reason(err)) from None
    if frozen is None or frozen.access_key is None or frozen.secret_key is None:
        raise NoCredentialsError
    return AccessKey(
        access_key_id=frozen.access_key,
        secret_access_key=Secret(frozen.secret_key),
        session_token=Secret(frozen.token or ""),
    )


def _frozen_credentials(session: boto3.session.Session) -> Any:
    """None where there are none. Raises what `UNUSABLE` lists."""
    credentials = session.get_credentials()
    return credentials and credentials.get_frozen_credentials()


def _reason(err: Exception) -> str:
    return str(err) if isinstance(err, OSError) else loggable(err)


def _right_of(client: Any, method: str) -> str:
    """The right that a call of a client needs: `iam:GetRole`."""
    call = client.meta.method_to_api_mapping[method]
    service = client.meta.service_model.service_name
    return f"{service}:{S3_RIGHTS.get(call, call) if service == 's3' else call}"


def _resource_of(arguments: Mapping[str, Any]) -> str:
    """What a call is about, as its arguments name it."""
    return next((str(arguments[name]) for name in NAMES if name in arguments), "*")
