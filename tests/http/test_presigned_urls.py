"""Presigned PUTs over HTTP: an address and the headers that belong to it, for each file."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.utils import timezone

from builds.models import Build, Store
from credentials.models import IssuedSession
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import PRESIGN_POSTS, PRESIGN_URLS

pytestmark = pytest.mark.django_db

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def ask(send: Send) -> Callable[..., dict[str, Any]]:
    def call(*files: dict[str, Any]) -> dict[str, Any]:
        response = send(replace(PRESIGN_URLS, body={"files": list(files)}))
        assert response.status_code == 200, response.content
        document: dict[str, Any] = response.json()
        return document

    return call


def test_answer_has_one_address_for_exactly_each_key(ask: Callable[..., Any], build: Build) -> None:
    document = ask({"key": "index.html"}, {"key": "a b/ü$.js"})
    assert list(document) == ["urls", "expires_at", "session_id"]
    assert list(document["urls"]) == ["index.html", "a b/ü$.js"]
    for key, put in document["urls"].items():
        url = urlsplit(put["url"])
        assert put["method"] == "PUT"
        assert url.netloc == "docs-bucket.s3.amazonaws.com"
        assert unquote(url.path) == f"/{build.root}/{key}"


def test_headers_are_what_the_client_said_and_those_of_every_build(
    ask: Callable[..., Any], build: Build
) -> None:
    file = {"key": "a", "size": 0, "sha256": EMPTY.upper(), "content_type": "text/plain"}
    every = {
        "Cache-Control": "max-age=31536000",
        "x-amz-meta-surrogate-key": build.surrogate_key,
    }
    said = {
        "Content-Length": "0",
        "Content-Type": "text/plain",
        "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    }
    urls = ask(file, {"key": "b", "size": None})["urls"]
    assert urls["a"]["headers"] == every | said
    assert urls["b"]["headers"] == every


def test_every_header_is_signed(ask: Callable[..., Any]) -> None:
    file = {"key": "a", "size": 1, "sha256": EMPTY, "content_type": "text/plain"}
    put = ask(file)["urls"]["a"]
    [signed] = parse_qs(urlsplit(put["url"]).query)["X-Amz-SignedHeaders"]
    assert set(signed.split(";")) == {"host", *(name.lower() for name in put["headers"])}


def test_public_acl_is_sent_only_where_the_store_says_so(ask: Callable[..., Any]) -> None:
    assert "x-amz-acl" not in ask({"key": "a"})["urls"]["a"]["headers"]
    Store.objects.update(acl_mode="public-read")
    assert ask({"key": "a"})["urls"]["a"]["headers"]["x-amz-acl"] == "public-read"


def test_session_is_one_of_its_own_that_only_writes(
    ask: Callable[..., Any], sts: FakeSts, build: Build, settings: Any
) -> None:
    settings.LTD_URL_LIFETIME = 1000
    ask({"key": "a"})
    [statement] = json.loads(sts.requests[0]["Policy"])["Statement"]
    assert statement["Action"] == "s3:PutObject"
    assert sts.requests[0]["DurationSeconds"] == 1000
    assert IssuedSession.objects.get().delivery == "url"


def test_address_expires_with_session_or_build(ask: Callable[..., Any], build: Build) -> None:
    soon = timezone.now() + timedelta(seconds=600)
    Build.objects.update(open_until=soon)
    document = ask({"key": "a"})
    [seconds] = parse_qs(urlsplit(document["urls"]["a"]["url"]).query)["X-Amz-Expires"]
    assert 590 < int(seconds) <= 600
    assert datetime.fromisoformat(document["expires_at"]) == soon


def test_posts_and_addresses_are_signed_by_different_sessions(send: Send, sts: FakeSts) -> None:
    sessions = {send(PRESIGN_POSTS).json()["session_id"], send(PRESIGN_URLS).json()["session_id"]}
    assert len(sessions) == len(sts.requests) == 2


def test_store_that_takes_no_posts_takes_puts(ask: Callable[..., Any]) -> None:
    Store.objects.update(post_support="broken", endpoint_url="https://s3.example.org")
    url = ask({"key": "a"})["urls"]["a"]["url"]
    assert url.startswith("https://s3.example.org/docs-bucket/guide/builds/")


BAD = {
    "empty": "",
    "directory": "a/",
    "parent": "../a",
    "newline": "a\nb",
    "too long": "x" * 1000,
}


def test_bad_key_is_refused_and_named(refused: Refused) -> None:
    for case, key in BAD.items():
        body = json.dumps({"files": [{"key": "good"}, {"key": key}]})
        document = json.loads(refused(PRESIGN_URLS, 400, "bad_file", body).content)
        assert ascii(key)[1:40].rstrip("'") in document["detail"], case


def test_same_key_twice_is_refused(refused: Refused) -> None:
    body = json.dumps({"files": [{"key": "a"}, {"key": "a", "size": 1}]})
    refused(PRESIGN_URLS, 400, "bad_file", body)


INVALID: dict[str, Any] = {
    "no list": {"key": "a"},
    "texts": ["a"],
    "key is no text": [{"key": 1}],
    "no key": [{"size": 1}],
    "misspelt": [{"key": "a", "sha": EMPTY}],
    "negative size": [{"key": "a", "size": -1}],
    "size in text": [{"key": "a", "size": "1"}],
    "size over the limit": [{"key": "a", "size": 5 * 1024**3 + 1}],
    "hash in Base64": [{"key": "a", "sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}],
    "hash with a newline": [{"key": "a", "sha256": f"{EMPTY}\n"}],
    "type with a newline": [{"key": "a", "content_type": "text/html\r\nx-amz-acl: public-read"}],
    "type beyond ASCII": [{"key": "a", "content_type": "text/ü"}],
    "no type": [{"key": "a", "content_type": ""}],
    "endless type": [{"key": "a", "content_type": "text/" + "x" * 251}],
    "too many": [{"key": str(number)} for number in range(1001)],
}


def test_invalid_file_is_refused(refused: Refused) -> None:
    for files in INVALID.values():
        refused(PRESIGN_URLS, 400, "invalid_request", json.dumps({"files": files}))


def test_no_file_is_refused(refused: Refused) -> None:
    refused(PRESIGN_URLS, 400, "bad_file", json.dumps({"files": []}))
