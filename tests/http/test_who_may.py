"""Every endpoint against every kind of caller. The build at hand was registered by "right job":
"later job" has the same trusted publisher, "other job" has another one of the same client.

A cell says the status, or the code of the refusal. No refusal asks STS or changes a row.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import reduce
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from builds.models import Product
from credentials.access.clients import create_client
from tests.conftest import undone
from tests.fake_sts import FakeSts
from tests.http.callers import CALLERS, World
from tests.http.fake_s3 import FakeS3
from tests.http.fake_store import FakeStore
from tests.http.problem import assert_problem
from tests.http.rows import every_row

pytestmark = pytest.mark.django_db

OPEN = ("200",) * len(CALLERS)
ANONYMOUS = ("not_authenticated",) * 2
REFUSED = ("invalid_credentials",) * 5


def operator(cell: str) -> tuple[str, ...]:
    """A row of an endpoint where only a login of the admin counts, the second caller's."""
    return ("not_authenticated", cell, *("not_authenticated",) * (len(CALLERS) - 2))


def row(
    stranger: str, other_job: str, job: str, session: str, key: str, later_job: str = ""
) -> tuple[str, ...]:
    """A row of an endpoint that needs a token: anonymous and dead callers never get further. A
    later job is as good as another one unless the row says so.
    """
    return (*ANONYMOUS, *REFUSED, stranger, other_job, later_job or other_job, job, session, key)


CHALLENGE = 'Basic realm="ltdkeeper"'
NOT_GRANTED, NOT_YOURS = "product_not_granted", "not_your_build"
NO_RIGHT, NONE_OPEN = "may_not_create_products", "no_open_build"
BUILD, BUILDS = "/builds/{build}", "/products/guide/builds/"
SESSION = "/sessions/01jd0000000000000000000000"
NEW = {"git_refs": ["main"]}

#                                   stranger     other job  right job  access token  API key
TABLE: dict[tuple[str, str], tuple[Any, tuple[str, ...]]] = {
    ("GET", "/"): (None, OPEN),
    ("GET", "/livez"): (None, OPEN),
    ("GET", "/readyz"): (None, OPEN),
    ("GET", "/openapi.json"): (None, OPEN),
    ("GET", "/docs/"): (None, OPEN),
    ("GET", "/oidc/audience"): (None, OPEN),
    # Whatever else is shown, only the identity token counts.
    ("POST", "/oidc/token"): ({"token": "none"}, ("invalid_token",) * len(CALLERS)),
    ("GET", "/token"): (None, row("200", "200", "200", "200", "200")),
    ("GET", "/token?format=env&product=guide"): (
        None,
        row(NOT_GRANTED, "200", "200", "200", "200"),
    ),
    ("DELETE", "/token"): (
        None,
        row("key_is_not_ended", "204", "204", "204", "key_is_not_ended"),
    ),
    ("GET", "/products/"): (None, row("200", "200", "200", "200", "200")),
    ("POST", "/products/"): (
        {"slug": "fresh", "store": "main"},
        row(NO_RIGHT, NO_RIGHT, NO_RIGHT, "201", "201"),
    ),
    ("GET", "/products/guide"): (None, row(NOT_GRANTED, "200", "200", "200", "200")),
    ("GET", BUILDS): (None, row(NOT_GRANTED, "200", "200", "200", "200")),
    ("POST", BUILDS): (NEW, row(NOT_GRANTED, "201", "201", "201", "201")),
    ("GET", BUILD): (None, row(NOT_GRANTED, "200", "200", "200", "200")),
    ("PATCH", BUILD): (
        {"uploaded": True},
        row(NOT_GRANTED, NOT_YOURS, "200", "200", "200"),
    ),
    ("DELETE", BUILD): (
        None,
        row(NOT_GRANTED, NOT_YOURS, "200", "200", "200", later_job="200"),
    ),
    ("POST", f"{BUILD}/credentials"): (
        {},
        row(NOT_GRANTED, NOT_YOURS, "200", NOT_YOURS, NOT_YOURS),
    ),
    ("GET", f"{BUILD}/credentials"): (
        None,
        row(NOT_GRANTED, NOT_YOURS, "200", NOT_YOURS, NOT_YOURS),
    ),
    ("POST", f"{BUILD}/presigned-posts"): (
        {"directories": ["/"]},
        row(NOT_GRANTED, NOT_YOURS, "200", NOT_YOURS, NOT_YOURS),
    ),
    ("POST", f"{BUILD}/presigned-urls"): (
        {"files": [{"key": "index.html"}]},
        row(NOT_GRANTED, NOT_YOURS, "200", NOT_YOURS, NOT_YOURS),
    ),
    ("PUT", f"{BUILD}/objects/index.html"): (
        {},
        row(NOT_GRANTED, NOT_YOURS, "200", NOT_YOURS, NOT_YOURS),
    ),
    ("GET", SESSION): (None, operator("not_found")),
    ("POST", f"{SESSION}/revoke"): ({"reason": "leaked"}, operator("forbidden")),
    ("POST", "/sessions/revoke"): (
        {"kind": "client", "name": "ci", "reason": "leaked"},
        operator("forbidden"),
    ),
    ("GET", "/credentials"): (None, row(NONE_OPEN, NONE_OPEN, "200", NONE_OPEN, NONE_OPEN)),
}


@pytest.fixture
def world(product: Product, make_product: Any, now: datetime) -> World:
    client, _ = create_client(name="ci", product_slugs=["guide"], may_create_products=True)
    return World(product=product, other_product=make_product("other"), client=client, now=now)


@pytest.fixture
def ask(
    world: World, s3: FakeS3, far_store: FakeStore, sts: FakeSts
) -> Callable[[str, str, str, Any], str]:
    """The cell of a caller, as it is answered; the build at hand is the "right job"'s."""
    s3.sizes = [1]
    job = world.job()
    build = world.register(job)

    def call(caller: str, method: str, path: str, body: Any) -> str:
        sts.requests.clear()
        headers = CALLERS[caller](world, job)
        before = every_row()
        response = APIClient(enforce_csrf_checks=True, raise_request_exception=False).generic(
            method,
            path.format(build=build.pk),
            "" if body is None else json.dumps(body),
            content_type="application/json",
            **headers,
        )
        if response.status_code < 400:
            return str(response.status_code)
        assert (sts.requests, every_row()) == ([], before)
        assert response.status_code != 401 or response["WWW-Authenticate"] == CHALLENGE
        code: str = response.json()["code"]
        assert_problem(response, response.status_code, code)
        return code

    return call


def test_every_endpoint_answers_every_caller_as_the_table_says(ask: Callable[..., str]) -> None:
    for endpoint, (body, cells) in TABLE.items():
        answers = {}
        for caller in CALLERS:
            with undone():
                answers[caller] = ask(caller, *endpoint, body)
        assert answers == dict(zip(CALLERS, cells, strict=True)), endpoint


# A redirect, the catch-all for what does not exist, and what has a token of its own.
NOT_OF_THE_API = {"admin", "", "metrics"}


def addresses(resolver: URLResolver, prefix: str = "") -> list[str]:
    """The patterns of every view that is served, the admin's own aside."""
    found: list[str] = []
    for entry in resolver.url_patterns:
        pattern = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLPattern):
            found.append(pattern)
        elif not pattern.startswith("admin"):
            found += addresses(entry, pattern)
    return found


def test_no_endpoint_is_left_out() -> None:
    paths = {path.partition("?")[0] for _, path in TABLE}
    stated = {path.format(build="<int:build_id>").lstrip("/") for path in paths}
    stated |= NOT_OF_THE_API
    names = {"<str:slug>": "guide", "<path:key>": "index.html"}
    names |= {"<ledger_id:ledger_id>": SESSION.rpartition("/")[2]}
    served = {
        reduce(lambda address, name: address.replace(*name), names.items(), each)
        for each in addresses(get_resolver())
    }
    assert served == stated
