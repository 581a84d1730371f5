"""What stands behind the guard, and what never gets past it."""

import asyncio
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from demo.child import ROOT
from demo.guard import Guard, close_root, current_caller
from demo.presented import Caller
from demo.store import PYTHON

pytestmark = pytest.mark.loopback  # an event loop needs a pair of sockets


@pytest.fixture
def as_caller() -> Iterator[Any]:
    token = current_caller.set(Caller.NOBODY)
    yield current_caller.set
    current_caller.reset(token)


ROOT_FOR = [
    (Caller.NOBODY, "test", False),
    (Caller.NOBODY, "", False),
    (Caller.SIGNED, "test", False),
    (Caller.SIGNED, "", False),
    (Caller.SIGNED, "000000000000", False),
    (Caller.FORM, "test", False),
    (Caller.FORM, "", True),
    (Caller.ADMIN, "test", True),
    (Caller.ADMIN, "AKIA0123456789ABCDEF", False),
]


@pytest.mark.parametrize(("caller", "key", "is_root"), ROOT_FOR)
def test_root_depends_on_who_was_let_in(
    as_caller: Any, caller: Caller, key: str, *, is_root: bool
) -> None:
    as_caller(caller)
    assert close_root(lambda key: key in {"", "test", "0" * 12})(key) is is_root


def test_nobody_is_root_outside_a_request() -> None:
    assert not close_root(lambda _key: True)("test")


ASK_THE_CLOSED_STORE = """
from demo import closed_store
closed_store.closed_store("b" * 32)
from ministack.core import iam_evaluator
from ministack.services import sts
keys = ["", "test", "000000000000"]
print([module.is_root_access_key(key) for module in (iam_evaluator, sts) for key in keys])
"""
CLOSE_ANOTHER_VERSION = """
from demo import closed_store
closed_store.READ_VERSION = "0.0.0"
closed_store.closed_store("b" * 32)
"""


def in_the_stores_python(program: str) -> "subprocess.CompletedProcess[str]":
    command = [str(PYTHON), "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_root_is_closed_in_every_module_that_asks() -> None:
    assert in_the_stores_python(ASK_THE_CLOSED_STORE).stdout == f"{[False] * 6}\n"


def test_version_that_was_not_read_is_refused() -> None:
    assert "0.0.0 is expected" in in_the_stores_python(CLOSE_ANOTHER_VERSION).stderr


def answers(scope: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the guard passed on, and what it sent."""
    passed: list[dict[str, Any]] = []
    sent: list[dict[str, Any]] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def store(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        passed.append(scope)

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    guard = Guard(store, bootstrap="b" * 32, has_bucket=lambda _name: False)
    asyncio.run(guard(scope, receive, send))
    return passed, sent


def test_websocket_is_closed() -> None:
    scope = {"type": "websocket", "headers": [(b"x-demo-store-bootstrap", b"b" * 32)]}
    assert answers(scope) == ([], [{"type": "websocket.close", "code": 1008}])


def test_store_never_runs_its_own_start_up() -> None:
    passed, sent = answers({"type": "lifespan"})
    assert passed == []
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_store_never_sees_the_bootstrap_secret() -> None:
    headers = [(b"X-Demo-Store-Bootstrap", b"b" * 32), (b"host", b"x")]
    passed, _sent = answers({"type": "http", "headers": headers, "path": "/_ministack/reset"})
    assert [scope["headers"] for scope in passed] == [[(b"host", b"x")]]


def test_form_to_no_bucket_is_refused() -> None:
    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data")]
    scope = {"type": "http", "headers": headers, "path": "/iceberg1", "query_string": b""}
    passed, sent = answers({**scope, "method": "POST"})
    assert (passed, sent[0]["status"]) == ([], 403)
