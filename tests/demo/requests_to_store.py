"""Requests to a store, signed in every way there is, with any key and secret."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import requests
from botocore.auth import HmacV1Auth, HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

BUCKET = "attacked"
KEY = "page.html"
REGION = "us-east-1"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
BOUNDARY = "a-boundary"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

Send = Callable[[str], requests.Response]
Fields = list[tuple[str, str]]


def plain(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Send:
    """As it is, with nothing signed."""

    def send(url: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, url + path, headers=headers, data=body, timeout=120)

    return send


def listing(auth: Any, key_id: str, secret: str) -> Send:
    """ListBuckets, signed by one of botocore's signers."""

    def send(url: str) -> requests.Response:
        request = AWSRequest("GET", f"{url}/", headers={})
        request.auth_path = "/"  # what SigV2 signs
        credentials = Credentials(key_id, secret)
        is_sigv2 = auth in {HmacV1Auth, HmacV1QueryAuth}
        (auth(credentials) if is_sigv2 else auth(credentials, "s3", REGION)).add_auth(request)
        prepared = request.prepare()
        return plain("GET", "", dict(prepared.headers.items()))(str(prepared.url))

    return send


def action(service: str, name: str, key_id: str, secret: str) -> Send:
    """An action of STS or IAM."""

    def send(url: str) -> requests.Response:
        body = query_action(name)
        request = AWSRequest("POST", f"{url}/", headers=dict(URLENCODED), data=body)
        SigV4Auth(Credentials(key_id, secret), service, REGION).add_auth(request)
        return plain("POST", "/", dict(request.prepare().headers.items()), body)(url)

    return send


def query_action(name: str) -> bytes:
    return urlencode({"Action": name, "Version": "2011-06-15"}).encode()


def presigned_query(key_id: str, signature: str) -> str:
    """A SigV4 query with that signature, right or wrong."""
    now = datetime.now(UTC)
    return urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{key_id}/{now:%Y%m%d}/{REGION}/s3/aws4_request",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": "900",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": signature,
        }
    )


def sigv4_form(key_id: str, secret: str, token: str = "") -> Send:
    """A form upload as browsers send it, signed with SigV4; with the token of a session."""
    now = datetime.now(UTC)
    scope = [f"{now:%Y%m%d}", REGION, "s3", "aws4_request"]
    fields = [
        ("key", KEY),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", "/".join([key_id, *scope])),
        ("x-amz-date", f"{now:%Y%m%dT%H%M%SZ}"),
        *([("x-amz-security-token", token)] if token else []),
    ]
    policy = _form_policy(fields)
    signing_key = f"AWS4{secret}".encode()
    for part in [*scope, policy]:
        signing_key = hmac.digest(signing_key, part.encode(), hashlib.sha256)
    return form([*fields, ("policy", policy), ("x-amz-signature", signing_key.hex())])


def sigv2_form(key_id: str, secret: str) -> Send:
    """The same, signed with SigV2."""
    policy = _form_policy([("key", KEY)])
    digest = hmac.digest(secret.encode(), policy.encode(), hashlib.sha1)
    signature = base64.b64encode(digest).decode()
    claims = [("AWSAccessKeyId", key_id), ("policy", policy), ("signature", signature)]
    return form([("key", KEY), *claims])


def form(fields: Fields, *, path: str = f"/{BUCKET}") -> Send:
    parts = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{text}' for name, text in fields
    ]
    parts.append('Content-Disposition: form-data; name="file"; filename="x"\r\n\r\nintruder')
    body = "".join(f"--{BOUNDARY}\r\n{part}\r\n" for part in parts) + f"--{BOUNDARY}--\r\n"
    return plain("POST", path, MULTIPART, body.encode())


def _form_policy(fields: Fields) -> str:
    ends = datetime.now(UTC) + timedelta(hours=1)
    conditions = [{"bucket": BUCKET}, *({name: text} for name, text in fields)]
    document = {"expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "conditions": conditions}
    return base64.b64encode(json.dumps(document).encode()).decode()


SIGNERS = {
    "SigV4 header": S3SigV4Auth,
    "SigV4 query": S3SigV4QueryAuth,
    "SigV2 header": HmacV1Auth,
    "SigV2 query": HmacV1QueryAuth,
}
FORMS = {"SigV4 form": sigv4_form, "SigV2 form": sigv2_form}
