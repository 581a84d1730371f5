"""Signature version 4 for POSTs and PUTs, without a client.

A client per build's session costs milliseconds, one signature tens of microseconds. Nothing here
calls a store.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property, lru_cache
from typing import Any
from urllib.parse import quote

import boto3
import structlog
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from builds.models import Store
from credentials.errors import (
    PostNotSupported,
    PostSignerUnusable,
    PostSupportUnknown,
    VendorCredentialsMissing,
)
from credentials.rules.presigned_forms import Form
from credentials.rules.secret import Secret
from credentials.vending.store_clients import INTERACTIVE, AccessKey, Endpoint, store_client
from credentials.vending.sts import AssumedSession

UNESCAPED = "/-_.~"
# Where only an address is wanted: botocore makes none without a key to sign with.
NOBODY = AccessKey(access_key_id="nobody", secret_access_key=Secret("nobody"))

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Who signs, for which region, until when. `bucket_url` is where the bucket is reached.

    The secrets stay in `session`; what was signed holds the session's token, by which the store
    knows whose signature it is.
    """

    session: AssumedSession
    region: str
    bucket_url: str
    expires_at: datetime

    def sign_post(self, form: Form) -> dict[str, str]:
        named, key = self._post_signature
        policy = {
            "expiration": f"{self.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "conditions": [*form.conditions, *({name: named[name]} for name in named)],
        }
        encoded = base64.b64encode(json.dumps(policy).encode())
        signature = hmac.digest(key, encoded, "sha256").hex()
        signed = {"policy": encoded.decode(), "x-amz-signature": signature}
        return {**form.fields, **named, **signed}

    @cached_property
    def _post_signature(self) -> tuple[dict[str, str], bytes]:
        """The fields that say who signs all forms and when, and the key of that day.

        As botocore's S3SigV4PostAuth has it, which derives the key for each form anew.
        """
        moment, session = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", self.session
        scope = (moment[:8], self.region, "s3", "aws4_request")
        key = f"AWS4{session.secret_access_key.reveal()}".encode()
        for part in scope:
            key = hmac.digest(key, part.encode(), "sha256")
        token = session.session_token.reveal()
        named = {
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": "/".join((session.access_key_id, *scope)),
            "x-amz-date": moment,
            **({"x-amz-security-token": token} if token else {}),
        }
        return named, key

    def sign_url(
        self, *, key: str, headers: Mapping[str, str], now: datetime, method: str = "PUT"
    ) -> str:
        """The address to which a request with exactly these headers may be sent."""
        credentials = ReadOnlyCredentials(
            self.session.access_key_id,
            self.session.secret_access_key.reveal(),
            self.session.session_token.reveal() or None,
        )
        url = f"{self.bucket_url.rstrip('/')}/{quote(key, safe=UNESCAPED)}"
        request = AWSRequest(method=method, url=url, headers=dict(headers))
        seconds = int((self.expires_at - now).total_seconds())
        S3SigV4QueryAuth(credentials, "s3", self.region, expires=seconds).add_auth(request)
        return str(request.url)


def bucket_url(store: Store, *, endpoint_url: str) -> str:
    """The address of the store's bucket at an endpoint (empty: AWS), as SDKs have it.

    On AWS, `automatic` is the virtual host in the bucket's own region: botocore's choice for
    presigned requests is the global host, which responds with a redirect for a while after a
    bucket was made, and uploaders do not follow it (botocore, `_should_use_global_endpoint`).
    """
    style = store.addressing
    if not endpoint_url and style == Store.Addressing.AUTO:
        style = Store.Addressing.VIRTUAL.value
    endpoint = Endpoint(region=store.region, endpoint_url=endpoint_url, addressing=style)
    return _address(store.bucket, endpoint)


@cache
def _address(bucket: str, endpoint: Endpoint) -> str:
    client = store_client(endpoint, "s3", NOBODY, INTERACTIVE)
    return str(client.generate_presigned_post(bucket, "key")["url"])


def signer_for_posts(store: Store) -> AccessKey | None:
    """The key that signs a store's POSTs; None where a session of the build does.

    Raises PostNotSupported, and what `post_signer` raises.

    AWS takes what a session signed. Any other store has to have shown it: there are some that
    respond 204 and store nothing, so that an upload would seem to have gone well.
    """
    if store.post_support == Store.PostSupport.WORKS:
        return None
    if store.post_support == Store.PostSupport.UNKNOWN:
        if store.endpoint_url:
            raise PostSupportUnknown
        return None
    if not store.post_signer_profile:
        raise PostNotSupported
    return post_signer(store)


def post_signer(store: Store) -> AccessKey:
    """The store's POST-signing identity: the key that its profile gives.

    What it signs reaches what the signature says and the identity may: one directory of one build.
    The key itself reaches every build of the bucket, so it never leaves this process.

    Raises PostSignerUnusable where the profile gives no key; where it gives a session's, which may
    end at any time; and where it gives the vendor's, which may do more. VendorCredentialsMissing
    where that cannot be compared.
    """
    found = _key_of(store.post_signer_profile)
    if found is None or found.token:
        raise _unusable(store, "it is missing or temporary")
    vendor = _key_of(None)
    if vendor is None:
        raise VendorCredentialsMissing
    if found.access_key == vendor.access_key:
        raise _unusable(store, "it is the vendor's")
    return AccessKey(access_key_id=found.access_key, secret_access_key=Secret(found.secret_key))


def _key_of(profile: str | None) -> Any:
    """What boto3 finds, frozen; None when it finds nothing or cannot read it."""
    try:
        credentials = _boto_session(profile).get_credentials()
        return credentials.get_frozen_credentials() if credentials else None
    except BotoCoreError as err:
        log.warning("credentials_not_found", profile=profile, error=type(err).__name__)
        return None


@lru_cache(maxsize=32)
def _boto_session(profile: str | None) -> boto3.session.Session:
    """Shared, since finding credentials costs tens of milliseconds. As the vendor's key, one that
    was replaced in its file is found when the process starts anew.
    """
    return boto3.session.Session(profile_name=profile)


def _unusable(store: Store, reason: str) -> PostSignerUnusable:
    profile = store.post_signer_profile
    log.error("post_signer_unusable", store=store.name, profile=profile, reason=reason)
    return PostSignerUnusable()
