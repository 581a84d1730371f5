# ruff: noqa: SLF001 - the seams of MiniStack are private names, and its version is pinned
"""The embedded store's process: MiniStack on a loopback port, enforcing, everything in memory.

Started by `demo.store` as `.venv-store/bin/python -m demo.store_server [--port N]`. The one line on
standard output is the port. The account's root is the key that the environment names
(AWS_ACCESS_KEY_ID), which is random: MiniStack by itself also takes no key at all, `test` and any
twelve digits for root, and verifies signatures for S3 only.
"""

import argparse
import asyncio
import importlib
import os
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

# Enforce policies, serve three services, listen nowhere else, touch no container engine.
SETTINGS = {
    "AUTH": "true",
    "SERVICES": "s3,sts,iam",
    "PERSIST_STATE": "0",
    "S3_PERSIST": "0",
    "SFTP_ENABLED": "0",
    "IOT_MTLS_ENABLED": "0",
    "DOCKER_HOST": "unix:///nonexistent",
    "LOG_LEVEL": "WARNING",
    "AWS_EC2_METADATA_DISABLED": "true",
}
HOST = re.compile(rb"(?:127\.0\.0\.1|localhost)(?::[0-9]+)?")
BUCKET = re.compile(r"/[a-z0-9][a-z0-9.-]+/?")
EMULATORS_PAGES = "/_"
FORBIDDEN = {"type": "http.response.start", "status": 403, "headers": []}

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# An upload form carries its key inside: MiniStack lets the request in as one without a key, and
# verifies the key when it handles the form.
is_upload_form: ContextVar[bool] = ContextVar("is_upload_form", default=False)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0, help="0 takes a free one")
    listener = _listen(arguments.parse_args().port)
    app = store_application()
    print(listener.getsockname()[1], flush=True)
    asyncio.run(_serve(app, listener))


def store_application() -> App:
    """MiniStack with one root key, authorizing each object key as it will be stored."""
    root = os.environ["AWS_ACCESS_KEY_ID"]
    os.environ.update(SETTINGS)
    app = importlib.import_module("ministack.app")
    s3 = importlib.import_module("ministack.services.s3")
    importlib.import_module("ministack.services.sts")
    importlib.import_module("ministack.services.iam")
    evaluator = importlib.import_module("ministack.core.iam_evaluator")
    actions = importlib.import_module("ministack.core.iam_actions")

    def is_root(access_key_id: str) -> bool:
        return access_key_id == root or (access_key_id == "" and is_upload_form.get())

    def unsigned_form(*_arguments: Any) -> Any:
        return s3._error("AccessDenied", "Access Denied", 403)

    _replace_everywhere(evaluator.is_root_access_key, is_root)
    _replace_everywhere(s3._enforce_post_policy_size, unsigned_form)
    _replace_everywhere(actions.extract_resource_arn, _exact_keys(s3, actions))
    return _guarded(app.app)


def _replace_everywhere(original: Callable[..., Any], replacement: Callable[..., Any]) -> None:
    """Replace a function in every module of MiniStack that holds it under some name."""
    for module, name in list(_holders(original)):
        setattr(module, name, replacement)


def _holders(original: Callable[..., Any]) -> Iterator[tuple[Any, str]]:
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("ministack"):
            yield from ((module, name) for name, value in vars(module).items() if value is original)


def _exact_keys(s3: Any, actions: Any) -> Callable[..., Any]:
    """The resource of a request, with an object's key as it will be stored.

    MiniStack itself authorizes `a//builds/x` as `a/builds/x` and then writes `a//builds/x`.
    """
    extract_resource_arn = actions.extract_resource_arn

    def resource_arn(service: str, method: str, path: str, *rest: Any) -> Any:
        bucket, key = s3._parse_bucket_key(path, {}) if service == "s3" else ("", "")
        if key:
            return f"arn:aws:s3:::{bucket}/{key}"
        return extract_resource_arn(service, method, path, *rest)

    return resource_arn


def _guarded(app: App) -> App:
    """MiniStack without the pages that reset and configure it, and without its own start-up.

    The start-up looks for containers and init scripts of this machine and opens further ports.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"].startswith(EMULATORS_PAGES):
            await send(FORBIDDEN)
            await send({"type": "http.response.body", "body": b""})
            return
        is_upload_form.set(_is_upload_form(scope))
        await app(scope, receive, send)

    return application


def _is_upload_form(scope: Scope) -> bool:
    """Whether a request is a browser's form for a bucket, and can be no other operation."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    return (
        scope["method"] == "POST"
        and not scope["query_string"]
        and BUCKET.fullmatch(scope["path"]) is not None
        and HOST.fullmatch(headers.get(b"host", b"")) is not None
        and headers.get(b"content-type", b"").startswith(b"multipart/form-data")
        and len(headers) == len(scope["headers"])
        and not any(n == b"authorization" or n.startswith(b"x-amz-") for n in headers)
    )


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        sys.exit(f"127.0.0.1:{port}: {error.strerror}")


async def _serve(app: App, listener: socket.socket) -> None:
    serve = importlib.import_module("hypercorn.asyncio").serve
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    # A trigger of our own keeps hypercorn from installing signal handlers: SIGTERM just ends it.
    await serve(app, config, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    main()
