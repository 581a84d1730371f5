"""`python -m tests.bench.anonymous`: what a request costs that needs no key, and the worst ones.

One thread, inside one process, without a network; the password hasher and the cache are
production's. Of each row, other callers of the same thread wait as long as it says.
"""

import gc
import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import global_settings
from django.test import Client, client, override_settings
from jwt.utils import base64url_encode

from credentials.access import identity_tokens as verifying
from credentials.models import OidcIssuer
from credentials.rules.tokens import TokenKind, new_token
from ltdkeeper.middleware import GuardedRequest
from tests.bench.database import caller_of_a_product, fresh_database
from tests.bench.timing import measure, show
from tests.oidc.identities import github
from tests.oidc.issuer import public_jwk

ISSUER = "https://issuer.example.org"
MEGABYTE = 1024 * 1024
JSON = "application/json"
FORM = {"content_type": "application/x-www-form-urlencoded"}
PRODUCTION = {
    "PASSWORD_HASHERS": global_settings.PASSWORD_HASHERS,
    "CACHES": {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "ltdkeeper_cache",
        }
    },
    "LTD_METRICS_TOKEN": "only-for-tests",
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that needs no key; `count` times, so that the slow ones end too."""

    title: str
    path: str
    method: str = "GET"
    body: bytes = b""
    headers: dict[str, Any] = field(default_factory=dict)
    limit: int = 10**9
    count: int = 200

    def send(self, browser: Client) -> int:
        answer = browser.generic(
            self.method, self.path, self.body, **{"content_type": JSON} | self.headers
        )
        if answer.streaming:
            b"".join(answer.streaming_content)
        return answer.status_code


def calls(key: rsa.RSAPrivateKey) -> list[Call]:
    """`key` is not the issuer's."""
    return [*pages(), *headers(), *keys_and_passwords(), *identity_tokens(key)]


def pages() -> list[Call]:
    script = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    paths = ["/", "/livez", "/readyz", "/metrics", "/oidc/audience", "/openapi.json", "/docs/"]
    return [
        *(Call(title=f"GET {path}", path=path) for path in [*paths, "/admin/login/"]),
        Call(title="GET /admin, a redirect", path="/admin"),
        Call(title="static file of 1.4 MB", path=script),
        Call(title="no such address", path="/nowhere"),
        Call(title="no such address, 60 KB", path=f"/{'%ff' * 20_000}"),
    ]


def headers() -> list[Call]:
    worst = {
        "HTTP_AUTHORIZATION": "Basic " + "YTpi" * 15_000,
        "HTTP_COOKIE": 'a="' + '\\"' * 30_000 + '"',
        "CONTENT_TYPE": "text/html" + ";" * 60_000,
        "HTTP_HOST": "a." * 30_000,
        "HTTP_ACCEPT": "a/b," * 15_000,
        "HTTP_IF_NONE_MATCH": '"a",' * 15_000,
        "HTTP_X_FORWARDED_FOR": "1," * 30_000,
        "HTTP_USER_AGENT": "x" * 60_000,
    }
    sent = ((name, {name: value}) for name, value in worst.items())
    return [
        *(
            Call(title=f"60 KB of {name}", path="/openapi.json", headers=each)
            for name, each in sent
        ),
        Call(title="1000 parameters", path=f"/token?{'product=a&' * 999}"),
        Call(title="60 KB of query", path=f"/token?product={'%ff' * 20_000}"),
    ]


def keys_and_passwords() -> list[Call]:
    wrong = {"HTTP_AUTHORIZATION": f"Bearer {new_token(TokenKind.API_KEY).text.reveal()}"}
    body = b"username=a&password=b"
    login: dict[str, Any] = {"path": "/admin/login/", "method": "POST", "headers": FORM}
    part = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"
    parts = {"content_type": "multipart/form-data; boundary=x"}
    create: dict[str, Any] = {"path": "/products/", "method": "POST"}
    return [
        Call(title="no key", path="/token"),
        Call(title="wrong key", path="/token", headers=wrong),
        Call(title="wrong key, told to wait", path="/token", headers=wrong, limit=0),
        Call(title="1 MB of body, no key", **create, body=b"1" * MEGABYTE),
        Call(title="wrong password", **login, body=body, count=20),
        Call(title="wrong password, told to wait", **login, body=body, limit=0),
        Call(title="60 KB of form", **login, body=b"a=" + b"%ff" * 20_000, limit=0),
        Call(title="60 KB of parts", **login | {"headers": parts}, body=part * 1_000, limit=0),
    ]


def identity_tokens(key: rsa.RSAPrivateKey) -> list[Call]:
    forged = jwt.encode(github(ISSUER), key, "RS256", {"kid": "key"})
    strange = jwt.encode(github("https://else.example.org"), key, "RS256", {"kid": "key"})
    header = base64url_encode(b'{"alg":"RS256","kid":"key"}').decode()
    claims = base64url_encode(b'{"a":' + b"[" * 900 + b"{}," * 3_300 + b"1" + b"]" * 900 + b"}")
    bodies = {
        "not an identity token": {"token": "x"},
        "unknown issuer": {"token": strange},
        "forged signature": {"token": forged},
        "16 KB of nested claims": {"token": f"{header}.{claims.decode()}.AAAA"},
        "60 KB of token": {"token": "x" * 60_000},
        "60 KB of lists": {"token": [[]] * 15_000},
        "1 MB of lists": {"token": [[]] * 250_000},
        "60 KB of members": {f"a{number}": 1 for number in range(5_000)},
    }
    return [
        Call(title=title, path="/oidc/token", method="POST", body=json.dumps(body).encode())
        for title, body in bodies.items()
    ]


class Keys:
    """The issuer's keys, as if they had been fetched."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = jwt.PyJWK(public_jwk(key, "key"))

    def find(self, key_id: str) -> jwt.PyJWK:
        return self.key


def main() -> None:
    served, strangers = (rsa.generate_private_key(65537, 4096) for _ in range(2))
    client.WSGIRequest = GuardedRequest  # type: ignore[misc]
    verifying.keys_at = lambda url: Keys(served)  # type: ignore[assignment, return-value]
    with override_settings(**PRODUCTION), fresh_database():
        caller_of_a_product()
        OidcIssuer.objects.create(kind="github", issuer=ISSUER, jwks_url=f"{ISSUER}/keys")
        browser = Client(raise_request_exception=False, headers={"x-forwarded-proto": "https"})
        rows = []
        gc.freeze()  # as the server does
        for call in calls(strangers):
            with override_settings(LTD_FAILURES_A_MINUTE=call.limit):
                send = partial(call.send, browser)
                rows.append(measure(call.title, send, count=call.count, warm_up=2))
        show(rows)


if __name__ == "__main__":
    main()
