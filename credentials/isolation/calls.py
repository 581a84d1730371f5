"""The calls that a check makes with one canary's credentials, and what must become of each.

Everything a refused call aims at exists, was made by the check itself, and lies below the canary
product: on a store that refuses nothing the check harms nobody's objects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builds.models import Build, Store
from credentials.isolation.verdicts import Outcome
from credentials.issuing import VendedSession

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

PAGE = "index.html"
BODY = b"isolation check"


@dataclass(kw_only=True)
class Scene:
    """What the calls are made with and against. `written` are the keys that puts were sent to."""

    session: VendedSession
    s3: "S3Client"
    sts: "STSClient"
    store: Store
    own: Build
    sibling: Build
    written: list[str] = field(default_factory=list)

    @property
    def bucket(self) -> str:
        return self.own.bucket_name

    def put(self, key: str, **extra: Any) -> object:
        self.written.append(key)
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=BODY, **extra)

    def get(self, key: str) -> object:
        return self.s3.get_object(Bucket=self.bucket, Key=key)

    def delete(self, key: str) -> object:
        return self.s3.delete_object(Bucket=self.bucket, Key=key)

    def list(self, prefix: str) -> object:
        return self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=1)

    def multipart(self, key: str) -> object:
        """Begin a multipart upload and abort it."""
        begun = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)
        return self.s3.abort_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=begun["UploadId"]
        )

    def copy(self, source: str, target: str) -> object:
        self.written.append(target)
        where = f"{self.bucket}/{source}"
        return self.s3.copy_object(Bucket=self.bucket, Key=target, CopySource=where)

    def assume_again(self) -> object:
        return self.sts.assume_role(RoleArn=self.store.role_arn, RoleSessionName="isolation-check")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. `role_allows` where the upload role's own policy would let it pass."""

    title: str
    expected: Outcome
    act: Callable[[Scene], object]
    role_allows: bool = True


def _accepted(title: str, act: Callable[[Scene], object]) -> Call:
    return Call(title=title, expected=Outcome.ACCEPTED, act=act)


def _refused(title: str, act: Callable[[Scene], object], *, role_allows: bool = True) -> Call:
    return Call(title=title, expected=Outcome.REFUSED, act=act, role_allows=role_allows)


CALLS = (
    _accepted("write below its root", lambda s: s.put(f"{s.own.root}/{PAGE}")),
    _accepted("write the root object", lambda s: s.put(s.own.root)),
    _accepted("write in parts below its root", lambda s: s.multipart(f"{s.own.root}/parts")),
    _accepted("list below its root", lambda s: s.list(f"{s.own.root}/")),
    _accepted("list its root without a slash", lambda s: s.list(s.own.root)),
    _refused("write to a sibling build", lambda s: s.put(f"{s.sibling.root}/intruder")),
    _refused("write beside its root", lambda s: s.put(f"{s.own.root}-x/intruder")),
    _refused("write in parts to a sibling", lambda s: s.multipart(f"{s.sibling.root}/parts")),
    _refused("read a sibling build", lambda s: s.get(f"{s.sibling.root}/{PAGE}")),
    _refused("read its own build", lambda s: s.get(f"{s.own.root}/{PAGE}")),
    _refused("list a sibling build", lambda s: s.list(f"{s.sibling.root}/")),
    _refused(
        "copy a sibling's page into its root",
        lambda s: s.copy(f"{s.sibling.root}/{PAGE}", f"{s.own.root}/copied"),
    ),
    _refused("delete a sibling's page", lambda s: s.delete(f"{s.sibling.root}/{PAGE}")),
    _refused("list the whole bucket", lambda s: s.list(""), role_allows=False),
    _refused(
        "write outside of builds",
        lambda s: s.put(f"{s.own.product.slug}/isolation-check-intruder"),
        role_allows=False,
    ),
    _refused(
        "make its own page public",
        lambda s: s.put(f"{s.own.root}/{PAGE}", ACL="public-read"),
        role_allows=False,
    ),
    _refused("assume the role again", lambda s: s.assume_again(), role_allows=False),
)
