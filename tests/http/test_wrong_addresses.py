"""Addresses that lead nowhere, and hosts that are not this one."""

from dataclasses import replace
from typing import Any

import pytest

from tests.http.conftest import Refused, Send
from tests.http.endpoints import (
    DELETE_BUILD,
    ENDPOINTS,
    OF_A_BUILD,
    OF_A_PRODUCT,
    REGISTER_BUILD,
    Endpoint,
)

pytestmark = pytest.mark.django_db

NOWHERE = [
    "/nothing",
    "/products",
    "/products//",
    "/products/guide/",
    "/products/guide/builds",
    "/products/guide/builds//",
    "/products/%2e%2e/builds/1/",
    "/products/../builds/{build}",
    "/products/guide%2fx%2fbuilds/",
    "/products/guide/builds/%0a",
    "/builds",
    "/builds/",
    "/builds/x",
    "/builds/-1",
    "/builds/1.0",
    "/builds/%20{build}",
    "/builds/{build}/",
    "/builds/{build}%0a",
    "/builds/{build}%00",
    "/builds/{build}.json",
    "/builds/{build};x=1",
    "/builds/%d9%a1",
    "/builds/{build}/credentials/",
    "/builds/{build}/credentials%0a",
    "/builds/{build}/Credentials",
    "/builds/{build}/credentials/x",
    "/builds/" + "9" * 5_000,
    "/token/",
    "/token%0a",
    "/Token",
    "/%ff%fe",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/nothing.css",
    "/static/%2e%2e/%2e%2e/db.sqlite3",
    "/static/../../db.sqlite3",
    "/.env",
    "/v2/products/",
    "/<script>alert(1)</script>",
    "/" + "a" * 10_000,
]
NO_PRODUCTS = {
    "escaped dots": "%2e%2e",
    "star": "*",
    "policy variable": "$%7baws:username%7d",
    "newline after": "guide%0a",
    "NUL after": "guide%00",
    "upper case": "Guide",
    "double escape": "guide%250a",
    "not UTF-8": "%ff",
    "surrogate": "%ed%a0%80",
    "full width": "%ef%bd%87uide",
    "5,000 characters": "a" * 5_000,
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def test_address_that_leads_nowhere_is_not_found(refused: Refused) -> None:
    for path in NOWHERE:
        refused(Endpoint(method="GET", path=path), 404, "not_found")


@pytest.mark.parametrize("key", ["", "Bearer wrong"], ids=["no key", "wrong key"])
def test_unknown_address_is_not_found_by_any_method(key: str, send: Send) -> None:
    for method in METHODS:
        response = send(Endpoint(method=method, path="/nothing"), HTTP_AUTHORIZATION=key)
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"


def test_closing_slash_does_not_delete(refused: Refused) -> None:
    refused(replace(DELETE_BUILD, path="/builds/{build}/"), 404, "not_found")


def test_illegal_slug_in_the_address_is_an_unknown_product(refused: Refused) -> None:
    for endpoint in OF_A_PRODUCT.values():
        for slug in NO_PRODUCTS.values():
            path = endpoint.path.replace("guide", slug)
            refused(replace(endpoint, path=path), 404, "unknown_product")


def test_number_of_no_build_is_an_unknown_build(refused: Refused) -> None:
    for number in ("0", "2147483648", str(2**63), "9" * 400):
        for endpoint in OF_A_BUILD.values():
            path = endpoint.path.replace("{build}", number)
            refused(replace(endpoint, path=path), 404, "unknown_build")


HOSTS = {
    "another": "evil.example",
    "ours as user": "keeper.example.org@evil.example",
    "ours as subdomain": "keeper.example.org.evil.example",
    "port that is none": "keeper.example.org:x",
    "star": "*",
    "slash": "keeper.example.org/x",
    "two": "keeper.example.org, evil.example",
}


def test_other_hosts_are_refused(refused: Refused) -> None:
    for host in HOSTS.values():
        refused(REGISTER_BUILD, 400, "bad_request", HTTP_HOST=host)
    for endpoint in ENDPOINTS.values():
        refused(endpoint, 400, "bad_request", HTTP_HOST="evil.example")


def test_forwarded_host_is_ignored(send: Send) -> None:
    extra: dict[str, Any] = {"HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_FORWARDED": "host=evil"}
    response = send(REGISTER_BUILD, **extra)
    assert response.status_code == 201
    assert b"evil" not in response.content
