"""Who a request is taken for, from its scope alone."""

from typing import Any

import pytest

from demo.presented import Caller, bucket_of, caller_of, is_signed_form

BOOTSTRAP = b"the-bootstrap-secret"
KEY = "AKIA0123456789ABCDEF"
SCOPE = "20260101/us-east-1/s3/aws4_request"
SIGNED = "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
SIGV4 = f"AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, {SIGNED}"
SIGV4A = f"AWS4-ECDSA-P256-SHA256 Credential={KEY}/20260101/s3/aws4_request, {SIGNED}"
QUERY = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}/{SCOPE}&X-Amz-Signature=00"


def scope_of(
    *headers: tuple[str, str], query: str = "", path: str = "/bucket/key", method: str = "GET"
) -> dict[str, Any]:
    named = [*headers] if any(name == "host" for name, _ in headers) else [HOST, *headers]
    raw = [(name.encode(), value.encode()) for name, value in named]
    return {"headers": raw, "query_string": query.encode(), "path": path, "method": method}


HOST = ("host", "127.0.0.1:4566")


def authorization(value: str) -> tuple[str, str]:
    return ("authorization", value)


def judge(scope: dict[str, Any]) -> Caller:
    return caller_of(scope, bootstrap=BOOTSTRAP)


SIGNED_REQUESTS = {
    "SigV4": scope_of(authorization(SIGV4)),
    "SigV4 without spaces": scope_of(authorization(SIGV4.replace(", ", ","))),
    "SigV4 of a session": scope_of(authorization(SIGV4.replace("AKIA", "ASIA"))),
    "SigV4 for STS": scope_of(authorization(SIGV4.replace("/s3/", "/sts/")), path="/"),
    "SigV4A": scope_of(authorization(SIGV4A)),
    "SigV2": scope_of(authorization(f"AWS {KEY}:c2lnbmF0dXJl=")),
    "SigV4 query": scope_of(query=QUERY),
    "SigV4 query, encoded": scope_of(query=QUERY.replace("/", "%2F")),
    "SigV2 query": scope_of(query=f"AWSAccessKeyId={KEY}&Signature=a&Expires=1"),
    "key with odd characters": scope_of(authorization(SIGV4), path="/bucket/_ministack/ä\n"),
    "localhost": scope_of(authorization(SIGV4), ("host", "localhost:1")),
}


@pytest.mark.parametrize("scope", SIGNED_REQUESTS.values(), ids=SIGNED_REQUESTS.keys())
def test_one_key_in_one_place_may_be_verified(scope: dict[str, Any]) -> None:
    assert judge(scope) is Caller.SIGNED


NOBODYS_REQUESTS = {
    "nothing": scope_of(),
    "no key": scope_of(authorization(SIGV4.replace(KEY, ""))),
    "root key": scope_of(authorization(SIGV4.replace(KEY, "test"))),
    "account's key": scope_of(authorization(SIGV4.replace(KEY, "000000000000"))),
    "account's key after a user's": scope_of(authorization(f"{SIGV4}, Credential=test/")),
    "two headers": scope_of(authorization(SIGV4), authorization(SIGV4)),
    "header and query": scope_of(authorization(SIGV4), query=QUERY),
    "header and a key in the query": scope_of(authorization(SIGV4), query="AWSAccessKeyId=test"),
    "bearer and query": scope_of(authorization("Bearer x"), query=QUERY),
    "both kinds of query": scope_of(query=f"{QUERY}&AWSAccessKeyId={KEY}&Signature=a"),
    "key twice in the query": scope_of(query=f"{QUERY}&X-Amz-Credential=test/x"),
    "key again in lower case": scope_of(query=f"{QUERY}&x-amz-credential=test/x"),
    "key alone in the query": scope_of(query=f"X-Amz-Credential={KEY}/{SCOPE}"),
    "unknown algorithm": scope_of(query=QUERY.replace("SHA256", "SHA1")),
    "another service": scope_of(authorization(SIGV4.replace("/s3/", "/lambda/"))),
    "query that is no text": scope_of(authorization(SIGV4)) | {"query_string": b"\xff"},
    "newline after the signature": scope_of(authorization(f"{SIGV4}\n")),
    "admin page": scope_of(authorization(SIGV4), path="/_ministack/reset"),
    "health": scope_of(authorization(SIGV4), path="/health"),
    "two slashes": scope_of(authorization(SIGV4), path="//_ministack/reset"),
    "no path": scope_of(authorization(SIGV4), path=""),
    "another host": scope_of(authorization(SIGV4), ("host", "x.cloudfront.net")),
    "bucket in the host": scope_of(authorization(SIGV4), ("host", "bucket.localhost")),
    "two hosts": scope_of(authorization(SIGV4), HOST, HOST),
    "wrong bootstrap": scope_of(("x-demo-store-bootstrap", "another-secret")),
    "empty bootstrap": scope_of(("x-demo-store-bootstrap", "")),
}


@pytest.mark.parametrize("scope", NOBODYS_REQUESTS.values(), ids=NOBODYS_REQUESTS.keys())
def test_anything_else_is_nobody(scope: dict[str, Any]) -> None:
    assert judge(scope) is Caller.NOBODY


def test_bootstrap_is_the_admin_on_any_page() -> None:
    header = ("X-Demo-Store-Bootstrap", BOOTSTRAP.decode())
    assert judge(scope_of(header, path="/_ministack/reset")) is Caller.ADMIN


FORM = ("content-type", "multipart/form-data; boundary=x")


def form_scope(*headers: tuple[str, str], **changes: Any) -> dict[str, Any]:
    return scope_of(FORM, *headers, **{"path": "/bucket", "method": "POST", **changes})


@pytest.mark.parametrize("path", ["/bucket", "/bucket/"])
def test_form_is_judged_by_its_body_later(path: str) -> None:
    assert judge(form_scope(path=path)) is Caller.FORM


NO_FORMS = {
    "with a query": form_scope(query="delete"),
    "another method": form_scope(method="PUT"),
    "an object": form_scope(path="/bucket/key"),
    "the root": form_scope(path="/"),
    "slashes after the bucket": form_scope(path="/bucket//"),
    "encoded": form_scope(("content-encoding", "aws-chunked")),
    "with a header of S3": form_scope(("X-Amz-Copy-Source", "/other/key")),
    "two types": form_scope(FORM),
}


@pytest.mark.parametrize("scope", NO_FORMS.values(), ids=NO_FORMS.keys())
def test_form_that_could_be_another_operation_is_nobody(scope: dict[str, Any]) -> None:
    assert judge(scope) is Caller.NOBODY


@pytest.mark.parametrize(
    ("path", "bucket"),
    [("/docs", "docs"), ("/docs/a//b", "docs"), ("/", ""), ("/_x/y", ""), ("/UP", ""), ("x", "")],
)
def test_bucket_of_a_path(path: str, bucket: str) -> None:
    assert bucket_of(path) == bucket


@pytest.mark.parametrize(
    ("fields", "signed"),
    [
        ([("x-amz-credential", f"{KEY}/{SCOPE}".encode())], True),
        ([("AWSAccessKeyId", KEY.encode()), ("key", b"x")], True),
        ([("x-amz-credential", b"test/x")], False),
        ([("AWSAccessKeyId", b"000000000000")], False),
        ([("AWSAccessKeyId", KEY.encode() + b"\n")], False),
        ([("AWSAccessKeyId", KEY.encode()), ("awsaccesskeyid", KEY.encode())], False),
        ([("AWSAccessKeyId", b"\xff")], False),
        ([], False),
    ],
)
def test_form_is_signed_by_one_users_key(fields: list[tuple[str, bytes]], *, signed: bool) -> None:
    assert is_signed_form(fields) is signed
