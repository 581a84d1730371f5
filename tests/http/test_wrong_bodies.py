"""Bodies that are not JSON, not an object, too long or of another media type."""

import pytest

from builds.models import Build
from credentials.models import IssuedSession
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import ENDPOINTS, ISSUE, REGISTER_BUILD, WITH_A_BODY

pytestmark = pytest.mark.django_db

MEGABYTE = 1024 * 1024

NOT_JSON: dict[str, bytes] = {
    "a word": b"main",
    "blank": b" ",
    "open object": b'{"git_refs": ["main"]',
    "two objects": b"{}{}",
    "trailing comma": b'{"git_refs": ["main"],}',
    "NaN": b'{"duration_seconds": NaN}',
    "Infinity": b'{"duration_seconds": Infinity}',
    "number over the largest": b'{"duration_seconds": 1e999}',
    "number of 3,000 digits": b'{"duration_seconds": ' + b"9" * 3_000 + b"}",
    "number as a name": b'{1: "main"}',
    "NUL in a text": b'{"git_refs": ["ma\0in"]}',
    "NUL after the object": b"{}\0",
    "unknown escape": b'{"git_refs": ["\\x61"]}',
    "lone high surrogate": b'{"git_refs": ["\\ud800"]}',
    "lone low surrogate": b'{"git_refs": ["\\udc00"]}',
    "surrogate as UTF-8": b'{"git_refs": ["\xed\xa0\x80"]}',
    "not UTF-8": b'{"git_refs": ["\xff\xfe"]}',
    "overlong UTF-8": b'{"git_refs": ["\xc0\xaf"]}',
    "Latin-1": '{"git_refs": ["é"]}'.encode("latin-1"),
    "UTF-16": '{"git_refs": ["main"]}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"git_refs": ["main"]}',
    "100,000 lists": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested where a name belongs": b'{"git_refs": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "form": b"git_refs=main&uploaded=true",
}
NO_OBJECT: dict[str, bytes] = {
    "list": b'[{"git_refs": ["main"], "uploaded": true, "slug": "fresh", "store": "main"}]',
    "empty list": b"[]",
    "zero": b"0",
    "text": b'"main"',
    "empty text": b'""',
    "false": b"false",
    "null": b"null",
}


def test_malformed_json_is_refused(refused: Refused) -> None:
    for raw in NOT_JSON.values():
        refused(REGISTER_BUILD, 400, "malformed_json", raw)


def test_body_that_is_no_object_is_refused(refused: Refused) -> None:
    for raw in NO_OBJECT.values():
        refused(ISSUE, 400, "invalid_request", raw)


def test_every_endpoint_reads_its_body_alike(refused: Refused) -> None:
    for endpoint in WITH_A_BODY.values():
        refused(endpoint, 400, "malformed_json", NOT_JSON["open object"])
        refused(endpoint, 400, "invalid_request", NO_OBJECT["list"])
        refused(endpoint, 400, "invalid_request", NO_OBJECT["null"])
        refused(endpoint, 411, "length_required", HTTP_TRANSFER_ENCODING="chunked")
        body = None if endpoint.body else b'{"duration_seconds": 900}'
        refused(endpoint, 415, "unsupported_media_type", body, content_type="text/plain")


@pytest.mark.parametrize("raw", [b"", b"{}"], ids=["no body", "empty object"])
def test_empty_body_is_refused_where_something_is_needed(raw: bytes, refused: Refused) -> None:
    for name in ("create product", "register build", "finish build"):
        refused(WITH_A_BODY[name], 400, "invalid_request", raw)


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"duration_seconds": null}'])
def test_empty_body_asks_for_credentials_of_the_usual_length(
    raw: bytes, send: Send, sts: FakeSts
) -> None:
    assert send(ISSUE, raw).status_code == 200
    assert sts.requests[0]["DurationSeconds"] == 1800


def test_last_of_two_equal_members_counts(send: Send) -> None:
    response = send(REGISTER_BUILD, b'{"git_refs": ["main"], "slug": "one", "slug": "two"}')
    assert (response.status_code, response.json()["slug"]) == (201, "two")
    assert not Build.objects.filter(slug="one").exists()


def test_body_over_one_megabyte_is_refused(refused: Refused) -> None:
    for endpoint in ENDPOINTS.values():
        refused(endpoint, 413, "body_too_large", b" " * (MEGABYTE + 1))


@pytest.mark.parametrize("key", ["", "Bearer wrong"], ids=["no key", "wrong key"])
def test_body_over_one_megabyte_is_refused_before_the_key(key: str, refused: Refused) -> None:
    raw = b" " * (MEGABYTE + 1)
    refused(REGISTER_BUILD, 413, "body_too_large", raw, HTTP_AUTHORIZATION=key)


def padded(text: bytes) -> bytes:
    return text + b" " * (MEGABYTE - len(text))


def test_body_of_one_megabyte_is_read(send: Send) -> None:
    assert send(REGISTER_BUILD, padded(b'{"git_refs": ["main"]}')).status_code == 201


def test_list_of_a_megabyte_is_refused_in_few_words(refused: Refused) -> None:
    raw = b'{"git_refs": [' + b"1," * 400_000 + b"1]}"
    response = refused(REGISTER_BUILD, 400, "invalid_request", raw)
    assert len(response.content) < 2_000


def test_length_that_is_no_number_is_malformed(send: Send, sts: FakeSts) -> None:
    for length in ("abc", "-1", "9" * 30, "9" * 4400, "\u0663"):
        response = send(ISSUE, CONTENT_LENGTH=length)
        assert response.status_code == 400, length[:9]
        assert response["Content-Type"] == "application/problem+json", length[:9]
        assert (sts.requests, IssuedSession.objects.count()) == ([], 0), length[:9]


MEDIA_TYPES: dict[str, str] = {
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "text": "text/plain",
    "text that says JSON": "text/json",
    "none": "",
    "anything": "*/*",
    "family": "application/*",
    "longer": "application/jsonx",
    "suffix": "application/problem+json",
    "two": "application/xml, application/json",
    "parameter first": "charset=utf-8; application/json",
    "LTD's answer type": "application/vnd.ltdkeeper.v2+json",
    "garbage": "\x01\x02",
    "10,000 characters": "a" * 10_000,
}


def test_other_media_types_are_refused(refused: Refused) -> None:
    for media_type in MEDIA_TYPES.values():
        refused(REGISTER_BUILD, 415, "unsupported_media_type", content_type=media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;",
    ],
)
def test_json_is_json_however_it_is_written(media_type: str, send: Send) -> None:
    assert send(REGISTER_BUILD, content_type=media_type).status_code == 201
