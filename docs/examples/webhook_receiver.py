"""Receives webhooks of ltdkeeper: verifies each, and does what it asks for once."""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
done: set[str] = set()  # keep these where a restart does not lose them


def is_genuine(event_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    content = f"{event_id}.{timestamp}.".encode() + body
    signature = "v1," + base64.b64encode(hmac.digest(KEY, content, hashlib.sha256)).decode()
    is_recent = timestamp.isdigit() and abs(time.time() - int(timestamp)) < 300
    given = (each.encode() for each in signatures.split())
    return is_recent and any(hmac.compare_digest(signature.encode(), each) for each in given)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        event_id, timestamp, signatures = (self.headers.get(name, "") for name in names)
        genuine = is_genuine(event_id, timestamp, signatures, body)
        if genuine and event_id not in done:
            event = json.loads(body)
            if event["type"] == "build.finished":  # copy it to its edition, purge the CDN
                print(event["data"]["root"], event["data"]["surrogate_key"], flush=True)
            done.add(event_id)
        self.send_response(204 if genuine else 401)
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Receiver).serve_forever()
