"""S3's calls about one object, each aimed at a place; and those that would fetch it from there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.store.places import Place

INTRUDER = b"intruder"
EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
FAR = datetime(2099, 1, 1, tzinfo=UTC)
QUERY = {"Expression": "select * from s3object", "ExpressionType": "SQL",
         "InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}}}  # fmt: skip
TAGS = {"TagSet": [{"Key": "seen", "Value": "1"}]}


@dataclass(frozen=True, kw_only=True)
class Hand:
    """Who calls: an S3 client with a session's credentials, and that session's own root."""

    s3: Any
    bucket: str
    root: str

    def own(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.root}/{name}"}


Call = Callable[[Hand, Place], Any]
SOURCE = "source"

WRITES: dict[str, Call] = {
    "put": lambda h, p: h.s3.put_object(**p.where, Body=INTRUDER),
    "put, empty": lambda h, p: h.s3.put_object(**p.where),
    "put, ACL private": lambda h, p: h.s3.put_object(**p.where, Body=INTRUDER, ACL="private"),
    "put, ACL public": lambda h, p: h.s3.put_object(**p.where, Body=INTRUDER, ACL="public-read"),
    "put, only if missing": lambda h, p: h.s3.put_object(**p.where, Body=b"", IfNoneMatch="*"),
    "delete": lambda h, p: h.s3.delete_object(**p.where),
    "delete several": lambda h, p: h.s3.delete_objects(
        Bucket=p.bucket, Delete={"Objects": [{"Key": p.key}]}
    ),
    "copy to": lambda h, p: h.s3.copy_object(**p.where, CopySource=h.own(SOURCE)),
    "begin upload": lambda h, p: h.s3.create_multipart_upload(**p.where),
    "upload part": lambda h, p: h.s3.upload_part(**p.upload, PartNumber=1, Body=INTRUDER),
    "complete upload": lambda h, p: h.s3.complete_multipart_upload(
        **p.upload, MultipartUpload=p.parts
    ),
    "abort upload": lambda h, p: h.s3.abort_multipart_upload(**p.upload),
}
READS: dict[str, Call] = {
    "get": lambda h, p: h.s3.get_object(**p.where),
    "get, first byte": lambda h, p: h.s3.get_object(**p.where, Range="bytes=0-0"),
    "get attributes": lambda h, p: h.s3.get_object_attributes(
        **p.where, ObjectAttributes=["ETag", "ObjectSize"]
    ),
    "get torrent": lambda h, p: h.s3.get_object_torrent(**p.where),
    "head": lambda h, p: h.s3.head_object(**p.where),
    "list parts": lambda h, p: h.s3.list_parts(**p.upload),
    "list, version 1": lambda h, p: h.s3.list_objects(Bucket=p.bucket, Prefix=p.key),
    "list, version 2": lambda h, p: h.s3.list_objects_v2(Bucket=p.bucket, Prefix=p.key),
    "list, after": lambda h, p: h.s3.list_objects_v2(Bucket=p.bucket, StartAfter=p.key),
    "list versions": lambda h, p: h.s3.list_object_versions(Bucket=p.bucket, Prefix=p.key),
    "list uploads": lambda h, p: h.s3.list_multipart_uploads(Bucket=p.bucket, Prefix=p.key),
}
ATTRIBUTES: dict[str, Call] = {
    "get ACL": lambda h, p: h.s3.get_object_acl(**p.where),
    "put ACL": lambda h, p: h.s3.put_object_acl(**p.where, ACL="public-read"),
    "put ACL, private": lambda h, p: h.s3.put_object_acl(**p.where, ACL="private"),
    "put ACL, grant": lambda h, p: h.s3.put_object_acl(**p.where, GrantRead=EVERYBODY),
    "get tags": lambda h, p: h.s3.get_object_tagging(**p.where),
    "put tags": lambda h, p: h.s3.put_object_tagging(**p.where, Tagging=TAGS),
    "delete tags": lambda h, p: h.s3.delete_object_tagging(**p.where),
    "get retention": lambda h, p: h.s3.get_object_retention(**p.where),
    "put retention": lambda h, p: h.s3.put_object_retention(
        **p.where, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": FAR}
    ),
    "get legal hold": lambda h, p: h.s3.get_object_legal_hold(**p.where),
    "put legal hold": lambda h, p: h.s3.put_object_legal_hold(
        **p.where, LegalHold={"Status": "ON"}
    ),
    "restore": lambda h, p: h.s3.restore_object(**p.where, RestoreRequest={"Days": 1}),
    "change encryption": lambda h, p: h.s3.update_object_encryption(
        **p.where, ObjectEncryption={"SSEKMS": {"KMSKeyArn": "arn:aws:kms:x"}}
    ),
    "list annotations": lambda h, p: h.s3.list_object_annotations(**p.where),
    "get annotation": lambda h, p: h.s3.get_object_annotation(**p.where, AnnotationName="seen"),
    "put annotation": lambda h, p: h.s3.put_object_annotation(
        **p.where, AnnotationName="seen", AnnotationPayload=INTRUDER
    ),
    "delete annotation": lambda h, p: h.s3.delete_object_annotation(
        **p.where, AnnotationName="seen"
    ),
}


def copy_part(hand: Hand, place: Place, **extra: str) -> Any:
    """UploadPartCopy into an upload of the session's own, which is given up afterwards."""
    where = hand.own("fetched")
    upload = where | {"UploadId": hand.s3.create_multipart_upload(**where)["UploadId"]}
    try:
        return hand.s3.upload_part_copy(**upload, PartNumber=1, CopySource=place.where, **extra)
    finally:
        hand.s3.abort_multipart_upload(**upload)


FETCHES: dict[str, Call] = {
    "copy from": lambda h, p: h.s3.copy_object(**h.own("fetched"), CopySource=p.where),
    "copy part from": copy_part,
    "copy part from, first byte": lambda h, p: copy_part(h, p, CopySourceRange="bytes=0-0"),
}
EVERY_CALL = WRITES | READS | ATTRIBUTES | FETCHES
# Made by test_select.py alone, on a store of its own: the call damages Ceph's gateway.
SELECT: dict[str, Call] = {
    "select": lambda h, p: h.s3.select_object_content(**p.where, **QUERY),
}
