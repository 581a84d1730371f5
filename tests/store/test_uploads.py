"""Uploads through the service: streamed, checked, and only below the build's root."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.store.places import body_of, is_missing
from tests.store.stage import Account, service_for
from tests.store.uploader import RegisteredBuild, Uploader

BODY = b"<p>Through.</p>"
LARGE = bytes(range(256)) * 4096 * 5  # 5 MB: several parts, and more than sockets hold


@pytest.fixture(scope="module")
def uploader(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploader]:
    folder = tmp_path_factory.mktemp("uploads")
    with service_for(account, folder, LTD_PROXY_UPLOADS="2") as service:
        key = service.new_client("ci")
        service.wait_until_it_answers()
        uploader = Uploader(service.url, api_key=key, store=account.row.name)
        uploader.create_product("through")
        yield uploader
        uploader.close()


@pytest.fixture(scope="module")
def build(uploader: Uploader) -> RegisteredBuild:
    return uploader.register("through")


def put(uploader: Uploader, build: RegisteredBuild, key: str, body: bytes) -> requests.Response:
    hashes = {
        "x-amz-checksum-sha256": hashlib.sha256(body).digest(),
        "Content-MD5": hashlib.md5(body, usedforsecurity=False).digest(),
    }
    headers = {name: b64encode(digest).decode() for name, digest in hashes.items()}
    headers |= {"Content-Type": "text/html", "Cache-Control": "no-cache"}
    url = f"{build.url}/objects/{requests.utils.quote(key)}"
    damaged = b"!" + body[1:] if key.startswith("damaged") else body
    return uploader._http.put(url, data=damaged, headers=headers, timeout=120)


@pytest.mark.parametrize("key", ["index.html", "a b/c+d.html", "ü/日本.html", "x$1?*&=%2f'~.txt"])
@pytest.mark.parametrize("body", [b"", BODY, LARGE], ids=["empty", "small", "large"])
def test_object_is_stored_as_it_was_sent(
    key: str, body: bytes, uploader: Uploader, build: RegisteredBuild, admin: Any
) -> None:
    answer = put(uploader, build, key, body)
    assert answer.status_code == 200, answer.text
    where = {"Bucket": build.bucket, "Key": f"{build.root}/{key}"}
    head = admin.head_object(**where)
    assert (head["ContentType"], head["CacheControl"]) == ("text/html", "no-cache")
    assert body_of(admin, build.bucket, where["Key"]) == body


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
def test_damaged_object_is_not_stored(
    body: bytes, uploader: Uploader, build: RegisteredBuild, admin: Any
) -> None:
    key = f"damaged-{len(body)}"
    assert put(uploader, build, key, body).json()["code"] == "checksum_mismatch"
    assert is_missing(admin, {"Bucket": build.bucket, "Key": f"{build.root}/{key}"})
