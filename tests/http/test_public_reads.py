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
def test_reading_needs_no_key(name: str, send: Send, refused: Refused) -> None:
    keyed, keyless = send(ENDPOINTS[name]), send(ENDPOINTS[name], HTTP_AUTHORIZATION="")
    assert (keyless.status_code, keyless.content) == (200, keyed.content)
    refused(ENDPOINTS[name], 401, "invalid_credentials", HTTP_AUTHORIZATION="Bearer wrong")


def test_everything_else_still_needs_one(refused: Refused) -> None:
    for name in ENDPOINTS.keys() - READS:
        refused(ENDPOINTS[name], 401, "not_authenticated", HTTP_AUTHORIZATION="")


def test_anonymous_reader_sees_every_product(send: Send, make_product: Any) -> None:
    make_product("other")
    assert len(send(LIST_PRODUCTS, HTTP_AUTHORIZATION="").json()["products"]) == 2


def test_unknown_build_stays_unknown(refused: Refused) -> None:
    nothing = replace(READ_BUILD, path="/builds/999")
    refused(nothing, 404, "unknown_build", HTTP_AUTHORIZATION="")
