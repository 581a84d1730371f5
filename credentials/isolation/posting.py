"""Whether a store takes a presigned POST that a limited session signed: stored and read back.

A status alone proves nothing: Ceph 16 answers 204 to such a POST and stores nothing (measured on
16.2.15). A store that does not take them is no less isolated, so this is no part of the verdict.
"""

import os
import uuid
from typing import Any

import structlog
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.filepost import encode_multipart_formdata

from builds.models import Store
from credentials.isolation.calls import BODY, Scene
from credentials.issuing import VendedSession
from credentials.presigning.addresses import bucket_url
from credentials.presigning.forms import file_form
from credentials.presigning.posts import terms_of
from credentials.presigning.signing import Signer
from credentials.session_clients import SOMEBODY_WAITS
from credentials.sts_errors import CALL_FAILED, loggable

SERVER_ERROR = 500

log = structlog.get_logger(__name__)


def note_post_support(*, store: Store, scene: Scene) -> None:
    """Try it, and note on the store what was found; nothing is noted when that stays open."""
    try:
        found = _try_post(scene)
    except CALL_FAILED as err:
        log.warning("post_not_tried", store=store.name, error=loggable(err))
        return
    if found is not None:
        store.post_support = found
        store.save(update_fields=["post_support"])


def _try_post(scene: Scene) -> Store.PostSupport | None:
    name = f"posted-{uuid.uuid4().hex}"
    key = f"{scene.own.root}/{name}"
    scene.written.append(key)
    status = _post(scene.session, name)
    page = scene.s3.list_objects_v2(Bucket=scene.bucket, Prefix=key, MaxKeys=1)
    stored = [(found["Key"], found["Size"]) for found in page.get("Contents", [])]
    is_stored = stored == [(key, len(BODY))]
    log.info("post_tried", store=scene.store.name, status=status, stored=is_stored)
    if is_stored:
        return Store.PostSupport.WORKS
    return None if status >= SERVER_ERROR else Store.PostSupport.BROKEN


def _post(vended: VendedSession, name: str) -> int:
    """Send a file as LTD clients do; the status of the answer."""
    store = vended.build.product.store
    url = bucket_url(store, endpoint_url=store.endpoint_url)
    signer = Signer(
        session=vended.assumed,
        region=store.region,
        bucket_url=url,
        expires_at=vended.assumed.expires_at,
    )
    fields = signer.sign_post(file_form(terms_of(vended.build), "/"))
    parts: list[Any] = [*fields.items(), ("Content-Type", "text/plain")]
    body, content_type = encode_multipart_formdata([*parts, ("file", (name, BODY, "text/plain"))])
    request = AWSRequest(
        method="POST", url=url, data=body, headers={"Content-Type": content_type}
    ).prepare()
    options: dict[str, Any] = {
        "verify": os.environ.get("AWS_CA_BUNDLE") or True,
        "proxies": get_environ_proxies(url),
        "timeout": (SOMEBODY_WAITS.connect_seconds, SOMEBODY_WAITS.read_seconds),
    }
    http = URLLib3Session(**options)
    try:
        return int(http.send(request).status_code)
    finally:
        http.close()
