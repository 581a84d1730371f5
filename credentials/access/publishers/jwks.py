"""The public keys of an issuer: fetched from its one configured address, and kept for a while.

An issuer that hangs, or that sends without end, holds up a thread for seconds and then nobody for
a while. Nothing of this needs to be shared between processes: losing it costs a fetch.
"""

import http.client
import json
import ssl
import threading
import time
import urllib.request
from functools import lru_cache
from typing import Any
from urllib.error import URLError

import structlog
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWTError

from credentials.cooldown import Cooldown

TIMEOUT_SECONDS = 2.0
WHOLE_ANSWER_SECONDS = 4.0
WAIT_FOR_OTHERS_SECONDS = 3.0
MAX_ANSWER_BYTES = 256 * 1024
CHUNK_BYTES = 16 * 1024
# How long keys are used without looking again, and how long an unknown key id waits for that.
KEPT_SECONDS = 300.0
UNKNOWN_KEY_SECONDS = 30.0
FAILED_SECONDS = 10.0

log = structlog.get_logger(__name__)
cooldown = Cooldown(seconds=FAILED_SECONDS)


class KeysUnavailable(Exception):
    """The issuer's keys could not be fetched; trying again later may help."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is an error: only the configured address is fetched."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class IssuerKeys(PyJWKClient):
    """PyJWT's client, which keeps the keys, with a fetch of our own: https only, limited in size
    and time, and left alone for a while after it failed.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name private authorities, as everywhere in OpenSSL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(
            url,
            cache_jwk_set=True,
            lifespan=KEPT_SECONDS,
            cooldown_duration=UNKNOWN_KEY_SECONDS,
        )
        self._turn = threading.Lock()
        context = ssl.create_default_context()
        https = urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(_NoRedirects(), https)

    def find(self, key_id: str) -> PyJWK | None:
        """The signing key of an id; None when the issuer has none. Raises KeysUnavailable."""
        if self._turn.locked() and cooldown.is_on(self.uri):
            raise KeysUnavailable  # somebody waited for this fetch in vain already
        if not self._turn.acquire(timeout=WAIT_FOR_OTHERS_SECONDS):
            cooldown.begin(self.uri)
            raise KeysUnavailable
        try:
            return self.get_signing_key(key_id)
        except PyJWTError:
            return None
        finally:
            self._turn.release()

    def fetch_data(self) -> PyJWKSet:
        """The keys as they are at the address now. Raises KeysUnavailable."""
        if cooldown.is_on(self.uri):
            raise KeysUnavailable
        try:
            found = PyJWKSet.from_dict(json.loads(self._answer()))
        except FETCH_FAILURES as err:
            cooldown.begin(self.uri)
            reason = getattr(err, "reason", err)
            log.warning("jwks_unavailable", url=self.uri, reason=type(reason).__name__)
            raise KeysUnavailable from None
        self._last_successful_fetch = time.monotonic()
        return found

    def _answer(self) -> bytes:
        if not self.uri.startswith("https://"):
            raise ValueError("keys come over https only")
        give_up = time.monotonic() + WHOLE_ANSWER_SECONDS
        headers = {"Accept": "application/json", "User-Agent": "ltdkeeper"}
        request = urllib.request.Request(self.uri, headers=headers)  # noqa: S310 - https, see above
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            answer = bytearray()
            while chunk := response.read1(CHUNK_BYTES):
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise ValueError("the answer is too long")
                if time.monotonic() > give_up:
                    raise TimeoutError
            return bytes(answer)


# A document that cannot be read as keys raises any of the latter.
FETCH_FAILURES = (
    URLError,
    OSError,
    http.client.HTTPException,
    PyJWTError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)


_making = threading.Lock()


def keys_at(url: str) -> IssuerKeys:
    """The keys at an address, shared by the threads of this process."""
    with _making:  # the cache alone lets threads that come at once make one each
        return _kept(url)


@lru_cache(maxsize=64)
def _kept(url: str) -> IssuerKeys:
    return IssuerKeys(url)
