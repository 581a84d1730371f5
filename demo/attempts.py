"""What a session must not be able to do: each attempt is made for real, and must be refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from demo.identities import OTHER_BUCKET, OTHER_OBJECT, ROLE_ARN
from demo.keeper import Build

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

PAGE = "index.html"
FORBIDDEN = 403
REFUSALS = {"AccessDenied", "AccessDeniedException"}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the attempts are made with and against: every object they aim at exists."""

    s3: "S3Client"
    sts: "STSClient"
    own: Build
    sibling: Build
    other_product: Build

    def put(self, key: str, **extra: Any) -> Any:
        return self.s3.put_object(Bucket=self.own.bucket, Key=key, Body=b"intruder", **extra)

    def copy_in(self, bucket: str, key: str) -> Any:
        target = f"{self.own.root}/copied"
        return self.s3.copy_object(
            Bucket=self.own.bucket, Key=target, CopySource={"Bucket": bucket, "Key": key}
        )


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Something to try, in words and in deed."""

    title: str
    act: Callable[[Scene], Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How the store answered an attempt: HTTP status and error code."""

    title: str
    status: int
    code: str

    @property
    def is_refusal(self) -> bool:
        return self.status == FORBIDDEN and self.code in REFUSALS


ATTEMPTS = [
    Attempt(title="write to a sibling build", act=lambda s: s.put(f"{s.sibling.root}/{PAGE}")),
    Attempt(title="write beside its root", act=lambda s: s.put(f"{s.own.root}-x/{PAGE}")),
    Attempt(title="write to the top of the bucket", act=lambda s: s.put(PAGE)),
    Attempt(
        title="make a page public",
        act=lambda s: s.put(f"{s.own.root}/{PAGE}", ACL="public-read"),
    ),
    Attempt(title="list the bucket", act=lambda s: s.s3.list_objects_v2(Bucket=s.own.bucket)),
    Attempt(
        title="list all builds of its product",
        act=lambda s: s.s3.list_objects_v2(
            Bucket=s.own.bucket, Prefix=s.own.root.removesuffix(s.own.slug)
        ),
    ),
    Attempt(
        title="read another product",
        act=lambda s: s.s3.get_object(Bucket=s.own.bucket, Key=f"{s.other_product.root}/{PAGE}"),
    ),
    Attempt(
        title="copy another product's page",
        act=lambda s: s.copy_in(s.own.bucket, f"{s.other_product.root}/{PAGE}"),
    ),
    Attempt(
        title="copy from another bucket",
        act=lambda s: s.copy_in(OTHER_BUCKET, OTHER_OBJECT),
    ),
    Attempt(
        title="write to another bucket",
        act=lambda s: s.s3.put_object(Bucket=OTHER_BUCKET, Key=f"{s.own.root}/{PAGE}"),
    ),
    Attempt(
        title="delete a sibling's page",
        act=lambda s: s.s3.delete_object(Bucket=s.own.bucket, Key=f"{s.sibling.root}/{PAGE}"),
    ),
    Attempt(
        title="assume the role again",
        act=lambda s: s.sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="again"),
    ),
]


def try_all(scene: Scene, attempts: list[Attempt] | None = None) -> list[Answer]:
    """Make every attempt, in order."""
    return [_try(scene, attempt) for attempt in (ATTEMPTS if attempts is None else attempts)]


def _try(scene: Scene, attempt: Attempt) -> Answer:
    try:
        answer = attempt.act(scene)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        return Answer(title=attempt.title, status=status, code=code)
    except BotoCoreError as error:  # no answer at all is no refusal
        return Answer(title=attempt.title, status=0, code=type(error).__name__)
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return Answer(title=attempt.title, status=status, code="accepted")
