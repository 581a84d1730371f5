"""Durations, deliveries, fields and pages that do not exist."""

import base64
import json
from dataclasses import replace

import pytest

from builds.models import Product
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import (
    FINISH_BUILD,
    ISSUE,
    LIST_BUILDS,
    LIST_PRODUCTS,
    REFRESH,
    TOKEN,
    Endpoint,
)

pytestmark = pytest.mark.django_db


def test_duration_out_of_range_is_refused(refused: Refused) -> None:
    for seconds in (0, -1, 899, 3601, 2**64 - 1):
        raw = json.dumps({"duration_seconds": seconds})
        response = refused(ISSUE, 400, "duration_out_of_range", raw)
        assert "900 to 3600" in response.json()["message"]


def test_product_lowers_the_ceiling(refused: Refused) -> None:
    Product.objects.update(session_seconds=1200)
    refused(ISSUE, 400, "duration_out_of_range", b'{"duration_seconds": 1201}')


@pytest.mark.parametrize("seconds", [900, 3600])
def test_duration_in_range_is_asked_of_the_store(seconds: int, send: Send, sts: FakeSts) -> None:
    assert send(ISSUE, json.dumps({"duration_seconds": seconds})).status_code == 200
    assert sts.requests[0]["DurationSeconds"] == seconds


NO_INTEGER = {
    "text": b'"900"',
    "fraction": b"900.5",
    "whole fraction": b"900.0",
    "power of ten": b"9e2",
    "over 64 bits": b"9" * 30,
    "true": b"true",
    "list": b"[900]",
}


def test_duration_that_is_no_integer_is_refused(refused: Refused) -> None:
    for value in NO_INTEGER.values():
        refused(ISSUE, 400, "invalid_request", b'{"duration_seconds": ' + value + b"}")


UNKNOWN_FIELDS = {
    "AWS's spelling": {"DurationSeconds": 900},
    "beside a known one": {"duration_seconds": 900, "policy": "{}"},
    "empty name": {"": 900},
    "role": {"role_arn": "arn:aws:iam::1:role/admin"},
    "root": {"root": "other/builds/1"},
    "invisible": {"duration_seconds\u200b": 900},
    "non_field_errors": {"non_field_errors": 1},
}


def test_unknown_field_of_a_request_for_credentials_is_refused(refused: Refused) -> None:
    for body in UNKNOWN_FIELDS.values():
        refused(ISSUE, 400, "invalid_request", json.dumps(body))


def test_delivery_that_cannot_be_asked_for_is_refused(refused: Refused) -> None:
    for delivery in ("list", "probe", "post", "CONTAINER", "x%00"):
        refresh = replace(REFRESH, path=f"{REFRESH.path}?delivery={delivery}")
        refused(refresh, 400, "invalid_request")


WRONG_FINISHES = {
    "nothing": {},
    "false": {"uploaded": False},
    "text": {"uploaded": "true"},
    "one": {"uploaded": 1},
    "null": {"uploaded": None},
    "empty alone": {"empty": True},
    "empty as text": {"uploaded": True, "empty": "true"},
    "empty as null": {"uploaded": True, "empty": None},
}


def test_finish_that_does_not_say_so_is_refused(refused: Refused) -> None:
    for body in WRONG_FINISHES.values():
        refused(FINISH_BUILD, 400, "invalid_request", json.dumps(body))


CURSORS = {
    "not ASCII": "%ff",
    "word": base64.b64encode(b"p=abc").decode(),
    "empty position": base64.b64encode(b"p=").decode(),
    "NUL position": base64.b64encode(b"p=%00").decode(),
    "negative offset": base64.b64encode(b"o=-1").decode(),
    "4,400 digits": base64.b64encode(b"p=" + b"9" * 4400).decode(),
    "offset of 4,400 digits": base64.b64encode(b"o=" + b"9" * 4400).decode(),
    "SQL": base64.b64encode(b"p=1 OR 1=1").decode(),
}


@pytest.mark.parametrize("endpoint", [LIST_BUILDS, LIST_PRODUCTS], ids=["builds", "products"])
def test_cursor_that_was_not_given_out_is_refused(endpoint: Endpoint, send: Send) -> None:
    for case, cursor in CURSORS.items():
        response = send(replace(endpoint, path=f"{endpoint.path}?cursor={cursor}"))
        assert response.status_code in {400, 404}, case
        assert response["Content-Type"] == "application/problem+json"


def test_page_size_that_would_not_be_heeded_is_refused(refused: Refused) -> None:
    for size in ("0", "-1", "1001", "", "1.5", "9" * 4400, "%00", "٣"):
        path = f"{LIST_BUILDS.path}?page_size={size}"
        response = refused(replace(LIST_BUILDS, path=path), 400, "invalid_request")
        assert "page_size: 1 to 1000, or leave it out for 100." in response.json()["message"]


def test_thousands_of_parameters_are_refused(refused: Refused) -> None:
    for endpoint in (TOKEN, LIST_BUILDS):
        path = f"{endpoint.path}?{'a&' * 4000}a"
        response = refused(replace(endpoint, path=path), 400, "bad_request")
        assert response.json()["message"] == "The query or form has over 4000 fields."
