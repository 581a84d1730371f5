"""Presigned PUTs for single files of a build: for clients with nothing but an HTTP client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from credentials.access.callers import Caller
from credentials.access.origins import Origin
from credentials.access.ownership import owned_build
from credentials.models import Delivery
from credentials.presigning.errors import BadFile
from credentials.presigning.headers import WantedFile, put_headers
from credentials.presigning.keys import BadNameError, check_files
from credentials.presigning.posts import signer_of, terms_of
from credentials.presigning.sessions import session_to_sign


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


def presign_puts(
    *, caller: Caller, build_id: int, files: Sequence[WantedFile], origin: Origin, now: datetime
) -> SignedPuts:
    """PUTs for some files of the caller's open build.

    Raises BadFile, and as `issue_session` does.
    """
    build = owned_build(caller=caller, build_id=build_id)
    try:
        check_files([file.key for file in files], root_bytes=len(build.root))
    except BadNameError as err:
        raise BadFile(f"files: {err}") from err
    vended = session_to_sign(
        caller=caller, build_id=build_id, delivery=Delivery.URL, origin=origin, now=now
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
