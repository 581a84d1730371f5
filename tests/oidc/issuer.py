"""A CI provider on loopback: signs identity tokens, and serves its keys over TLS.

It is a server of its own with a certificate of a private authority, and it notes every request.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

JWKS_PATH = "/.well-known/jwks"
RSA_BITS = 2048


class QuietServer(ThreadingHTTPServer):
    """Prints nothing when a caller that refuses its certificate hangs up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class TlsServer:
    """Answers every path by `answer(handler)` and keeps the paths that were asked for."""

    def __init__(self, authority: trustme.CA) -> None:
        self.requests: list[str] = []
        self.forms: list[dict[bytes, list[bytes]]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: send(handler, b"{}")
        self._server = QuietServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 120

            def do_GET(self) -> None:
                server.requests.append(self.path)
                server.answer(self)

            def do_POST(self) -> None:
                server.forms.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"]))))
                self.do_GET()

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Issuer(TlsServer):
    """Signs with the key it has now; `rotate` makes another. Both are served until `forget`."""

    def __init__(self, authority: trustme.CA, jwks_path: str = JWKS_PATH) -> None:
        self.jwks_path = jwks_path
        self.keys: dict[str, Any] = {}
        self.kid = ""
        self.rotate()
        super().__init__(authority)
        self.behave()

    def behave(self) -> None:
        """Serve the keys, as it should be."""
        self.serve(None)

    def serve(self, document: Any) -> None:
        """Serve a document; None: the keys of the moment."""
        self.answer = lambda handler: send(handler, json.dumps(document or self.jwks()).encode())

    def rotate(self, kid: str | None = None, curve: ec.EllipticCurve | None = None) -> str:
        """From now on sign with a fresh key: RSA, or on a curve."""
        self.kid = kid or f"key-{len(self.keys) + 1}"
        self.keys[self.kid] = (
            ec.generate_private_key(curve) if curve else rsa.generate_private_key(65537, RSA_BITS)
        )
        return self.kid

    def forget(self, kid: str) -> None:
        """Serve a key no longer."""
        del self.keys[kid]

    def jwks(self) -> dict[str, Any]:
        return {"keys": [public_jwk(key, kid) for kid, key in self.keys.items()]}

    def sign(
        self,
        claims: dict[str, Any],
        *,
        key: Any = None,
        algorithm: str | None = None,
        **headers: Any,
    ) -> str:
        """A token with the claims; header `kid=None` leaves the key id out."""
        key = key or self.keys[self.kid]
        is_rsa = isinstance(key, rsa.RSAPrivateKey)
        named = {"kid": self.kid, **headers}
        return jwt.encode(
            claims,
            key,
            algorithm=algorithm or ("RS256" if is_rsa else "ES256"),
            headers={name: value for name, value in named.items() if value is not None},
        )

    def jws(self, header: bytes, claims: bytes, key: Any = None) -> str:
        """A token whose parts are any bytes at all, signed with an RSA key, however short."""
        text = ".".join(base64url_encode(part).decode() for part in (header, claims))
        signature = jwt.get_algorithm_by_name("RS256").sign(
            text.encode(), key or self.keys[self.kid]
        )
        return f"{text}.{base64url_encode(signature).decode()}"


def public_jwk(key: Any, kid: str) -> dict[str, Any]:
    """The public half of a key as issuers serve it."""
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    algorithm: Any = RSAAlgorithm if is_rsa else ECAlgorithm
    jwk = algorithm.to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": kid, "use": "sig", **({"alg": "RS256"} if is_rsa else {})}


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer; underscores in the names of headers are dashes."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def write_authority(authority: trustme.CA, folder: Path) -> Path:
    """The authority's certificate as a file for `SSL_CERT_FILE`."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def seconds_from_now(seconds: float) -> int:
    """A moment as tokens have it."""
    return int(time.time() + seconds)
