"""`LTD_PUBLIC_READS`: reading products and builds without a key, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from tests.http.conftest import Refused, Send
from tests.http.endpoints import ENDPOINTS, LIST_PRODUCTS, READ_BUILD

pytestmark = pytest.mark.django_db

READS = ["list products", "read product", "list builds", "read build"]


@pytest.fixture(autouse=True)
def _public(settings: Any) -> None:
    settings.LTD_PUBLIC_READS = True


@pytest.mark.parametrize("name", READS)
def test_reading_needs_no_key(name: str, send: Send) -> None:
    keyed, keyless = send(ENDPOINTS[name]), send(ENDPOINTS[name], HTTP_AUTHORIZATION="")
    assert (keyless.status_code, keyless.content) == (200, keyed.content)


@pytest.mark.parametrize("name", [name for name in ENDPOINTS if name not in READS])
def test_everything_else_still_needs_one(name: str, refused: Refused) -> None:
    refused(ENDPOINTS[name], 401, "not_authenticated", HTTP_AUTHORIZATION="")


@pytest.mark.parametrize("name", READS)
def test_wrong_key_is_still_refused(name: str, refused: Refused) -> None:
    refused(ENDPOINTS[name], 401, "invalid_credentials", HTTP_AUTHORIZATION="Bearer wrong")


def test_anonymous_reader_sees_every_product(send: Send, make_product: Any) -> None:
    make_product("other")
    assert len(send(LIST_PRODUCTS, HTTP_AUTHORIZATION="").json()["products"]) == 2


def test_unknown_build_stays_unknown(refused: Refused) -> None:
    nothing = replace(READ_BUILD, path="/builds/999")
    refused(nothing, 404, "unknown_build", HTTP_AUTHORIZATION="")
