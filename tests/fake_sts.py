"""A stand-in for boto3's STS client: for what happens around the call, never for scope."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from django.utils import timezone


@dataclass
class FakeSts:
    """`requests` holds what was asked; `during` runs in the middle of the call; `error` is raised
    instead of an answer; `lifetime_shift` moves the expiry, in seconds.
    """

    requests: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    error: Exception | None = None
    lifetime_shift: int = 0

    def assume_role(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        self.during()
        if self.error:
            raise self.error
        return self._answer(request)

    def fail_with(self, code: str, status: int = 400) -> None:
        """Answer as AWS does with an error code."""
        detail = {
            "Error": {"Code": code, "Message": f"AWS says {code} to arn:aws:iam::1:user/vendor"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        self.error = ClientError(detail, "AssumeRole")  # type: ignore[arg-type]

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(600)
        self.secrets += [secret, token]
        life = timedelta(seconds=request["DurationSeconds"] + self.lifetime_shift)
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{secrets.token_hex(8).upper()}",
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": timezone.now() + life,
            },
            "AssumedRoleUser": {"AssumedRoleId": f"AROAEXAMPLE:{request['RoleSessionName']}"},
            "PackedPolicySize": 12,
            "ResponseMetadata": {"RequestId": secrets.token_hex(16)},
        }
