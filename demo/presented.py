"""What a request to the embedded store presents: who is asking, judged before the store sees it.

Pure: it reads an ASGI scope and imports nothing of the store. Whatever is not recognised whole
and unambiguous counts as nobody. The embedded store itself takes an empty key, `test` and any
twelve digits as the account's root, and reads a key from the Authorization header, the query or
a form, so exactly one key, in exactly one place, in one exact spelling, is let through.
"""

import enum
import hmac
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

BOOTSTRAP_HEADER = b"x-demo-store-bootstrap"

KEY_ID = r"(?:AKIA|ASIA)[A-Z0-9]{16}"
_SERVICE = r"(?:s3|sts|iam)"
_SCOPE = rf"[0-9]{{8}}/[a-z0-9-]{{1,32}}/{_SERVICE}/aws4_request"
_SCOPE_ANY_REGION = rf"[0-9]{{8}}/{_SERVICE}/aws4_request"
_SIGNED = r", *SignedHeaders=[a-z0-9;_.-]+, *Signature=[0-9a-f]+"
AUTHORIZATION = re.compile(
    rf"AWS4-HMAC-SHA256 +Credential={KEY_ID}/{_SCOPE}{_SIGNED}"
    rf"|AWS4-ECDSA-P256-SHA256 +Credential={KEY_ID}/{_SCOPE_ANY_REGION}{_SIGNED}"
    rf"|AWS {KEY_ID}:[A-Za-z0-9+/]+={{0,2}}"
)
QUERY_CREDENTIAL = {
    "AWS4-HMAC-SHA256": re.compile(rf"{KEY_ID}/{_SCOPE}"),
    "AWS4-ECDSA-P256-SHA256": re.compile(rf"{KEY_ID}/{_SCOPE_ANY_REGION}"),
}
SIGV4_QUERY = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"}
SIGV2_QUERY = {"AWSAccessKeyId", "Signature"}
QUERY_CLAIMS = {name.lower() for name in SIGV4_QUERY | SIGV2_QUERY}
FORM_CLAIMS = {"x-amz-credential", "awsaccesskeyid"}
FORM_CREDENTIAL = re.compile(rf"{KEY_ID}(?:/{_SCOPE})?")

HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")
PATH = re.compile(r"/(?:([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/.*)?)?", re.DOTALL)
# First path segments that the store answers before it looks at any credentials, or hands to
# services outside S3, although they could be the name of a bucket.
NOT_BUCKETS = {"health", "login", "logout", "oauth2", "iceberg", "restapis", "v20180820"}

Headers = list[tuple[bytes, bytes]]
Scope = dict[str, Any]


class Caller(enum.Enum):
    """Who a request may be taken for, until the store has verified its signature."""

    NOBODY = "nobody"
    SIGNED = "signed"  # names one user's or session's key in its header or query
    FORM = "form"  # an upload form: its key stands in the body
    ADMIN = "admin"  # carries the bootstrap secret


def caller_of(scope: Scope, *, bootstrap: bytes) -> Caller:
    """Judge an HTTP request by its scope alone; `bootstrap` is the admin's secret."""
    headers: Headers = scope["headers"]
    if any(hmac.compare_digest(value, bootstrap) for value in _values(headers, BOOTSTRAP_HEADER)):
        return Caller.ADMIN
    if not _addresses_the_store(scope, headers):
        return Caller.NOBODY
    authorization = _values(headers, b"authorization")
    claims = _query_claims(scope["query_string"])
    if claims is None or len(authorization) > 1 or (authorization and claims):
        return Caller.NOBODY
    if authorization:
        known = AUTHORIZATION.fullmatch(authorization[0].decode("latin-1"))
        return Caller.SIGNED if known else Caller.NOBODY
    if claims:
        return Caller.SIGNED if _is_signed_query(claims) else Caller.NOBODY
    return Caller.FORM if _is_form(scope, headers) else Caller.NOBODY


def bucket_of(path: str) -> str:
    """The bucket that a path names, or nothing."""
    match = PATH.fullmatch(path)
    return (match[1] or "") if match else ""


def is_signed_form(fields: Iterable[tuple[str, bytes]]) -> bool:
    """Whether a form's fields (name, value) name exactly one key of a user or a session."""
    claims = [value for name, value in fields if name.lower() in FORM_CLAIMS]
    return len(claims) == 1 and bool(FORM_CREDENTIAL.fullmatch(claims[0].decode("latin-1")))


def _addresses_the_store(scope: Scope, headers: Headers) -> bool:
    """One loopback host, and the service's root or a bucket: no admin or emulator page."""
    hosts = _values(headers, b"host")
    path = PATH.fullmatch(scope["path"])
    return (
        len(hosts) == 1
        and HOST.fullmatch(hosts[0].decode("latin-1")) is not None
        and path is not None
        and path[1] not in NOT_BUCKETS
    )


def _query_claims(query: bytes) -> dict[str, list[str]] | None:
    """The query's signing parameters as the store will read them; None when it cannot."""
    try:
        found = parse_qs(query.decode("utf-8"), keep_blank_values=True)
    except (UnicodeDecodeError, ValueError):
        return None
    return {name: values for name, values in found.items() if name.lower() in QUERY_CLAIMS}


def _is_signed_query(claims: dict[str, list[str]]) -> bool:
    if any(len(values) != 1 for values in claims.values()):
        return False
    if claims.keys() == SIGV2_QUERY:
        return bool(re.fullmatch(KEY_ID, claims["AWSAccessKeyId"][0]))
    if claims.keys() != SIGV4_QUERY:
        return False
    pattern = QUERY_CREDENTIAL.get(claims["X-Amz-Algorithm"][0])
    return bool(pattern and pattern.fullmatch(claims["X-Amz-Credential"][0]))


def _is_form(scope: Scope, headers: Headers) -> bool:
    """A plain browser form posted to a bucket: nothing that would make it another operation."""
    types = _values(headers, b"content-type")
    names = {name.lower() for name, _ in headers}
    bucket = bucket_of(scope["path"])
    return (
        scope["method"] == "POST"
        and not scope["query_string"]
        and bool(bucket)
        and scope["path"] in {f"/{bucket}", f"/{bucket}/"}
        and len(types) == 1
        and types[0].lower().startswith(b"multipart/form-data")
        and b"content-encoding" not in names
        and not any(name.startswith(b"x-amz-") for name in names)
    )


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]
