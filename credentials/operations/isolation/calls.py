"""The calls that a check makes with one probe's credentials, and what must become of each.

Everything a refused call aims at exists, was made by the check itself, and lies below the probe
products: on a store that refuses nothing the check harms nobody's objects. Beside the builds nobody
can make an object for the check to find, unless the store lets the intruder do so.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from builds.models import Build, Store
from credentials.operations.isolation.posting import (
    BODY,
    post_file,
    refusal,
    require_success,
    send_presigned,
)
from credentials.rules.verdicts import IN_PARTS, Outcome
from credentials.vending.issuing import VendedSession
from credentials.vending.store_errors import CALL_FAILED

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

PAGE = "index.html"
NOT_STORED = "NotStored"


@dataclass(kw_only=True)
class Scene:
    """What the calls are made with and against. `written` are the keys that puts were sent to.

    `neighbours` are the sibling's and the other product's own clients, by their roots: each has
    written a page and begun an upload, whose id is in `uploads`. `takes_posts` is False for a
    store that is known to store no POST that a session signed.
    """

    session: VendedSession
    s3: "S3Client"
    sts: "STSClient"
    store: Store
    own: Build
    sibling: Build
    other: Build
    neighbours: dict[str, "S3Client"] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    takes_posts: bool = True

    @property
    def bucket(self) -> str:
        return self.own.bucket_name

    def at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": key}

    def put(self, key: str, **extra: Any) -> object:
        self.written.append(key)
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=BODY, **extra)

    def presigned(self, method: str, key: str) -> object:
        """Send a request that was signed for its address alone."""
        if method == "PUT":
            self.written.append(key)
        return require_success(send_presigned(self.session, method, key))

    def post(self, root: str) -> object:
        """Post a file right below a root. A status alone shows nothing: it must be stored."""
        key = f"{root}/posted"
        self.written.append(key)
        require_success(post_file(self.session, root=root, name="posted"))
        if root in self.neighbours:
            listed = self.neighbours[root].list_objects_v2(Bucket=self.bucket, Prefix=key)
            is_stored = bool(listed.get("Contents"))
        else:
            is_stored = self.takes_posts
        if not is_stored:
            raise refusal(204, NOT_STORED)
        return None

    def list(self, prefix: str) -> object:
        return self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=1)

    def begin(self, key: str) -> object:
        """Begin an upload in parts. That it can be aborted as well shows nothing."""
        begun = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)
        self._abort(key, begun["UploadId"])
        return begun

    def upload_in_parts(self, key: str) -> object:
        """Every call of an upload in parts, but that which completes it."""
        upload: Any = self.at(key) | {
            "UploadId": self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        }
        self.s3.upload_part(**upload, PartNumber=1, Body=BODY)
        self.s3.list_parts(**upload)
        return self.s3.abort_multipart_upload(**upload)

    def copy(self, source: str, target: str) -> object:
        self.written.append(target)
        return self.s3.copy_object(
            Bucket=self.bucket, Key=target, CopySource=f"{self.bucket}/{source}"
        )

    def copy_in_parts(self, source: str, target: str) -> object:
        begun = self.s3.create_multipart_upload(Bucket=self.bucket, Key=target)
        try:
            return self._copy_part(source, target, begun["UploadId"])
        finally:
            self._abort(target, begun["UploadId"])

    def in_upload(self, method: str, build: Build) -> object:
        """A call about the upload that a neighbour has begun."""
        key = parts_of(build)
        if method == "upload_part_copy":
            return self._copy_part(f"{build.root}/{PAGE}", key, self.uploads[build.root])
        more: dict[str, Any] = {"PartNumber": 1, "Body": BODY} if method == "upload_part" else {}
        upload = self.at(key) | {"UploadId": self.uploads[build.root]}
        answer: object = getattr(self.s3, method)(**upload, **more)
        return answer

    def delete_several(self, key: str) -> object:
        """AWS tells of each key, in a response that is a success as a whole."""
        several: Any = {"Objects": [{"Key": key}]}
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete=several)
        for error in answer.get("Errors", []):
            raise refusal(403, error.get("Code", ""))
        return answer

    def assume_again(self) -> object:
        """With the external id: without it, that alone would be the reason to refuse."""
        store = self.store
        more: Any = {"ExternalId": store.external_id} if store.external_id else {}
        return self.sts.assume_role(
            RoleArn=store.role_arn, RoleSessionName="isolation-check", **more
        )

    def _copy_part(self, source: str, target: str, upload_id: str) -> object:
        return self.s3.upload_part_copy(
            Bucket=self.bucket,
            Key=target,
            UploadId=upload_id,
            PartNumber=1,
            CopySource=f"{self.bucket}/{source}",
        )

    def _abort(self, key: str, upload_id: str) -> None:
        """Clean up; what becomes of this must not hide what became of the call itself."""
        with suppress(*CALL_FAILED):
            self.s3.abort_multipart_upload(**self.at(key), UploadId=upload_id)  # type: ignore[arg-type]


def parts_of(build: Build) -> str:
    """The key of the upload in parts that a neighbour begins."""
    return f"{build.root}/parts"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. `role_allows` where the upload role's own policy would let it pass; `reads` where
    that takes a store that is set up for sync products; `may_be_missing` where a store may also
    answer that there is no such object.
    """

    title: str
    expected: Outcome
    act: Callable[[Scene], object]
    role_allows: bool = True
    reads: bool = False
    may_be_missing: bool = False

    def probes_session_policy(self, store: Store) -> bool:
        """Whether only the session's own policy can refuse it."""
        is_refused = self.expected is Outcome.REFUSED
        return is_refused and self.role_allows and (store.with_sync or not self.reads)


def _accepted(title: str, act: Callable[[Scene], object]) -> Call:
    return Call(title=title, expected=Outcome.ACCEPTED, act=act)


def _refused(title: str, act: Callable[[Scene], object], **more: bool) -> Call:
    return Call(title=title, expected=Outcome.REFUSED, act=act, **more)


Place = Callable[[Scene], str]
BESIDE_THE_BUILDS, OBJECT_BESIDE = "a place beside the builds", "an object beside the builds"
# The roots of places that a session must not write to: below them lies what is somebody else's.
TARGETS: dict[str, Place] = {
    "a sibling build": lambda s: s.sibling.root,
    "another product's build": lambda s: s.other.root,
    "a place beside its root": lambda s: f"{s.own.root}-x",
    BESIDE_THE_BUILDS: lambda s: s.own.product.slug,
}
SOURCES: dict[str, Place] = {
    "a sibling's page": lambda s: f"{s.sibling.root}/{PAGE}",
    "another product's page": lambda s: f"{s.other.root}/{PAGE}",
    OBJECT_BESIDE: lambda s: f"{s.own.product.slug}/intruder",
}
NEIGHBOURS: dict[str, Callable[[Scene], Build]] = {
    "a sibling's": lambda s: s.sibling,
    "another product's": lambda s: s.other,
}
IN_UPLOADS = {
    "add a part to": "upload_part",
    "copy a part into": "upload_part_copy",
    "list the parts of": "list_parts",
    "abort": "abort_multipart_upload",
}


def _at(act: Callable[[Scene, str], object], place: Place) -> Callable[[Scene], object]:
    return lambda scene: act(scene, place(scene))


def _below(place: Place, name: str) -> Place:
    return lambda scene: f"{place(scene)}/{name}"


def _own() -> Iterator[Call]:
    yield _accepted("write below its root", lambda s: s.put(f"{s.own.root}/{PAGE}"))
    yield _accepted("write the root object", lambda s: s.put(s.own.root))
    yield _accepted("write in parts below its root", lambda s: s.upload_in_parts(parts_of(s.own)))
    yield _accepted(
        "write with a presigned PUT below its root",
        lambda s: s.presigned("PUT", f"{s.own.root}/presigned"),
    )
    yield _accepted("list below its root", lambda s: s.list(f"{s.own.root}/"))
    yield _accepted("list its root without a slash", lambda s: s.list(s.own.root))


def _writes(name: str, place: Place) -> Iterator[Call]:
    ways: dict[str, Callable[[Scene, str], object]] = {
        "write to": lambda s, key: s.put(key),
        "write with a presigned PUT to": lambda s, key: s.presigned("PUT", key),
        "write in parts to": lambda s, key: s.begin(key),
        "copy its page into": lambda s, key: s.copy(f"{s.own.root}/{PAGE}", key),
        "copy its page in parts into": lambda s, key: s.copy_in_parts(f"{s.own.root}/{PAGE}", key),
    }
    may = name != BESIDE_THE_BUILDS
    for way, act in ways.items():
        intruder, reads = _at(act, _below(place, "intruder")), way.startswith("copy")
        yield _refused(f"{way} {name}", intruder, role_allows=may, reads=reads)
    yield _refused(f"write with a POST to {name}", _at(Scene.post, place), role_allows=may)


def _reads(name: str, place: Place) -> Iterator[Call]:
    ways: dict[str, Callable[[Scene, str], object]] = {
        "read {}": lambda s, key: s.s3.get_object(Bucket=s.bucket, Key=key),
        "ask about {}": lambda s, key: s.s3.head_object(Bucket=s.bucket, Key=key),
        "read {} with a presigned GET": lambda s, key: s.presigned("GET", key),
        "copy {} into its root": lambda s, key: s.copy(key, f"{s.own.root}/copied"),
        f"copy {{}} {IN_PARTS}": lambda s, key: s.copy_in_parts(key, parts_of(s.own)),
    }
    is_beside = name == OBJECT_BESIDE
    for way, act in ways.items():
        yield _refused(
            way.format(name),
            _at(act, place),
            role_allows=not is_beside,
            reads=True,
            may_be_missing=is_beside,
        )


def _neighbours(owner: str, build: Callable[[Scene], Build]) -> Iterator[Call]:
    for way, method in IN_UPLOADS.items():
        in_upload = partial(_in_upload, method=method, build=build)
        reads = method == "upload_part_copy"
        yield _refused(f"{way} {owner} upload", in_upload, reads=reads)
    ways: dict[str, Callable[[Scene, str], object]] = {
        "delete {}": lambda s, key: s.s3.delete_object(Bucket=s.bucket, Key=key),
        "delete {} with a presigned DELETE": lambda s, key: s.presigned("DELETE", key),
        "delete {} together with others": Scene.delete_several,
    }
    yield _refused(f"list {owner} build", lambda s: s.list(f"{build(s).root}/"))
    for way, act in ways.items():
        page = _at(act, lambda s: f"{build(s).root}/{PAGE}")
        yield _refused(way.format(f"{owner} page"), page)


def _in_upload(scene: Scene, *, method: str, build: Callable[[Scene], Build]) -> object:
    return scene.in_upload(method, build(scene))


def _calls() -> Iterator[Call]:
    """In this order: what is written by a store that lets it is then found by the next."""
    yield from _own()
    for name, place in TARGETS.items():
        yield from _writes(name, place)
    # SeaweedFS 4.48 compares keys and policies without regard to case (measured).
    yield _refused(
        "write to its root in capitals",
        lambda s: s.put(f"{s.own.root.removesuffix(s.own.slug)}{s.own.slug.upper()}/intruder"),
    )
    yield _refused(
        "read its own page",
        lambda s: s.s3.get_object(Bucket=s.bucket, Key=f"{s.own.root}/{PAGE}"),
        reads=True,
    )
    for name, place in SOURCES.items():
        yield from _reads(name, place)
    for owner, build in NEIGHBOURS.items():
        yield from _neighbours(owner, build)
    yield _refused("list the whole bucket", lambda s: s.list(""), role_allows=False)
    yield _refused(
        "list the bucket's uploads in parts",
        lambda s: s.s3.list_multipart_uploads(Bucket=s.bucket),
        role_allows=False,
    )
    yield _refused(
        "make its own page public",
        lambda s: s.put(f"{s.own.root}/{PAGE}", ACL="public-read"),
        role_allows=False,
    )
    yield _refused("assume the role again", lambda s: s.assume_again(), role_allows=False)
    # A session that ended meanwhile is refused everything, which shows nothing.
    yield _accepted("still write below its root", lambda s: s.put(f"{s.own.root}/{PAGE}"))


CALLS = tuple(_calls())
