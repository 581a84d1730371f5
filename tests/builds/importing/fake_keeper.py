"""An LTD Keeper on loopback that says what tests make it say, in the form of the real one."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    keeper: "FakeKeeper"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        keeper = self.server.keeper
        keeper.asked.append(self.path)
        status, body = keeper.answer(self.path)
        self.send_response(status)
        for name, value in keeper.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the tests look at what was asked."""


class FakeKeeper:
    """`documents` are the answers by path, `special` makes others; `asked` are the calls."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {"/products/": {"products": []}}
        self.special: dict[str, Callable[[], Answer]] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.keeper = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> Answer:
        if path in self.special:
            return self.special[path]()
        if path not in self.documents:
            return 404, b"<html>no such thing</html>"
        return 200, json.dumps(self.documents[path]).encode()

    def has_product(self, slug: str, **changes: Any) -> None:
        # Addresses of another host, as behind a proxy: only their last part counts.
        self.documents["/products/"]["products"].append(f"https://public.example/products/{slug}")
        self.documents[f"/products/{slug}/builds/"] = {"builds": []}
        self.documents[f"/products/{slug}"] = {
            "self_url": f"https://public.example/products/{slug}",
            "slug": slug,
            "title": f"The {slug}",
            "doc_repo": f"https://git.example/{slug}",
            "bucket_name": "docs-bucket",
            "root_domain": "lsst.example",
            "domain": f"{slug}.lsst.example",
            "surrogate_key": "0123456789abcdef" * 2,
            **changes,
        }

    def has_build(self, product: str, number: int, slug: str, **changes: Any) -> None:
        url = f"https://public.example/builds/{number}"
        self.documents[f"/products/{product}/builds/"]["builds"].append(url)
        self.documents[f"/builds/{number}"] = {
            "self_url": url,
            "product_url": f"https://public.example/products/{product}",
            "slug": slug,
            "date_created": "2016-03-01T10:21:27.583795Z",
            "date_ended": None,
            "uploaded": True,
            "bucket_name": "docs-bucket",
            "bucket_root_dir": f"{product}/builds/{slug}",
            "git_refs": ["main"],
            "github_requester": None,
            "surrogate_key": f"{number:032x}",
            **changes,
        }
