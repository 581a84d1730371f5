"""A refusal says what to do instead, in the words of what went wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from builds.models import Build
from tests.conftest import undone
from tests.http.conftest import Refused, expire
from tests.http.endpoints import (
    CREATE_PRODUCT,
    ENDPOINTS,
    FINISH_BUILD,
    ISSUING,
    READ_PRODUCT,
    REGISTER_BUILD,
    TOKEN,
    WITH_A_BODY,
    Endpoint,
)

pytestmark = pytest.mark.django_db


def test_product_that_exists_needs_another_slug(refused: Refused) -> None:
    raw = json.dumps({"slug": "guide", "store": "main"})
    message = refused(CREATE_PRODUCT, 409, "slug_taken", raw).json()["message"]
    assert "leave it out" not in message
    assert "another slug" in message


def test_wrong_host_is_told_the_right_one(refused: Refused) -> None:
    response = refused(READ_PRODUCT, 400, "bad_request", HTTP_HOST="other.example")
    assert "https://keeper.example.org" in response.json()["message"]
    assert "LTD_ALLOWED_HOSTS" in response.json()["message"]


SLASHES = {
    "/products": "/products/, with",
    "/products/guide/": "/products/guide, without",
    "/products/guide/builds": "/products/guide/builds/, with",
    "/token/": "/token, without",
    "/builds/7/": "/builds/7, without",
    "/docs": "/docs/, with",
}


def test_address_that_differs_by_a_slash_is_named(refused: Refused) -> None:
    for path, hint in SLASHES.items():
        response = refused(Endpoint(method="GET", path=path), 404, "not_found")
        assert f"Ask for {hint} the slash at the end." in response.json()["message"], path


def test_no_other_address_is_named_where_there_is_none(refused: Refused) -> None:
    for path in ("/nowhere", "/builds/x", "/%0a/"):
        response = refused(Endpoint(method="GET", path=path), 404, "not_found")
        assert "GET /openapi.json" in response.json()["message"], path


def test_body_without_its_media_type_is_told_it(refused: Refused) -> None:
    response = refused(REGISTER_BUILD, 415, "unsupported_media_type", content_type="text/plain")
    assert "Content-Type: application/json" in response.json()["message"]


def test_unknown_member_of_a_body_is_refused_by_name(refused: Refused) -> None:
    for endpoint in WITH_A_BODY.values():
        body = json.dumps({**endpoint.body, "surprise": 1})
        response = refused(endpoint, 400, "invalid_request", body)
        assert response.json()["errors"] == {"surprise": ["Unknown field."]}, endpoint


WITH_A_QUERY = [
    *(endpoint for endpoint in ENDPOINTS.values() if endpoint != TOKEN),
    replace(TOKEN, path="/token?format=json&product=guide"),
    replace(TOKEN, method="DELETE"),
    Endpoint(method="POST", path="/oidc/token", body={"token": "x"}),
]


def test_unknown_parameter_of_a_query_is_refused_by_name(refused: Refused) -> None:
    for endpoint in WITH_A_QUERY:
        mark = "&" if "?" in endpoint.path else "?"
        mistyped = replace(endpoint, path=f"{endpoint.path}{mark}prodcut=guide")
        response = refused(mistyped, 400, "invalid_request")
        assert response.json()["errors"] == {"prodcut": ["Unknown field."]}, endpoint


def closed(name: str) -> Callable[[Build], None]:
    moment = timezone.now() - timedelta(seconds=1)
    return lambda build: setattr(build, name, moment) or build.save()  # type: ignore[func-returns-value]


CLOSED: dict[str, tuple[Callable[[Build], None], str]] = {
    "finished": (closed("finished_at"), "is finished"),
    "deleted": (closed("deleted_at"), "was deleted"),
    "superseded": (closed("superseded_at"), "registered another build"),
    "expired": (expire, "upload window has ended"),
}


def test_closed_build_is_told_what_closed_it(refused: Refused, build: Build) -> None:
    for case, (close, words) in CLOSED.items():
        finishing = () if case == "finished" else (FINISH_BUILD,)  # which may be said again
        with undone():
            close(build)
            for endpoint in (*ISSUING.values(), *finishing):
                response = refused(endpoint, 409, "build_closed")
                assert words in response.json()["message"], case
        build.refresh_from_db()
