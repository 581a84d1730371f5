"""Places around a build's root where it must change and see nothing. An object lies in each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.store.answers import Answer, answer_to

PAGE = "index.html"
ORIGINAL = b"<p>Somebody else's.</p>"

# From the root `<product>/builds/<slug>`, without a slash at either end, to a key that is not its.
KEYS: dict[str, Callable[[str], str]] = {
    "beside": lambda root: f"{root}-x/{PAGE}",
    "beside, a digit more": lambda root: f"{root}2/{PAGE}",
    "beside, a dot more": lambda root: f"{root}.{PAGE}",
    "a character less": lambda root: f"{root[:-1]}/{PAGE}",
    "upper case": lambda root: f"{root.upper()}/{PAGE}",
    "above the build": lambda root: f"{root.rpartition('/')[0]}/{PAGE}",
    "above the builds": lambda root: f"{root.partition('/')[0]}/{PAGE}",
    "top of the bucket": lambda root: PAGE,
    "slash before": lambda root: f"/{root}/{PAGE}",
    "folder before": lambda root: f"x/{root}/{PAGE}",
    "double slash": lambda root: f"{root.replace('/', '//', 1)}/{PAGE}",
    "parent of another folder": lambda root: f"x/../{root}/{PAGE}",
    "escaped slash": lambda root: f"{root}%2f{PAGE}",
    "backslash": lambda root: f"{root}\\{PAGE}",
    "newline": lambda root: f"{root}\n/{PAGE}",
    "wildcard": lambda root: f"{root.rpartition('/')[0]}/*/{PAGE}",
}

SIBLING, SIBLING_ROOT, OTHER_PRODUCT, ELSEWHERE = (
    "sibling build",
    "sibling build's root",
    "another product",
    "another bucket",
)
PLACES = [*KEYS, SIBLING, SIBLING_ROOT, OTHER_PRODUCT, ELSEWHERE]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An object, and a multipart upload of one part that its owner has begun there."""

    bucket: str
    key: str
    upload_id: str
    part_etag: str

    @property
    def where(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.key}

    @property
    def upload(self) -> dict[str, str]:
        return self.where | {"UploadId": self.upload_id}

    @property
    def parts(self) -> dict[str, Any]:
        return {"Parts": [{"PartNumber": 1, "ETag": self.part_etag}]}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What lies around one build: `place` makes a place when it is first asked for."""

    admin: Any
    bucket: str
    elsewhere: str
    root: str
    sibling: str
    other_product: str
    made: dict[str, Place] = field(default_factory=dict)

    def place(self, name: str) -> Place:
        if name not in self.made:
            bucket = self.elsewhere if name == ELSEWHERE else self.bucket
            self.made[name] = prepare(self.admin, bucket=bucket, key=self._key(name))
        return self.made[name]

    def _key(self, name: str) -> str:
        return {
            SIBLING: f"{self.sibling}/{PAGE}",
            SIBLING_ROOT: self.sibling,
            OTHER_PRODUCT: f"{self.other_product}/{PAGE}",
            ELSEWHERE: f"{self.root}/{PAGE}",
            **{title: key(self.root) for title, key in KEYS.items()},
        }[name]


def prepare(admin: Any, *, bucket: str, key: str, part: bytes = ORIGINAL) -> Place:
    """Put an object to a place and begin an upload of one part there, as the store's operator."""
    admin.put_object(Bucket=bucket, Key=key, Body=ORIGINAL)
    upload_id = admin.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    sent = admin.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=part)
    return Place(bucket=bucket, key=key, upload_id=upload_id, part_etag=sent["ETag"])


def assert_untouched(admin: Any, place: Place) -> None:
    """The object is what it was, with no tags, and the upload has its one part."""
    assert body_of(admin, place.bucket, place.key) == ORIGINAL
    assert admin.get_object_tagging(**place.where)["TagSet"] == []
    [part] = admin.list_parts(**place.upload)["Parts"]
    assert part["ETag"] == place.part_etag


def body_of(s3: Any, bucket: str, key: str) -> bytes:
    with s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
        content: bytes = body.read()
    return content


def is_missing(s3: Any, where: Mapping[str, str]) -> bool:
    """Whether there is no such object, as one may tell who may look."""
    return answer_to(lambda: s3.head_object(**where)) == Answer(404, "404")
