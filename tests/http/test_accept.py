"""No `Accept` header meets a 406 or a page: clients of LTD send a media type of their own."""

import json
from typing import Any

import pytest

from tests.conftest import undone
from tests.http.conftest import Refused, Send
from tests.http.endpoints import ENDPOINTS, READ_BUILD, Endpoint
from tests.http.fake_s3 import FakeS3

pytestmark = pytest.mark.django_db

ACCEPTS = {
    "LTD's with a version": "application/vnd.ltdkeeper.v2+json; version=2",
    "a browser's": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "image": "image/png",
    "nothing": "",
    "JSON refused": "application/json;q=0, text/html",
    "garbage": "\x00\xff/;;==,,",
    "no media type": "json",
    "10,000 characters": "a/" * 5_000,
}


def test_any_accept_header_gets_json(send: Send, refused: Refused) -> None:
    for case, accept in ACCEPTS.items():
        response = send(READ_BUILD, HTTP_ACCEPT=accept)
        got = (response.status_code, response["Content-Type"])
        assert got == (200, "application/json"), case
        json.loads(response.content)
        headers: dict[str, Any] = {"HTTP_ACCEPT": accept, "HTTP_AUTHORIZATION": ""}
        refused(READ_BUILD, 401, "not_authenticated", **headers)


def test_every_endpoint_answers_with_json(send: Send, s3: FakeS3) -> None:
    s3.sizes = [1]
    for name, endpoint in ENDPOINTS.items():
        with undone():
            response = send(endpoint, HTTP_ACCEPT="text/html")
            assert response.status_code in {200, 201}, name
            assert response["Content-Type"] == "application/json", name


def test_format_cannot_be_chosen_by_query(refused: Refused) -> None:
    refused(Endpoint(method="GET", path="/builds/{build}?format=html"), 400, "invalid_request")


def test_unknown_address_is_a_problem_for_browsers_too(refused: Refused) -> None:
    refused(Endpoint(method="GET", path="/nothing"), 404, "not_found", HTTP_ACCEPT="text/html")
