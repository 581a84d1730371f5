"""Presigned PUTs of the service: each takes one file, and only the file that was announced."""

import hashlib
import time
from typing import Any

import pytest

from tests.store.answers import ACCEPTED, Answer
from tests.store.differences import Expectations
from tests.store.places import body_of, is_missing
from tests.store.posting import PRODUCT, SHORT, Desk, send_put
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import RegisteredBuild

BODY = b"<p>Put.</p>"
MARGIN_SECONDS = 1.2
NOT_AS_SIGNED = Answer(403, "SignatureDoesNotMatch")
EXPIRED = {Answer(403, "AccessDenied"), Answer(400, "ExpiredToken")}
KEYS = [
    "index.html",
    "a b/c+d.html",
    "ü/日本.html",
    "x$1?*&=%2f'~.txt",
    "\u0dc1\u0dca\u200d\u0dbb\u0dd3/\u0645\u06cc\u200c\u062e.html",
    "\ue000/\u0378\ufeff.html",
]


@pytest.fixture(scope="module")
def build(desk: Desk) -> RegisteredBuild:
    return desk.uploader.register(PRODUCT)


def announced(key: str, body: bytes = BODY) -> dict[str, Any]:
    digest = hashlib.sha256(body).hexdigest()
    return {"key": key, "size": len(body), "sha256": digest, "content_type": "text/html"}


def put_for(desk: Desk, build: RegisteredBuild, file: dict[str, Any]) -> dict[str, Any]:
    put: dict[str, Any] = desk.puts(build, file)[file["key"]]
    return put


@pytest.mark.parametrize("key", KEYS)
def test_announced_file_is_stored(key: str, desk: Desk, build: RegisteredBuild, admin: Any) -> None:
    assert send_put(put_for(desk, build, announced(key)), BODY) == ACCEPTED
    where = {"Bucket": build.bucket, "Key": f"{build.root}/{key}"}
    head = admin.head_object(**where)
    assert (head["ContentType"], head["CacheControl"]) == ("text/html", "max-age=31536000")
    assert set(head["Metadata"]) == {"surrogate-key"}
    assert body_of(admin, build.bucket, where["Key"]) == BODY


def test_file_of_which_nothing_was_said_is_stored(
    desk: Desk, build: RegisteredBuild, admin: Any
) -> None:
    assert send_put(put_for(desk, build, {"key": "any"}), b"anything") == ACCEPTED
    assert body_of(admin, build.bucket, f"{build.root}/any") == b"anything"


LARGER = BODY + b"!"
OTHERS: dict[str, tuple[bytes, dict[str, str], Answer]] = {
    "another size": (LARGER, {"Content-Length": str(len(LARGER))}, NOT_AS_SIGNED),
    "another content type": (BODY, {"Content-Type": "text/plain"}, NOT_AS_SIGNED),
    "no content type": (BODY, {"Content-Type": ""}, NOT_AS_SIGNED),
    "another SHA-256": (BODY[::-1], {}, Answer(400, "BadDigest")),
    "another SHA-256 in the header": (
        BODY[::-1],
        {"x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
        NOT_AS_SIGNED,
    ),
    "no SHA-256": (BODY[::-1], {"x-amz-checksum-sha256": ""}, NOT_AS_SIGNED),
    "another surrogate key": (BODY, {"x-amz-meta-surrogate-key": "0" * 32}, NOT_AS_SIGNED),
    "another cache control": (BODY, {"Cache-Control": "no-cache"}, NOT_AS_SIGNED),
}


@pytest.mark.parametrize("case", OTHERS)
def test_file_that_is_not_as_announced_is_refused(
    case: str, desk: Desk, build: RegisteredBuild, admin: Any, expect: Expectations
) -> None:
    body, headers, refused = OTHERS[case]
    key = f"other/{case}"
    expected = expect.of(f"PUT, {case}", refused)
    assert send_put(put_for(desk, build, announced(key)), body, **headers) == expected
    where = {"Bucket": build.bucket, "Key": f"{build.root}/{key}"}
    assert is_missing(admin, where) is (expected != ACCEPTED)


@pytest.mark.parametrize("replaced", ["another build", "another key"])
def test_address_is_good_for_one_key(
    replaced: str, desk: Desk, build: RegisteredBuild, admin: Any
) -> None:
    put = put_for(desk, build, announced("own"))
    last = "0" if build.root[-1] != "0" else "1"
    neighbour = f"{build.root[:-1]}{last}/own"
    other = neighbour if replaced == "another build" else f"{build.root}/other"
    put["url"] = put["url"].replace(f"{build.root}/own", other)
    assert send_put(put, BODY) in {NOT_AS_SIGNED, Answer(403, "AccessDenied")}
    assert is_missing(admin, {"Bucket": build.bucket, "Key": other})


def test_address_works_after_its_build_was_finished(desk: Desk, admin: Any) -> None:
    """Until it expires: a store takes nothing back that was signed."""
    build = desk.uploader.register(PRODUCT)
    put = put_for(desk, build, announced("late"))
    desk.uploader.finish(build)
    assert send_put(put, BODY) == ACCEPTED
    assert body_of(admin, build.bucket, f"{build.root}/late") == BODY


def test_address_is_refused_once_it_has_expired(
    desk: Desk, store: StoreUnderTest, admin: Any
) -> None:
    build = desk.uploader.register(SHORT)
    put = put_for(desk, build, announced("page"))
    assert send_put(put, BODY) == ACCEPTED
    time.sleep(store.shortest_seconds + MARGIN_SECONDS)
    assert send_put(put, BODY) in EXPIRED
    where = {"Bucket": build.bucket, "Key": f"{build.root}/page"}
    assert admin.head_object(**where)["ContentLength"] == len(BODY)
