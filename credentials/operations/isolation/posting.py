"""Requests that are signed in advance: their addresses (GET, PUT, DELETE) and forms (POST).

Also whether a store takes a presigned POST that a limited session signed: stored and read back.
A status alone proves nothing: Ceph 16 responds 204 to such a POST and stores nothing (measured on
16.2.15). A store that does not take them is no less isolated, so this is no part of the verdict.
"""

import os
import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from django.utils import timezone
from urllib3.filepost import encode_multipart_formdata

from builds.models import Store
from credentials.rules.presigned_forms import file_form
from credentials.vending.issuing import VendedSession
from credentials.vending.presigning import terms_of
from credentials.vending.signing import Signer, bucket_url
from credentials.vending.store_clients import ONE_CALL
from credentials.vending.store_errors import CALL_FAILED, loggable

if TYPE_CHECKING:
    from credentials.operations.isolation.calls import Scene

BODY = b"isolation check"
REDIRECT, SERVER_ERROR = 300, 500

log = structlog.get_logger(__name__)


def note_post_support(*, store: Store, scene: "Scene") -> None:
    """Try it, and note on the store what was found; nothing is noted when that stays open, or
    of a store that has become another one meanwhile.
    """
    try:
        found = _try_post(scene)
    except CALL_FAILED as err:
        log.warning("post_not_tried", store=store.name, error=loggable(err))
        return
    if found is not None:
        place = {name: getattr(store, name) for name in Store.ENDPOINT_FIELDS}
        if Store.objects.filter(pk=store.pk, **place).update(post_support=found):
            store.post_support = found
    scene.takes_posts = found is not Store.PostSupport.BROKEN


def _try_post(scene: "Scene") -> Store.PostSupport | None:
    name = f"posted-{uuid.uuid4().hex}"
    key = f"{scene.own.root}/{name}"
    scene.written.append(key)
    status = post_file(scene.session, root=scene.own.root, name=name).status_code
    page = scene.s3.list_objects_v2(Bucket=scene.bucket, Prefix=key, MaxKeys=1)
    stored = [(found["Key"], found["Size"]) for found in page.get("Contents", [])]
    is_stored = stored == [(key, len(BODY))]
    log.info("post_tried", store=scene.store.name, status=status, stored=is_stored)
    if is_stored:
        return Store.PostSupport.WORKS
    return None if status >= SERVER_ERROR else Store.PostSupport.BROKEN


def post_file(vended: VendedSession, *, root: str, name: str) -> AWSResponse:
    """Send a file as LTD clients do, right below a root that need not be the session's own."""
    signer, terms = _signer(vended), replace(terms_of(vended.build), root=root)
    fields = signer.sign_post(file_form(terms, "/"))
    parts: list[Any] = [*fields.items(), ("Content-Type", "text/plain")]
    body, content_type = encode_multipart_formdata([*parts, ("file", (name, BODY, "text/plain"))])
    return _send("POST", signer.bucket_url, data=body, headers={"Content-Type": content_type})


def send_presigned(vended: VendedSession, method: str, key: str) -> AWSResponse:
    """Send a request to an address that was signed for it alone."""
    url = _signer(vended).sign_url(method=method, key=key, headers={}, now=timezone.now())
    return _send(method, url, data=BODY if method == "PUT" else b"", headers={})


def require_success(answer: AWSResponse) -> AWSResponse:
    """Raises ClientError, as boto3's own methods do."""
    if answer.status_code < REDIRECT:
        return answer
    code = re.search(rb"<Code>(\w+)</Code>", answer.content or b"")
    raise refusal(answer.status_code, code.group(1).decode() if code else "")


def refusal(status: int, code: str) -> ClientError:
    """What boto3 would raise of such a response."""
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "IsolationCheck")


def _signer(vended: VendedSession) -> Signer:
    store = vended.build.product.store
    return Signer(
        session=vended.assumed,
        region=store.region,
        bucket_url=bucket_url(store, endpoint_url=store.endpoint_url),
        expires_at=vended.assumed.expires_at,
    )


def _send(method: str, url: str, *, data: bytes, headers: dict[str, str]) -> AWSResponse:
    request = AWSRequest(method=method, url=url, data=data, headers=headers).prepare()
    options: dict[str, Any] = {
        "verify": os.environ.get("AWS_CA_BUNDLE") or True,
        "proxies": get_environ_proxies(url),
        "timeout": (ONE_CALL.connect_seconds, ONE_CALL.read_seconds),
    }
    http = URLLib3Session(**options)
    try:
        return http.send(request)
    finally:
        http.close()
