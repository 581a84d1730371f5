"""A product set to sync: its sessions also read and delete, below their own root only."""

from typing import Any

from tests.store.answers import ACCEPTED, Answer, answer_to
from tests.store.calls import Hand
from tests.store.differences import Expectations
from tests.store.places import ORIGINAL, PAGE, body_of, is_missing, prepare


def test_own_object_can_be_read(synced: Hand, admin: Any) -> None:
    place = prepare(admin, bucket=synced.bucket, key=f"{synced.root}/read/{PAGE}")
    assert body_of(synced.s3, synced.bucket, place.key) == ORIGINAL
    assert synced.s3.head_object(**place.where)["ContentLength"] == len(ORIGINAL)


def test_own_object_can_be_deleted(synced: Hand, admin: Any) -> None:
    place = prepare(admin, bucket=synced.bucket, key=f"{synced.root}/deleted/{PAGE}")
    assert answer_to(lambda: synced.s3.delete_object(**place.where)) == Answer(204)
    assert is_missing(admin, place.where)


def test_own_object_can_be_copied_within_the_root(synced: Hand, admin: Any) -> None:
    place = prepare(admin, bucket=synced.bucket, key=f"{synced.root}/copied/{PAGE}")
    synced.s3.copy_object(**synced.own("copy"), CopySource=place.where)
    assert body_of(admin, synced.bucket, f"{synced.root}/copy") == ORIGINAL


def test_own_object_can_be_copied_in_parts_within_the_root(
    synced: Hand, admin: Any, expect: Expectations
) -> None:
    place = prepare(admin, bucket=synced.bucket, key=f"{synced.root}/copied-in-parts/{PAGE}")
    where = synced.own("copy in parts")
    upload = where | {"UploadId": synced.s3.create_multipart_upload(**where)["UploadId"]}

    def copy() -> Any:
        part = synced.s3.upload_part_copy(**upload, PartNumber=1, CopySource=place.where)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
        return synced.s3.complete_multipart_upload(**upload, MultipartUpload=parts)

    answer = answer_to(copy)
    assert answer == expect.of("copy in parts, own root of a synced product", ACCEPTED)
    if answer == ACCEPTED:
        assert body_of(admin, synced.bucket, where["Key"]) == ORIGINAL


def test_own_objects_can_be_deleted_together(
    synced: Hand, admin: Any, expect: Expectations
) -> None:
    place = prepare(admin, bucket=synced.bucket, key=f"{synced.root}/together/{PAGE}")
    several = {"Objects": [{"Key": place.key}]}
    answer = answer_to(lambda: synced.s3.delete_objects(Bucket=place.bucket, Delete=several))
    assert answer == expect.of("delete several, own root of a synced product", ACCEPTED)
    assert is_missing(admin, place.where) == (answer == ACCEPTED)
