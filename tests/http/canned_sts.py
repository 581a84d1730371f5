"""Real boto3 clients whose HTTP answers are written here: what botocore does with an answer
(parse it, log it, complain about it) happens as in production, without a socket.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from tests.http.sts_answers import Answer, StsAnswers

# Shared for its loaded service models.
_boto_session = boto3.session.Session()


class _Body:
    """What urllib3 hands to botocore, as far as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


class CannedSts(StsAnswers):
    """`answer` makes what the client's calls get."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Callable[[], Answer] = self.session
        self.client = _boto_session.client(
            "sts",
            region_name="us-east-1",
            aws_access_key_id="AKIAVENDOR",
            aws_secret_access_key="vendor",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.client.meta.events.register("before-send.sts.*", self._send)

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        status, body = self.answer()
        return AWSResponse(request.url, status, {}, _Body(body.encode()))  # type: ignore[arg-type]


@contextmanager
def canned_listing(events: Any) -> Iterator[None]:
    """Let S3 clients made from a session's events meet a listing with one object."""
    body = (
        "<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>"
        "<Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>"
    )

    def send(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, {}, _Body(body.encode()))  # type: ignore[arg-type]

    events.register("before-send.s3", send)
    yield
    events.unregister("before-send.s3", send)
