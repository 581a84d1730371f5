"""The door of the embedded store: only signed requests of its own users and sessions pass.

It decides twice. `Guard` stands in front of the store and refuses what `caller_of` does not
recognise. Behind it, `close_root` makes the store's own idea of a root key depend on who was let
in, so that a presentation the guard misread is an unknown key and not the account's root.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from demo.presented import BOOTSTRAP_HEADER, Caller, Scope, bucket_of, caller_of

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Nobody, unless the guard said otherwise for this very request: a thread or task that does not
# descend from a request is nobody as well.
current_caller: ContextVar[Caller] = ContextVar("current_caller", default=Caller.NOBODY)

_MESSAGE = b"<Code>AccessDenied</Code><Message>Sign the request with a key of this store.</Message>"


class Guard:
    """ASGI: refuses everybody but the admin and those who present one user's or session's key."""

    def __init__(self, app: App, *, bootstrap: str, has_bucket: Callable[[str], bool]) -> None:
        self.app = app
        self.bootstrap = bootstrap.encode()
        self.has_bucket = has_bucket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # The store's own start-up looks for containers and init scripts of this machine and
            # opens further ports: none of it is wanted here.
            await _acknowledge_lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_of(scope, bootstrap=self.bootstrap)
        # An anonymous request to a path that is no bucket may be any emulated service's.
        if caller is Caller.FORM and not self.has_bucket(bucket_of(scope["path"])):
            caller = Caller.NOBODY
        if caller is Caller.NOBODY:
            await _refuse(scope, send)
            return
        current_caller.set(caller)
        kept = [
            (name, value) for name, value in scope["headers"] if name.lower() != BOOTSTRAP_HEADER
        ]
        await self.app({**scope, "headers": kept}, receive, send)


def close_root(is_root_key: Callable[[str], bool]) -> Callable[[str], bool]:
    """Narrow the store's test for root keys to the admin's requests.

    The empty key stays what it was for upload forms: the store sees them as unsigned first, and
    verifies the key in the form when it handles it.
    """

    def is_root_for_caller(access_key_id: str) -> bool:
        caller = current_caller.get()
        if caller is Caller.ADMIN:
            return is_root_key(access_key_id)
        return caller is Caller.FORM and access_key_id == ""

    return is_root_for_caller


async def _refuse(scope: Scope, send: Send) -> None:
    """403 in S3's form, or in that of STS and IAM, which are posted to the root."""
    queried = scope["method"] == "POST" and scope["path"] == "/"
    error = b"<Error>" + _MESSAGE + b"</Error>"
    body = b"<ErrorResponse>" + error + b"</ErrorResponse>" if queried else error
    length = str(len(body)).encode()
    headers = [(b"content-type", b"application/xml"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _acknowledge_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
