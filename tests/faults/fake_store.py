"""A store on loopback that can be made to hang, to fail and to stop: STS and the listing of S3."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.utils import timezone

from tests.http.sts_answers import Answer, StsAnswers

LISTING = (
    "<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>"
    "<Contents><Key>{prefix}k</Key><Size>7</Size></Contents></ListBucketResult>"
)
VENDOR = "/vendor"
KEY = "AKIAVENDORONLYFORTESTS"
Behaviour = Callable[[], Answer]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    store: "FakeStore"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that gave up waiting is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # HTTP/1.0: no connection outlives its answer, so stopping stops everything

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        store = self.server.store
        store.asked += 1
        store.session_names.update(body.get("RoleSessionName", []))
        is_signed = any(f"Credential={key}/" in self.headers["Authorization"] for key in store.keys)
        self._answer(*(store.sts() if is_signed else store.refusal("ExpiredToken", 403)))

    def do_GET(self) -> None:
        """A listing of whatever prefix is asked for; the service's own key, as containers do."""
        if self.path == VENDOR:
            self._answer(*self.server.store.vendor())
            return
        status, body = self.server.store.s3()
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        self._answer(status, body.replace("{prefix}", prefix))

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        for byte in body.encode() if self.server.store.drips else ():
            self.wfile.write(bytes([byte]))
            time.sleep(0.002)
        if not self.server.store.drips:
            self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing: the tests look at answers."""


class FakeStore(StsAnswers):
    """`sts` and `s3` make the answers; `asked` counts the calls of STS, which has to be signed with
    one of `keys`. `session_names` are those that STS was asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._released = threading.Event()
        self.has_hung = False
        self._port = 0
        self.start()
        self.behave()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self._port), _Handler)
        self._server.store = self
        self._port = self._server.server_address[1]
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Connections are refused meanwhile."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def behave(self) -> None:
        """Answer as it should from now on, and let go of whoever waits."""
        self.release()
        self.asked = 0
        self.session_names: set[str] = set()
        self.drips = False
        self.keys = [KEY]
        self.vendor_key = KEY
        self.sts: Behaviour = self.session
        self.s3: Behaviour = lambda: (200, LISTING)

    def release(self) -> None:
        """Let go of whoever waits for an answer."""
        self._released.set()
        self._released = threading.Event()

    def late(self) -> Answer:
        """Answer once released: after the caller was told to come back."""
        self._released.wait(120)
        return self.session()

    def hang(self) -> Answer:
        """Never answer."""
        self.has_hung = True
        self._released.wait(120)
        return 500, ""

    def vendor(self) -> Answer:
        """The service's own key, to be asked for again before each call: it is about to expire."""
        expiration = timezone.now() + timedelta(minutes=5)
        return 200, json.dumps(
            {
                "AccessKeyId": self.vendor_key,
                "SecretAccessKey": "only-for-tests",
                "Token": "only-for-tests",
                "Expiration": f"{expiration:%Y-%m-%dT%H:%M:%SZ}",
            }
        )

    def rotate(self) -> None:
        """Another key; the one before works a while longer."""
        self.keys = [self.vendor_key, f"ASIA{secrets.token_hex(8).upper()}"]
        self.vendor_key = self.keys[-1]

    def slow(self) -> Answer:
        """Answer within the time the service waits."""
        time.sleep(0.4)
        return self.session()
