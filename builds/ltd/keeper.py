"""Read a running LTD Keeper over HTTP: products, their builds, each build.

Only the host that was named is asked, whatever addresses its answers hold, and no token is sent:
LTD Keeper lets everybody read.
"""

from collections.abc import Iterator
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
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise ValueError("not an address such as https://keeper.example.org")
        self._url = url.rstrip("/")
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=urllib3.Retry(
                total=FURTHER_ATTEMPTS,
                redirect=False,
                status_forcelist=PASSING,
                backoff_factor=BACKOFF_SECONDS,
                raise_on_status=False,
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
        following, asked = path, set[str]()
        while following:
            if following in asked:
                raise KeeperAnswerError(f"GET {path}: its pages go in a circle.")
            asked.add(following)
            document = self._get(following)
            if not isinstance(document, dict) or not isinstance(document.get(name), list):
                raise KeeperAnswerError(f"GET {path}: the answer has no list of {name}.")
            try:
                yield from map(last_part, document[name])
            except DocumentError as err:
                raise KeeperAnswerError(f"GET {path}: {err}.") from err
            query = urlsplit(str(document.get("next") or "")).query
            following = f"{path}?{query}" if query else ""

    def _get(self, path: str) -> Any:
        try:
            answer = self._http.request("GET", f"{self._url}{path}")
        except HTTPError as err:
            raise KeeperUnreachableError(f"GET {self._url}{path}: {_reason(err)}.") from err
        if answer.status != SUCCESS:
            location = answer.headers.get("Location", "")
            hint = f" It points to {location}." if location else ""
            raise KeeperAnswerError(f"GET {path}: status {answer.status}.{hint}")
        try:
            return orjson.loads(answer.data)
        except orjson.JSONDecodeError as err:
            raise KeeperAnswerError(f"GET {path}: the answer is not JSON.") from err


def _reason(err: HTTPError) -> str:
    """The name of what went wrong, not of the attempts that it was tried in."""
    return type(getattr(err, "reason", None) or err).__name__
