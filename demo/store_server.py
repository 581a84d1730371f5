"""The embedded store's process: S3, STS and IAM on a loopback port, everything kept in memory.

Started by `demo.store` as `.venv-store/bin/python -m demo.store_server [--port N]`. The first line
of standard input is the admin's bootstrap secret; the end of standard input means that the parent
is gone, and ends this process. The one line on standard output is the port.
"""

import argparse
import asyncio
import importlib
import os
import signal
import socket
import sys
import threading

from demo.closed_store import closed_store
from demo.guard import App

BOOTSTRAP_LENGTH = 32


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0, help="0 takes a free one")
    port = arguments.parse_args().port
    bootstrap = sys.stdin.readline().strip()
    if len(bootstrap) < BOOTSTRAP_LENGTH:
        sys.exit("The first line of standard input must be the bootstrap secret.")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C reaches the whole foreground group; the parent decides when the store may go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = _listen(port)
    app = closed_store(bootstrap)
    print(listener.getsockname()[1], flush=True)
    asyncio.run(_serve(app, listener))


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


def _end_with_parent() -> None:
    # Unbuffered: the interpreter's own ending would trip over a buffer that this thread reads.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
