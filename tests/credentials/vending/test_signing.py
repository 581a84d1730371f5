"""Signatures are those that boto3 makes of the same request, clients and all."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import time_machine
from botocore.auth import S3SigV4PostAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from credentials.rules.presigned_forms import (
    Terms,
    WantedFile,
    directory_form,
    file_form,
    put_headers,
)
from credentials.rules.secret import Secret
from credentials.vending.signing import Signer
from credentials.vending.sts import AssumedSession

NOW = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
EXPIRES_AT = NOW + timedelta(seconds=900)
ROOT = "guide/builds/v1"
TERMS = Terms(bucket="docs", root=ROOT, surrogate_key="f" * 32, max_bytes=10, acl="public-read")
KEYS = ["index.html", "a b/c+d.html", "ü/日本.html", "x$1?*&=%2f'~-_.txt", "a:b;c,d@e"]
TOKENS = {"session": "token/with+signs==", "identity": ""}


@pytest.fixture(autouse=True)
def _at_that_moment() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def signer(token: str) -> Signer:
    session = AssumedSession(
        access_key_id="ASIAEXAMPLE",
        secret_access_key=Secret("secret/key+"),
        session_token=Secret(token),
        expires_at=EXPIRES_AT,
        assumed_role_id="",
        packed_policy_percent=None,
        sts_request_id="",
    )
    url = "https://docs.s3.eu-central-1.amazonaws.com/"
    return Signer(session=session, region="eu-central-1", bucket_url=url, expires_at=EXPIRES_AT)


def boto_client(token: str) -> Any:
    return boto3.client(
        "s3",
        region_name="eu-central-1",
        aws_access_key_id="ASIAEXAMPLE",
        aws_secret_access_key="secret/key+",
        aws_session_token=token or None,
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )


def condition_set(fields: dict[str, str]) -> set[str]:
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert policy["expiration"] == "2026-11-25T01:17:03Z"
    return {json.dumps(condition) for condition in policy["conditions"]}


def test_post_is_what_boto3_makes_of_the_same_policy() -> None:
    for case, token in TOKENS.items():
        for make_form in [file_form, directory_form]:
            form = make_form(TERMS, "_static/")
            fields = signer(token).sign_post(form)
            own = {name: value for name, value in form.fields.items() if name != "key"}
            rules = [
                rule for rule in form.conditions if "key" not in str(rule) or "meta" in str(rule)
            ]
            expected = boto_client(token).generate_presigned_post(
                "docs", form.fields["key"], Fields=own, Conditions=rules, ExpiresIn=900
            )
            assert condition_set(fields) == condition_set(expected["fields"]), case
            unordered = {"policy", "x-amz-signature"}
            assert {name: fields[name] for name in set(fields) - unordered} == {
                name: value for name, value in expected["fields"].items() if name not in unordered
            }, case
            assert ("x-amz-security-token" in fields) is bool(token), case


def test_signature_of_a_post_is_botocores() -> None:
    fields, request = signer("t").sign_post(file_form(TERMS, "/")), AWSRequest()
    request.context["timestamp"] = fields["x-amz-date"]
    keys = ReadOnlyCredentials("ASIAEXAMPLE", "secret/key+", "t")
    botocores = S3SigV4PostAuth(keys, "s3", "eu-central-1").signature(fields["policy"], request)
    assert fields["x-amz-signature"] == botocores


def test_put_is_what_boto3_makes_of_the_same_request() -> None:
    for case, token in TOKENS.items():
        for key in KEYS:
            file = WantedFile(
                key=key, size=5, sha256="0f" * 32, content_type="text/html; charset=utf-8"
            )
            made = signer(token).sign_url(
                key=f"{ROOT}/{key}", headers=put_headers(TERMS, file), now=NOW
            )
            wanted = {
                "Bucket": "docs",
                "Key": f"{ROOT}/{key}",
                "CacheControl": "max-age=31536000",
                "Metadata": {"surrogate-key": "f" * 32},
                "ACL": "public-read",
                "ContentLength": 5,
                "ContentType": "text/html; charset=utf-8",
                "ChecksumSHA256": base64.b64encode(bytes.fromhex("0f" * 32)).decode(),
            }
            client = boto_client(token)
            assert made == client.generate_presigned_url(
                "put_object", Params=wanted, ExpiresIn=900
            ), case


def test_signed_headers_are_all_that_were_asked_for() -> None:
    file = WantedFile(key="a", size=0, sha256="00" * 32, content_type="text/plain")
    url = signer("t").sign_url(key="a", headers=put_headers(TERMS, file), now=NOW)
    signed = (
        "cache-control%3Bcontent-length%3Bcontent-type%3Bhost%3Bx-amz-acl%3B"
        "x-amz-checksum-sha256%3Bx-amz-meta-surrogate-key"
    )
    assert f"X-Amz-SignedHeaders={signed}&" in url


def test_nothing_is_held_to_what_was_not_said() -> None:
    headers = put_headers(TERMS, WantedFile(key="a"))
    assert set(headers) == {"Cache-Control", "x-amz-meta-surrogate-key", "x-amz-acl"}


def test_signer_does_not_print_its_secrets() -> None:
    assert "secret/key+" not in repr(signer("token-of-a-session"))
    assert "token-of-a-session" not in repr(signer("token-of-a-session"))


def test_form_is_not_changed_by_signing() -> None:
    form = file_form(TERMS, "/")
    before = json.dumps([dict(form.fields), list(form.conditions)])
    signer("t").sign_post(form)
    signer("t").sign_post(form)
    assert json.dumps([dict(form.fields), list(form.conditions)]) == before
