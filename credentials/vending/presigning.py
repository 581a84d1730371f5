"""Presigned POSTs for directories of a build, and presigned PUTs for its single files."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from builds.errors import DomainError
from builds.models import Build, Product, Store
from builds.names import ULID_LENGTH, build_root
from credentials.access.callers import Caller, Origin
from credentials.access.registrations import delete_registered_build, register_owned_build
from credentials.access.rights import owned_build
from credentials.models import Delivery
from credentials.rules.object_names import check_directories, check_files
from credentials.rules.presigned_forms import (
    Terms,
    WantedFile,
    directory_form,
    file_form,
    put_headers,
)
from credentials.vending.issuing import VendedSession
from credentials.vending.serving import session_to_sign
from credentials.vending.signing import Signer, bucket_url, signer_for_posts
from credentials.vending.store_clients import AccessKey

CLOSED = "The build that was just registered is deleted: register again."
WAITS = "The build is registered: request its POSTs with POST /builds/{}/presigned-posts."


@dataclass(frozen=True, kw_only=True)
class SignedPosts:
    """Two POSTs for each directory that was asked for, by exactly its name: the fields to send to
    the address in front of the file.
    """

    session_id: str
    expires_at: datetime
    url: str
    files: Mapping[str, Mapping[str, str]]
    directories: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class SignedPut:
    """An address, and the headers that have to be sent with a PUT to it, as they are."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SignedPuts:
    """A PUT for each file that was asked for, by exactly its key."""

    session_id: str
    expires_at: datetime
    files: Mapping[str, SignedPut]


def presign_posts(
    *, caller: Caller, build_id: int, directories: Sequence[str], origin: Origin, now: datetime
) -> SignedPosts:
    """POSTs for some directories of the caller's open build.

    Raises BadDirectory, PostNotSupported, PostSignerUnusable, and as `issue_session` does.
    """
    build = owned_build(caller=caller, build_id=build_id)
    check_directories(directories, root_bytes=len(build.root))
    signer = signer_for_posts(build.product.store)
    return _sign(caller, build, directories, origin, now, signer)


def register_build_with_posts(
    *,
    caller: Caller,
    product: Product,
    directories: Sequence[str],
    origin: Origin,
    now: datetime,
    slug: str | None,
    **fields: Any,
) -> tuple[Build, SignedPosts]:
    """A new build and the POSTs for its directories, or neither: without them it is deleted.

    But one whose slug was chosen is left open, since nobody could have the slug again.

    Raises as `register_owned_build` and `presign_posts` do.
    """
    root = build_root(product.slug, slug or "x" * ULID_LENGTH)
    check_directories(directories, root_bytes=len(root))
    signer = signer_for_posts(product.store)
    build = register_owned_build(caller=caller, product=product, slug=slug, now=now, **fields)
    with ExitStack() as undo:
        if slug is None:
            undo.callback(delete_registered_build, build_id=build.pk, now=now)
        try:
            posts = _sign(caller, build, directories, origin, now, signer)
        except DomainError as err:
            what = CLOSED if slug is None else WAITS.format(build.pk)
            err.message = f"{err.message} {what}"
            raise
        undo.pop_all()
    return build, posts


def _sign(
    caller: Caller,
    build: Build,
    directories: Sequence[str],
    origin: Origin,
    now: datetime,
    key: AccessKey | None,
) -> SignedPosts:
    vended = session_to_sign(
        caller=caller, build=build, delivery=Delivery.POST, origin=origin, now=now, signer=key
    )
    signer, terms = signer_of(vended), terms_of(vended.build)
    return SignedPosts(
        session_id=vended.row.pk,
        expires_at=signer.expires_at,
        url=signer.bucket_url,
        files={name: signer.sign_post(file_form(terms, name)) for name in directories},
        directories={name: signer.sign_post(directory_form(terms, name)) for name in directories},
    )


def signer_of(vended: VendedSession) -> Signer:
    """Who signs for a build: until the session ends, and no longer than the build is open."""
    store = vended.build.product.store
    return Signer(
        session=vended.assumed,
        region=store.region,
        bucket_url=bucket_url(store, endpoint_url=store.client_endpoint_url),
        expires_at=min(vended.assumed.expires_at, vended.build.open_until),
    )


def terms_of(build: Build) -> Terms:
    """What every presigned request of a build has in common."""
    mode = build.product.store.acl_mode
    return Terms(
        bucket=build.bucket_name,
        root=build.root,
        surrogate_key=build.surrogate_key,
        max_bytes=settings.LTD_POST_MAX_BYTES,
        acl="" if mode == Store.ACLMode.NONE else mode,
    )


def presign_puts(
    *, caller: Caller, build_id: int, files: Sequence[WantedFile], origin: Origin, now: datetime
) -> SignedPuts:
    """PUTs for some files of the caller's open build.

    Raises BadFile, and as `issue_session` does.
    """
    build = owned_build(caller=caller, build_id=build_id)
    check_files([file.key for file in files], root_bytes=len(build.root))
    vended = session_to_sign(
        caller=caller, build=build, delivery=Delivery.URL, origin=origin, now=now
    )
    signer, terms = signer_of(vended), terms_of(vended.build)

    def signed(file: WantedFile) -> SignedPut:
        headers = put_headers(terms, file)
        key = f"{terms.root}/{file.key}"
        return SignedPut(url=signer.sign_url(key=key, headers=headers, now=now), headers=headers)

    return SignedPuts(
        session_id=vended.row.pk,
        expires_at=signer.expires_at,
        files={file.key: signed(file) for file in files},
    )
