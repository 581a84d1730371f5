"""A secret is shown by `reveal` alone: no printing, logging, copying or storing gives it away."""

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

import orjson
import pytest
import structlog

from credentials.rules.secret import Secret

JSON_LOG = structlog.processors.JSONRenderer()
TEXT = "wJalrXUtnFEMI-only-for-tests"


@dataclass(frozen=True)
class Holder:
    name: str
    secret: Secret


def raised(secret: Secret) -> str:
    return "".join(traceback.format_exception(ValueError(secret)))


def logged(secret: Secret) -> str:
    stream = io.StringIO()
    logger = logging.Logger("secrets", logging.DEBUG)
    logger.addHandler(logging.StreamHandler(stream))
    logger.debug("%s %r %s", secret, secret, {"secret": secret})
    return stream.getvalue()


SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": "{}".format,
    "in a list": lambda secret: str([secret, {"a": secret}, (secret,)]),
    "in a dataclass": lambda secret: repr(Holder("x", secret)),
    "in an exception": raised,
    "logged": logged,
    "JSON with str": lambda secret: json.dumps({"a": secret}, default=str),
    "orjson with str": lambda secret: orjson.dumps({"a": secret}, default=str).decode(),
    "structlog as JSON": lambda secret: str(JSON_LOG(None, "info", {"a": secret})),
}


def test_secret_shows_asterisks() -> None:
    for case, make in SHOWN.items():
        shown = make(Secret(TEXT))
        assert TEXT not in shown, case
        assert "***" in shown, case


REFUSED: dict[str, Callable[[Secret], object]] = {
    "pickle": pickle.dumps,
    "oldest pickle": lambda secret: pickle.dumps(secret, 0),
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "dataclass as a dictionary": lambda secret: asdict(Holder("x", secret)),
    "JSON": json.dumps,
    "orjson": orjson.dumps,
    "variables": vars,
    "iteration": list,
    "adding": lambda secret: "a" + secret,
}


def test_secret_is_neither_stored_nor_taken_for_text() -> None:
    for case, make in REFUSED.items():
        with pytest.raises(TypeError) as caught:
            make(Secret(TEXT))
        assert TEXT not in str(caught.value), case


def test_secret_is_revealed_when_asked() -> None:
    assert Secret(TEXT).reveal() == TEXT


def test_secrets_are_not_compared_by_their_text() -> None:
    assert Secret(TEXT) != Secret(TEXT)
    assert Secret(TEXT) != TEXT
