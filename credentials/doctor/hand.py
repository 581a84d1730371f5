"""Somebody's clients of a store: every call of the doctor's but those of its session."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.utils import timezone

from credentials.doctor.expected import Expected
from credentials.doctor.obstacles import KeyRefused, Unclear, Unreachable, Whose
from credentials.doctor.refusals import action_of, obstacle_of, resource_of
from credentials.vending.store_errors import CALL_FAILED, UNREACHABLE, loggable

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

CONNECT_SECONDS, READ_SECONDS, TOTAL_ATTEMPTS = 5, 20, 2


@dataclass(kw_only=True)
class Hand:
    """Clients with the credentials of one boto3 session; None where none were named.

    `closed` are the endpoints that did not answer; nobody waits for one of them again.
    `ahead_seconds` is this machine's time less the store's, as of the last answer.
    """

    whose: Whose
    expected: Expected
    addressing: str
    session: boto3.session.Session | None
    closed: set[str] = field(default_factory=set)
    ahead_seconds: float | None = None

    @cached_property
    def s3(self) -> "S3Client":
        client: S3Client = self._client("s3", s3={"addressing_style": self.addressing})
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

    def ask(self, client: Any, method: str, **arguments: Any) -> Any:
        """The answer to a call of one of the clients; None when what it names is not there.

        Raises an Obstacle.
        """
        return self._try(client, method, arguments, lambda: getattr(client, method)(**arguments))

    def pages(self, client: Any, method: str, **arguments: Any) -> Any:
        """All pages of a listing as one answer; the same as `ask` otherwise."""
        pages = client.get_paginator(method).paginate(**arguments)
        return self._try(client, method, arguments, pages.build_full_result)

    def _try(
        self, client: Any, method: str, arguments: dict[str, Any], act: Callable[[], Any]
    ) -> Any:
        endpoint, action = client.meta.endpoint_url, action_of(client, method)
        self.require_open(endpoint)
        try:
            return act()
        except ClientError as err:
            resource = resource_of(arguments, self.expected)
            found = obstacle_of(err, whose=self.whose, action=action, resource=resource)
            if found:
                raise found from err
            return None
        except UNREACHABLE as err:
            raise self.close(endpoint, type(err).__name__) from err
        except CALL_FAILED as err:
            raise Unclear(action=action, answer=loggable(err)) from None

    def require_open(self, endpoint: str) -> None:
        """Raises Unreachable for an endpoint that did not answer before."""
        if endpoint in self.closed:
            raise Unreachable(endpoint=endpoint, reason="as before")

    def close(self, endpoint: str, reason: str) -> Unreachable:
        """Remember that an endpoint does not answer."""
        self.closed.add(endpoint)
        return Unreachable(endpoint=endpoint, reason=reason)

    def _client(self, service: str, **config: Any) -> Any:
        client = self._require_credentials().client(  # type: ignore[call-overload]
            service,
            region_name=self.expected.region,
            endpoint_url=self.expected.endpoint_url or None,
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": TOTAL_ATTEMPTS},
                **config,
            ),
        )
        client.meta.events.register("after-call", self._note_time)
        return client

    def _note_time(self, http_response: Any, **_kwargs: Any) -> None:
        told = http_response.headers.get("Date", "")
        with contextlib.suppress(ValueError, TypeError):
            self.ahead_seconds = (timezone.now() - parsedate_to_datetime(told)).total_seconds()

    def _require_credentials(self) -> boto3.session.Session:
        """The session, whose credentials can be had: from a file, a role, a sign-on."""
        if self.session is None:
            raise KeyRefused(whose=self.whose, answer="none were named")
        try:
            found = self.session.get_credentials()
            is_there = found is not None and found.get_frozen_credentials() is not None
        except (ClientError, BotoCoreError) as err:
            raise KeyRefused(whose=self.whose, answer=loggable(err)) from None
        if not is_there:
            raise KeyRefused(whose=self.whose, answer="there are none")
        return self.session
