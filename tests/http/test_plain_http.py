"""Behind a proxy that ends https, the API refuses plain http, and only pages redirect."""

from typing import Any

import pytest

from tests.http.conftest import Refused, Send
from tests.http.endpoints import ENDPOINTS, LIST_PRODUCTS, Endpoint

pytestmark = pytest.mark.django_db

PUBLIC_URL = "https://keeper.example.org:8443"
ELSEWHERE = [
    "/nothing",
    "/metrics",
    "/openapi.json",
    "/oidc/audience",
    "/static/admin/css/base.css",
]
PAGES = ["/admin", "/admin/", "/admin/login/?next=/admin/", "/docs/"]
HTTP = {
    "direct": {},
    "told by the proxy": {"HTTP_X_FORWARDED_PROTO": "http"},
    "told in another way": {"HTTP_X_FORWARDED_PROTO": "", "HTTP_X_FORWARDED_SSL": "on"},
}


@pytest.fixture(autouse=True)
def _behind_a_proxy(settings: Any) -> None:
    settings.LTD_PUBLIC_URL = PUBLIC_URL
    settings.LTD_TRUSTED_PROXIES = 1
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_SSL_HOST = "keeper.example.org:8443"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def test_api_refuses_http(refused: Refused) -> None:
    for endpoint in ENDPOINTS.values():
        response = refused(endpoint, 400, "https_required")
        assert PUBLIC_URL in response.json()["message"]
        assert "Location" not in response


@pytest.mark.parametrize("headers", HTTP.values(), ids=HTTP)
def test_everything_that_is_no_page_refuses_http(headers: dict[str, str], refused: Refused) -> None:
    for path in ELSEWHERE:
        refused(Endpoint(method="GET", path=path), 400, "https_required", **headers)


def test_credentials_are_not_looked_at(refused: Refused, settings: Any) -> None:
    settings.LTD_FAILURES_A_MINUTE = 1
    for _ in range(3):
        refused(LIST_PRODUCTS, 400, "https_required", HTTP_AUTHORIZATION="Bearer ltdk_wrong")


@pytest.mark.parametrize("path", PAGES)
def test_pages_redirect_to_the_public_address(path: str, send: Send) -> None:
    for method in ("GET", "HEAD"):
        response = send(Endpoint(method=method, path=path))
        assert (response.status_code, response["Location"]) == (301, PUBLIC_URL + path)


@pytest.mark.parametrize("path", ["/admin/login/", "/docs/"])
def test_what_is_sent_to_a_page_is_refused(path: str, refused: Refused) -> None:
    refused(Endpoint(method="POST", path=path, body={"password": "x"}), 400, "https_required")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_answered_over_http(path: str, send: Send) -> None:
    assert send(Endpoint(method="GET", path=path)).status_code == 200


def test_https_is_answered(send: Send) -> None:
    assert send(LIST_PRODUCTS, HTTP_X_FORWARDED_PROTO="https").status_code == 200
