"""The headers of a presigned PUT: each is signed, so it is sent as it is or the PUT is refused.

Pure. Beside what the client asked for they are those of a presigned POST, so that an object is the
same whichever way it came. `x-amz-checksum-sha256` is the hash in Base64; the store compares it
with what arrives (AWS S3 user guide, "Checking object integrity").
"""

import base64
from dataclasses import dataclass

from credentials.presigning.forms import CACHE_CONTROL, SURROGATE_KEY, Terms


@dataclass(frozen=True, kw_only=True)
class WantedFile:
    """A file to be uploaded. `key` is relative to the root, `sha256` in hexadecimal digits.

    None where the client has not said, and nothing is held to it.
    """

    key: str
    size: int | None = None
    sha256: str | None = None
    content_type: str | None = None


def put_headers(terms: Terms, file: WantedFile) -> dict[str, str]:
    """What has to be sent with a PUT of the file, host aside."""
    headers = {"Cache-Control": CACHE_CONTROL, SURROGATE_KEY: terms.surrogate_key}
    if terms.acl:
        headers["x-amz-acl"] = terms.acl
    if file.size is not None:
        headers["Content-Length"] = str(file.size)
    if file.content_type is not None:
        headers["Content-Type"] = file.content_type
    if file.sha256 is not None:
        checksum = base64.b64encode(bytes.fromhex(file.sha256))
        headers["x-amz-checksum-sha256"] = checksum.decode()
    return headers
