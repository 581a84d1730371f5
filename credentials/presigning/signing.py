"""Signature version 4 for POSTs and PUTs, with botocore's own signers and no client.

A client per build's session costs milliseconds, one signature tens of microseconds
(`tests/bench/presigning.py`). Nothing here calls a store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from botocore.auth import S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from credentials.presigning.forms import Form
from credentials.sts import AssumedSession

UNESCAPED = "/-_.~"


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
        """The fields of a form with the policy and its signature."""
        request = AWSRequest(method="POST", url=self.bucket_url)
        request.context["s3-presign-post-fields"] = dict(form.fields)
        request.context["s3-presign-post-policy"] = {
            "expiration": f"{self.expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "conditions": list(form.conditions),
        }
        S3SigV4PostAuth(self._credentials, "s3", self.region).add_auth(request)
        fields: dict[str, str] = request.context["s3-presign-post-fields"]
        return fields

    def sign_url(
        self, *, key: str, headers: Mapping[str, str], now: datetime, method: str = "PUT"
    ) -> str:
        """The address to which a request with exactly these headers may be sent."""
        url = f"{self.bucket_url.rstrip('/')}/{quote(key, safe=UNESCAPED)}"
        request = AWSRequest(method=method, url=url, headers=dict(headers))
        seconds = int((self.expires_at - now).total_seconds())
        S3SigV4QueryAuth(self._credentials, "s3", self.region, expires=seconds).add_auth(request)
        return str(request.url)

    @property
    def _credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials(
            self.session.access_key_id,
            self.session.secret_access_key.reveal(),
            self.session.session_token.reveal() or None,
        )
