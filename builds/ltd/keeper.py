"""Read a running LTD Keeper over HTTP: products, their builds, each build.

Only the host that was named is asked, whatever addresses its answers hold, and no token is sent:
LTD Keeper lets everybody read.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import urllib3
from urllib3.exceptions import HTTPError

from builds.ltd.documents import (
    DocumentError,
    KeeperBuild,
    KeeperProduct,
    last_part,
    read_build,
    read_product,
)

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
# For one answer with all attempts at it, however slowly its bytes come.
WHOLE_SECONDS = 180.0
# What is unpacked counts, not what is sent.
MOST_BYTES = 8 * 2**20
CHUNK_BYTES = 2**16
# A list of more is taken for one without end.
MOST_PAGES, MOST_NAMES = 2000, 1_000_000
QUERY_LENGTH = 2048
FURTHER_ATTEMPTS = 3
BACKOFF_SECONDS = 0.5
PASSING = (429, 502, 503, 504)
SUCCESS = 200


class KeeperUnreachableError(Exception):
    """It did not answer, even after some attempts; the message says what was tried."""


class KeeperAnswerError(Exception):
    """It answered, but not with what was asked for; the message says with what."""


class Keeper:
    """An LTD Keeper at an address such as `https://keeper.example.org`. Use as context manager.

    Raises ValueError for what is no http(s) address. All calls raise KeeperUnreachableError and
    KeeperAnswerError.
    """

    def __init__(self, url: str) -> None:
        if not _is_address(url):
            raise ValueError("not an address such as https://keeper.example.org")
        self._url = url.rstrip("/")
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=urllib3.Retry(
                total=FURTHER_ATTEMPTS,
                redirect=False,
                backoff_factor=BACKOFF_SECONDS,
                respect_retry_after_header=False,
            ),
            headers={"Accept": "application/json", "User-Agent": "ltdkeeper import_ltd"},
        )

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.clear()

    def product_slugs(self) -> list[str]:
        """The slugs of all products."""
        return list(self._listed("/products/", "products"))

    def product(self, slug: str) -> KeeperProduct:
        """One product."""
        path = f"/products/{quote(slug, safe='')}"
        try:
            return read_product(self._get(path))
        except DocumentError as err:
            raise KeeperAnswerError(f"GET {path}: {err}.") from err

    def build_ids(self, slug: str) -> list[str]:
        """The ids of all builds of a product; they are not their slugs."""
        return list(self._listed(f"/products/{quote(slug, safe='')}/builds/", "builds"))

    def build(self, build_id: str) -> KeeperBuild:
        """One build."""
        path = f"/builds/{quote(build_id, safe='')}"
        try:
            return read_build(self._get(path))
        except DocumentError as err:
            raise KeeperAnswerError(f"GET {path}: {err}.") from err

    def _listed(self, path: str, name: str) -> Iterator[str]:
        """LTD Keeper lists everything at once; others with its API say where the `next` page is."""
        following, asked, names = path, set[str](), 0
        while following:
            if following in asked:
                raise KeeperAnswerError(f"GET {path}: its pages go in a circle.")
            if len(asked) == MOST_PAGES or names > MOST_NAMES:
                raise KeeperAnswerError(f"GET {path}: the list has no end.")
            asked.add(following)
            document = self._get(following)
            if not isinstance(document, dict) or not isinstance(document.get(name), list):
                raise KeeperAnswerError(f"GET {path}: the answer has no list of {name}.")
            try:
                yield from map(last_part, document[name])
            except DocumentError as err:
                raise KeeperAnswerError(f"GET {path}: {err}.") from err
            names += len(document[name])
            following = _following(path, document.get("next"))

    def _get(self, path: str) -> Any:
        try:
            with _at_most(WHOLE_SECONDS):
                body = self._body(path)
        except HTTPError as err:
            raise KeeperUnreachableError(f"GET {self._url}{path}: {_reason(err)}.") from err
        except _TooSlow as err:
            message = f"GET {self._url}{path}: no whole answer within {WHOLE_SECONDS:.0f} s."
            raise KeeperUnreachableError(message) from err
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as err:
            raise KeeperAnswerError(f"GET {path}: the answer is not JSON.") from err

    def _body(self, path: str) -> bytes:
        answer = self._answer(path)
        try:
            if answer.status != SUCCESS:
                location = answer.headers.get("Location", "")
                hint = f" It points to {location}." if location else ""
                raise KeeperAnswerError(f"GET {path}: status {answer.status}.{hint}")
            body = bytearray()
            while chunk := answer.read1(CHUNK_BYTES):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise KeeperAnswerError(f"GET {path}: more than {MOST_BYTES} bytes.")
            answer.release_conn()
            return bytes(body)
        finally:
            answer.close()

    def _answer(self, path: str) -> urllib3.BaseHTTPResponse:
        """The answer, its body unread. What fails in passing is asked again here: urllib3 would
        first read all of the answer that it drops.
        """
        for attempt in range(FURTHER_ATTEMPTS + 1):
            if attempt:
                time.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))
            answer = self._http.request("GET", f"{self._url}{path}", preload_content=False)
            if answer.status not in PASSING:
                break
            answer.close()
        return answer


class _TooSlow(Exception):
    """Raised in the middle of a call; nothing of urllib3 takes it for a failure to try again."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises _TooSlow when the body takes longer: time-outs of a socket begin anew at every byte.

    By the alarm of the main thread, in which commands run; elsewhere nothing is limited.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_address(url: str) -> bool:
    """Without user and password, which would be in every message."""
    try:
        parts = urlsplit(url)
        is_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    has_more = parts.query or parts.fragment or parts.username is not None
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_port and not has_more


def _following(path: str, address: Any) -> str:
    """The path of the next page, or nothing."""
    try:
        query = urlsplit(str(address or "")).query
    except ValueError:
        query = " "
    if len(query) > QUERY_LENGTH or not query.isprintable() or " " in query:
        raise KeeperAnswerError(f"GET {path}: the address of its next page is not one.")
    return f"{path}?{query}" if query else ""


def _reason(err: HTTPError) -> str:
    """The name of what went wrong, not of the attempts that it was tried in."""
    return type(getattr(err, "reason", None) or err).__name__
