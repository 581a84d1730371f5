"""A client of the service, over HTTP: what a CI job does, and what it must not get away with."""

from dataclasses import dataclass
from typing import Any

import requests

from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey

TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class RegisteredBuild:
    """A build as the service told of it."""

    url: str
    slug: str
    bucket: str
    root: str


class Uploader:
    """Calls the service with one client's API key. `call` answers whatever the status is."""

    def __init__(self, url: str, *, api_key: str, store: str) -> None:
        self.url = url
        self._store = store
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy, no .netrc: the address is this machine's
        self.authorization = {"Authorization": f"Bearer {api_key}"}
        self._http.headers.update(self.authorization)

    def close(self) -> None:
        self._http.close()

    def for_job(self, product: str) -> "Uploader":
        """Another client, with a token of its own for one job."""
        made = self._made("GET", f"/token?format=json&product={product}", None)
        return Uploader(self.url, api_key=made["token"], store=self._store)

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = path if path.startswith("http") else f"{self.url}{path}"
        return self._http.request(method, url, json=body, timeout=TIMEOUT_SECONDS)

    def create_product(self, slug: str) -> None:
        self._made("POST", "/products/", {"slug": slug, "store": self._store})

    def register(self, product: str, slug: str | None = None) -> RegisteredBuild:
        body = {"git_refs": ["main"], "slug": slug}
        return build_in(self._made("POST", f"/products/{product}/builds/", body))

    def ask(self, build: RegisteredBuild, **body: Any) -> requests.Response:
        """Ask for a build's credentials."""
        return self.call("POST", f"{build.url}/credentials", body)

    def session(self, build: RegisteredBuild, **body: Any) -> AccessKey:
        """Be given a build's credentials."""
        return key_in(self._made("POST", f"{build.url}/credentials", body))

    def finish(self, build: RegisteredBuild) -> dict[str, Any]:
        return self._made("PATCH", build.url, {"uploaded": True, "empty": True})

    def _made(self, method: str, path: str, body: Any) -> dict[str, Any]:
        answer = self.call(method, path, body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        made: dict[str, Any] = answer.json()
        return made


def build_in(answer: dict[str, Any]) -> RegisteredBuild:
    """The build in an answer of the service."""
    return RegisteredBuild(
        url=answer["self_url"],
        slug=answer["slug"],
        bucket=answer["bucket_name"],
        root=answer["bucket_root_dir"],
    )


def key_in(answer: dict[str, Any]) -> AccessKey:
    """The session in an answer of the service, or in STS's."""
    return AccessKey(
        access_key_id=answer["AccessKeyId"],
        secret_access_key=Secret(answer["SecretAccessKey"]),
        session_token=Secret(answer["SessionToken"]),
    )
