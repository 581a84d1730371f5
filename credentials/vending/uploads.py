"""Objects that come through this service, for runners that reach no store.

The client's bytes are forwarded to the store as they arrive, in constant memory, with a presigned
PUT that a session of the build signed: an upload reaches what a session reaches. The last part is
forwarded only if the whole matches the announced checksums, so a store never gets an object that
arrived damaged or in part. The number of concurrent uploads in a process is limited, because
issuing needs its threads too.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import chain
from threading import BoundedSemaphore
from typing import Any, Protocol
from urllib.parse import urlsplit

import structlog
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.httpsession import URLLib3Session
from botocore.session import get_session
from botocore.utils import get_environ_proxies
from django.conf import settings

from builds.errors import DomainError
from builds.models import Store
from credentials.access.callers import Caller, Origin
from credentials.access.rights import owned_build
from credentials.errors import (
    ChecksumMismatch,
    ObjectNotStored,
    StoreUnreachable,
    TooManyUploads,
    UploadsOff,
    UploadTruncated,
)
from credentials.models import Delivery, IssuedSession
from credentials.rules.object_names import check_files
from credentials.rules.presigned_forms import WantedFile, put_headers
from credentials.vending.presigning import signer_of, terms_of
from credentials.vending.serving import give_back_connections, session_to_sign
from credentials.vending.signing import bucket_url
from credentials.vending.store_errors import UNREACHABLE

CHUNK_BYTES = 256 * 1024
CONNECT_SECONDS, READ_SECONDS = 1.0, 30.0
STORED, SERVER_ERROR = 200, 500
LONGEST_ERROR = 4096

_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")

log = structlog.get_logger(__name__)


class Body(Protocol):
    """What a client sends, to be read once."""

    def read(self, size: int, /) -> bytes: ...


def put_object(
    *, caller: Caller, build_id: int, file: WantedFile, body: Body, origin: Origin, now: datetime
) -> IssuedSession:
    """Store a file of the caller's open build; the session with which it was stored.

    Raises UploadsOff, TooManyUploads, BadFile, ChecksumMismatch, UploadTruncated, StoreUnreachable,
    ObjectNotStored, and as `issue_session` does.
    """
    with _turn():
        build = owned_build(caller=caller, build_id=build_id)
        check_files([file.key], root_bytes=len(build.root))
        vended = session_to_sign(
            caller=caller, build=build, delivery=Delivery.UPLOAD, origin=origin, now=now
        )
        store, terms = build.product.store, terms_of(build)
        address = bucket_url(store, endpoint_url=store.endpoint_url)
        signer = replace(signer_of(vended), bucket_url=address)
        headers = put_headers(terms, file)
        url = signer.sign_url(key=f"{terms.root}/{file.key}", headers=headers, now=now)
        give_back_connections()  # others need them more while this thread waits for the network
        _send(store, url, headers, checked_chunks(body, file))
        return vended.row


@contextmanager
def _turn() -> Iterator[None]:
    """One of the uploads that may be under way at once."""
    if not settings.LTD_PROXY_UPLOADS:
        raise UploadsOff
    turns = _turns(settings.LTD_PROXY_UPLOADS)
    if not turns.acquire(blocking=False):
        raise TooManyUploads
    try:
        yield
    finally:
        turns.release()


@cache
def _turns(at_once: int) -> BoundedSemaphore:
    return BoundedSemaphore(at_once)


def checked_chunks(body: Body, file: WantedFile) -> Iterator[bytes]:
    """The body in parts. Raises ChecksumMismatch and UploadTruncated before the last one."""
    hashes = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    wanted = {name: value for name in hashes if (value := getattr(file, name)) is not None}
    left = file.size or 0
    while left:
        chunk = _read(body, min(CHUNK_BYTES, left))
        left -= len(chunk)
        for name in wanted:
            hashes[name].update(chunk)
        if left:
            yield chunk
    if differing := [name for name in wanted if hashes[name].hexdigest() != wanted[name]]:
        raise ChecksumMismatch(differing)
    if file.size:
        yield chunk


def _read(body: Body, size: int) -> bytes:
    try:
        if chunk := body.read(size):
            return chunk
    except OSError as err:
        log.info("upload_broke_off", error=type(err).__name__)
    raise UploadTruncated


def _send(store: Store, url: str, headers: dict[str, str], chunks: Iterator[bytes]) -> None:
    """PUT the parts. The first is there before the store is called: most files have no other."""
    body = chain([first] if (first := next(chunks, b"")) else [], chunks)
    make_request: Any = AWSPreparedRequest  # its types know no iterables
    request = make_request("PUT", url, HeadersDict(headers), body, stream_output=False)
    scheme, host, *_ = urlsplit(url)
    try:
        answer = http_session(f"{scheme}://{host}").send(request)
    except UNREACHABLE as err:
        if isinstance(err.__context__, DomainError):  # of a later part
            raise err.__context__ from None
        log.warning("store_unreachable", store=store.name, error=type(err).__name__)
        raise StoreUnreachable from None
    if answer.status_code >= SERVER_ERROR:
        log.warning("object_not_stored", store=store.name, status=answer.status_code)
        raise StoreUnreachable
    if answer.status_code != STORED:
        code = _CODE.search(answer.content[:LONGEST_ERROR])
        told = code[1].decode() if code else ""
        log.warning("object_not_stored", store=store.name, status=answer.status_code, code=told)
        raise ObjectNotStored(answer.status_code, told)


@cache
def http_session(address: str) -> URLLib3Session:
    """Kept connections to a store; proxies and authorities are those of botocore's clients."""
    make_session: Any = URLLib3Session
    bundle = get_session().get_config_variable("ca_bundle")
    session: URLLib3Session = make_session(
        verify=bundle or True,
        proxies=get_environ_proxies(address),
        timeout=(CONNECT_SECONDS, READ_SECONDS),
        max_pool_connections=settings.LTD_PROXY_UPLOADS,
    )
    return session
