"""Uploads through the service: what arrives at the store, and what never does."""

import hashlib
import io
from base64 import b64encode
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError

from builds.models import Build, Product
from credentials.models import IssuedSession
from credentials.vending import uploads
from tests.conftest import undone
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import FINISH_BUILD, Endpoint
from tests.http.fake_s3 import FakeS3
from tests.http.fake_store import FakeStore
from tests.http.problem import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("far_store")]

BODY = b"<p>A page.</p>"
# Before the fixture puts a stand-in into its place.
HTTP_SESSION: Any = uploads.http_session
PAGE = Endpoint(method="PUT", path="/builds/{build}/objects/a/ü.html")


def base64_of(digest: bytes) -> str:
    return b64encode(digest).decode()


def hashes_of(body: bytes) -> dict[str, str]:
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    sha256 = hashlib.sha256(body).digest()
    return {"HTTP_CONTENT_MD5": base64_of(md5), "HTTP_X_AMZ_CHECKSUM_SHA256": base64_of(sha256)}


@pytest.mark.parametrize("size", [0, 1, len(BODY), 3 * uploads.CHUNK_BYTES])
def test_object_arrives_in_parts_with_its_headers(
    size: int, send: Send, far_store: FakeStore, build: Build
) -> None:
    body = (BODY * (1 + size // len(BODY)))[:size]
    headers = hashes_of(body) | {"content_type": "text/html", "HTTP_CACHE_CONTROL": "no-cache"}
    headers["CONTENT_LENGTH"] = str(size)
    answer = send(PAGE, body, **headers)
    row = IssuedSession.objects.get()
    assert answer.json() == {"key": "a/ü.html", "size": size, "session_id": row.pk}
    assert (row.delivery, row.status) == ("upload", "issued")
    [request] = far_store.requests
    assert (b"".join(far_store.parts), request.headers["Content-Length"]) == (body, str(size))
    assert max(map(len, far_store.parts), default=0) <= uploads.CHUNK_BYTES
    assert (request.headers["Content-Type"], request.headers["Cache-Control"]) == (
        "text/html",
        "no-cache",
    )
    assert urlsplit(request.url).path.endswith(f"/{build.root}/a/%C3%BC.html")


def test_files_share_a_session(send: Send, sts: FakeSts) -> None:
    """In products whose sessions are short, too: it does not leave the service."""
    for seconds in (None, 900, 3600):
        Product.objects.update(session_seconds=seconds)
        before = len(sts.requests)
        for _ in range(3):
            assert send(PAGE, BODY).status_code == 200
        assert len(sts.requests) <= before + 1, seconds


OTHER = hashes_of(BODY[::-1])
REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "key above the root": ("../x", {}, 400, "bad_file"),
    "key of a directory": ("a/", {}, 400, "bad_file"),
    "key with a control": ("a%1B", {}, 400, "bad_file"),
    "no length": ("a", {"CONTENT_LENGTH": ""}, 411, "length_required"),
    "in chunks": ("a", {"HTTP_TRANSFER_ENCODING": "chunked"}, 411, "length_required"),
    "too large": ("a", {"CONTENT_LENGTH": str(1024**3 + 1)}, 413, "body_too_large"),
    "no SHA-256": ("a", {"HTTP_X_AMZ_CHECKSUM_SHA256": "x"}, 400, "invalid_request"),
    "no MD5": ("a", {"HTTP_CONTENT_MD5": b64encode(b"x").decode()}, 400, "invalid_request"),
    "no type": ("a", {"content_type": "html"}, 400, "invalid_request"),
    "two lines": ("a", {"HTTP_CACHE_CONTROL": "a\nb"}, 400, "invalid_request"),
    "a query": ("a?acl", {}, 400, "invalid_request"),
    "compressed": ("a", {"HTTP_CONTENT_ENCODING": "gzip"}, 400, "invalid_request"),
    "a part": ("a", {"HTTP_CONTENT_RANGE": "bytes 0-9/99"}, 400, "invalid_request"),
    "only if new": ("a", {"HTTP_IF_NONE_MATCH": "*"}, 400, "invalid_request"),
}


def test_wrong_upload_is_refused_before_a_session_is_issued(
    refused: Refused, far_store: FakeStore
) -> None:
    for case, (key, headers, status, code) in REFUSED.items():
        endpoint = Endpoint(method="PUT", path=f"/builds/{{build}}/objects/{key}")
        refused(endpoint, status, code, BODY, **headers)
        assert far_store.requests == [], case


def test_upload_is_refused_where_it_is_off(refused: Refused, settings: Any) -> None:
    settings.LTD_PROXY_UPLOADS = 0
    refused(PAGE, 404, "uploads_off", BODY)


def test_finished_build_takes_no_object(send: Send, s3: FakeS3, far_store: FakeStore) -> None:
    s3.sizes = [1]
    assert send(PAGE, BODY).status_code == 200
    send(FINISH_BUILD)
    assert_problem(send(PAGE, BODY), 409, "build_closed")
    assert len(far_store.requests) == 1


@pytest.mark.parametrize("parts", [1, 3])
def test_last_part_of_a_damaged_body_is_not_sent(
    parts: int, send: Send, far_store: FakeStore
) -> None:
    body = b"x" * uploads.CHUNK_BYTES * parts
    for name, digest in OTHER.items():
        far_store.parts.clear()
        assert_problem(send(PAGE, body, **{name: digest}), 400, "checksum_mismatch")
        assert b"".join(far_store.parts) == body[uploads.CHUNK_BYTES :], name


def test_empty_body_is_checked_too(send: Send, far_store: FakeStore) -> None:
    assert_problem(send(PAGE, b"", CONTENT_LENGTH="0", **OTHER), 400, "checksum_mismatch")
    assert far_store.requests == []


@pytest.mark.parametrize("parts", [0, 2])
def test_body_that_breaks_off_is_not_stored(parts: int, send: Send, far_store: FakeStore) -> None:
    body = b"x" * uploads.CHUNK_BYTES * parts
    broken = {"CONTENT_LENGTH": str(len(body) + 1), "wsgi.input": io.BytesIO(body)}
    assert_problem(send(PAGE, body, **broken), 400, "upload_truncated")
    assert b"".join(far_store.parts) == body


DENIED = b"<Error><Code>AccessDenied</Code><Message>secret</Message></Error>"
ANSWERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "denied": ({"status": 403, "answer": DENIED}, 502, "object_not_stored"),
    "moved": ({"status": 301}, 502, "object_not_stored"),
    "busy": ({"status": 503}, 503, "store_unreachable"),
    "away": ({"error": EndpointConnectionError(endpoint_url="secret")}, 503, "store_unreachable"),
}


def test_store_that_does_not_take_it_is_reported(send: Send, far_store: FakeStore) -> None:
    for case, (changes, status, code) in ANSWERS.items():
        with undone():
            vars(far_store).update(vars(FakeStore()) | changes)
            problem = assert_problem(send(PAGE, BODY), status, code)
            assert ("AccessDenied" in problem["message"]) == (case == "denied"), case
            assert "secret" not in problem["message"], case


def test_uploads_at_once_are_bounded(send: Send, far_store: FakeStore) -> None:
    answers: list[Any] = []
    far_store.during = lambda: answers.append(send(PAGE, BODY))
    assert send(PAGE, BODY).status_code == 200
    [meanwhile] = answers
    assert_problem(meanwhile, 503, "too_many_uploads")
    assert meanwhile["Retry-After"]
    far_store.during = lambda: None
    assert send(PAGE, BODY).status_code == 200


def test_refused_upload_gives_its_turn_back(send: Send, far_store: FakeStore) -> None:
    for _ in range(2):
        assert_problem(send(PAGE, BODY, **OTHER), 400, "checksum_mismatch")
    assert send(PAGE, BODY).status_code == 200


@pytest.mark.parametrize(
    ("variables", "verify"),
    [({}, True), ({"AWS_CA_BUNDLE": "/a.pem"}, "/a.pem")],
)
def test_connections_trust_what_botocore_trusts(
    variables: dict[str, str], verify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(uploads, "URLLib3Session", made.update)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    for name, value in (variables | {"HTTPS_PROXY": "http://proxy:3128"}).items():
        monkeypatch.setenv(name, value)
    HTTP_SESSION.__wrapped__("https://s3.example.org")
    assert (made["verify"], made["proxies"]["https"]) == (verify, "http://proxy:3128")
