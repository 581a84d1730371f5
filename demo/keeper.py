"""The service's HTTP interface, as a CI job uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from demo.errors import DemoError

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A session for one build. `expiration` is the text of the answer."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: str
    session_id: str


@dataclass(frozen=True, kw_only=True)
class Build:
    """A registered build: its address, and where its files go."""

    url: str
    slug: str
    bucket: str
    root: str


class Keeper:
    """Calls the service with a client's API key. Raises DemoError on any unexpected answer."""

    def __init__(
        self, url: str, *, client: str, api_key: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy, no .netrc: the address is this machine's
        self._http.auth = (client, api_key)
        self._http.headers.update(headers or {})

    def create_product(self, slug: str, *, store: str, title: str) -> None:
        """Make a product; one of that name that exists already will do."""
        body = {"slug": slug, "store": store, "title": title, "doc_repo": ""}
        self._call("POST", f"{self.url}/products/", body, expected={201, 409})

    def register_build(self, product: str) -> Build:
        url = f"{self.url}/products/{product}/builds/"
        made = self._call("POST", url, {"git_refs": ["main"]}, expected={201})
        return Build(
            url=made["self_url"],
            slug=made["slug"],
            bucket=made["bucket_name"],
            root=made["bucket_root_dir"],
        )

    def credentials_for(self, build: Build) -> Credentials:
        made = self._call("POST", f"{build.url}/credentials", None, expected={200, 201})
        return Credentials(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
            session_token=made["SessionToken"],
            expiration=made["Expiration"],
            session_id=made["session_id"],
        )

    def finish_build(self, build: Build) -> dict[str, Any]:
        """The finished build as the service shows it, with the objects and bytes it counted."""
        return self._call("PATCH", build.url, {"uploaded": True}, expected={200})

    def _call(self, method: str, url: str, body: Any, *, expected: set[int]) -> dict[str, Any]:
        try:
            answer = self._http.request(method, url, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise DemoError(f"{method} {url}: {error}") from error
        if answer.status_code not in expected:
            raise DemoError(f"{method} {url} answered {answer.status_code}: {answer.text[:500]}")
        found: dict[str, Any] = answer.json()
        return found
