"""Headers that would give an upload more than content: a public ACL, a redirect, a lock, tags."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.store.answers import ACCEPTED, REFUSED, answer_to
from tests.store.calls import EVERYBODY, FAR, Hand
from tests.store.differences import Expectations
from tests.store.places import ORIGINAL, body_of, prepare
from tests.store.under_test import StoreUnderTest

GIVING_MORE: dict[str, dict[str, Any]] = {
    "ACL public-read": {"ACL": "public-read"},
    "ACL public-read-write": {"ACL": "public-read-write"},
    "ACL authenticated-read": {"ACL": "authenticated-read"},
    "ACL aws-exec-read": {"ACL": "aws-exec-read"},
    "grant read": {"GrantRead": EVERYBODY},
    "grant read ACL": {"GrantReadACP": EVERYBODY},
    "grant write ACL": {"GrantWriteACP": EVERYBODY},
    "grant full control": {"GrantFullControl": EVERYBODY},
    "website redirect": {"WebsiteRedirectLocation": "https://elsewhere.example.org/"},
    "tags": {"Tagging": "published=yes"},
    "retention": {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": FAR},
    "legal hold": {"ObjectLockLegalHoldStatus": "ON"},
}
HARMLESS: dict[str, dict[str, Any]] = {
    "ACL private": {"ACL": "private"},
    "ACL bucket-owner-full-control": {"ACL": "bucket-owner-full-control"},
    "storage class": {"StorageClass": "STANDARD"},
    "cache control": {"CacheControl": "max-age=31536000"},
}


def put(hand: Hand, where: dict[str, str], headers: dict[str, Any]) -> Any:
    return hand.s3.put_object(**where, Body=ORIGINAL, **headers)


def upload_in_parts(hand: Hand, where: dict[str, str], headers: dict[str, Any]) -> Any:
    upload = where | {"UploadId": hand.s3.create_multipart_upload(**where, **headers)["UploadId"]}
    part = hand.s3.upload_part(**upload, PartNumber=1, Body=ORIGINAL)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    return hand.s3.complete_multipart_upload(**upload, MultipartUpload=parts)


def copy(hand: Hand, where: dict[str, str], headers: dict[str, Any]) -> Any:
    return hand.s3.copy_object(**where, CopySource=hand.own("source"), **headers)


def is_readable_by_everybody(store: StoreUnderTest, hand: Hand, where: dict[str, str]) -> bool:
    """A request without any credentials."""
    url = hand.s3.generate_presigned_url("get_object", Params=where).partition("?")[0]
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=120).ok


@pytest.mark.parametrize("headers", GIVING_MORE)
@pytest.mark.parametrize("way", [put, upload_in_parts])
def test_header_that_gives_more_is_refused(
    way: Callable[..., Any], headers: str, hand: Hand, store: StoreUnderTest, expect: Expectations
) -> None:
    where = hand.own(f"more/{way.__name__}/{headers}")
    answer = answer_to(lambda: way(hand, where, GIVING_MORE[headers]))
    assert answer == expect.of(f"{way.__name__} with {headers}", REFUSED)
    assert not is_readable_by_everybody(store, hand, where)


@pytest.mark.parametrize("headers", GIVING_MORE)
def test_copy_with_a_header_that_gives_more_is_refused(
    headers: str, synced: Hand, admin: Any, store: StoreUnderTest, expect: Expectations
) -> None:
    prepare(admin, bucket=synced.bucket, key=f"{synced.root}/source")
    where = synced.own(f"more/copy/{headers}")
    answer = answer_to(lambda: copy(synced, where, GIVING_MORE[headers]))
    assert answer == expect.of(f"copy with {headers}", REFUSED)
    assert not is_readable_by_everybody(store, synced, where)


@pytest.mark.parametrize("headers", HARMLESS)
@pytest.mark.parametrize("way", [put, upload_in_parts])
def test_harmless_header_is_accepted(
    way: Callable[..., Any], headers: str, hand: Hand, admin: Any
) -> None:
    where = hand.own(f"harmless/{way.__name__}/{headers}")
    assert answer_to(lambda: way(hand, where, HARMLESS[headers])) == ACCEPTED
    assert body_of(admin, where["Bucket"], where["Key"]) == ORIGINAL
