"""What LTD's own uploaders do, call by call, and what they look at in the answers."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from rest_framework.test import APIClient

from builds.models import Build, Store
from credentials.access.callers import Caller
from tests.conftest import raw_key
from tests.fake_sts import FakeSts
from tests.http.conftest import basic
from tests.http.fake_s3 import FakeS3
from tests.http.problem import MEDIA_TYPE

pytestmark = pytest.mark.django_db

V2 = "application/vnd.ltdkeeper.v2+json"
BUILDS = "/products/guide/builds/"


class Conveyor:
    """ltd-conveyor's calls. 0.8 shows one token for all; 0.9 asks for one before every call."""

    def __init__(self, key: str, *, asks_every_time: bool) -> None:
        self._http = APIClient(raise_request_exception=False)
        self._key, self._asks_every_time = key, asks_every_time
        self._token = ""

    def token(self) -> str:
        if not self._token or self._asks_every_time:
            answer = self._http.get("/token", HTTP_AUTHORIZATION=basic("ci", self._key))
            assert answer.status_code == 200
            self._token = answer.json()["token"]
        return self._token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        raw = "" if body is None else json.dumps(body)
        return self._http.generic(
            method,
            path,
            raw,
            content_type="application/json",
            HTTP_AUTHORIZATION=basic(self.token(), ""),
            **headers,
        )

    def register(self, product: str, **body: Any) -> Any:
        return self.call("POST", f"/products/{product}/builds/", body, HTTP_ACCEPT=V2)


@pytest.fixture
def conveyor(caller: Caller, sts: FakeSts) -> Conveyor:
    return Conveyor(raw_key(caller), asks_every_time=False)


@pytest.mark.parametrize("asks_every_time", [False, True], ids=["0.8.4", "0.9"])
def test_upload_from_token_to_finish(
    *, asks_every_time: bool, caller: Caller, sts: FakeSts, s3: FakeS3
) -> None:
    conveyor = Conveyor(raw_key(caller), asks_every_time=asks_every_time)
    s3.sizes = [1]
    version = conveyor.call("GET", "/").json()["data"]["server_version"]
    assert tuple(int(part) for part in version.split(".")) < (2, 0, 0)
    directories = ["/", "_static/", "_static/js/"]
    registered = conveyor.register("guide", git_refs=["main"], directories=directories)
    assert registered.status_code == 201
    document = registered.json()
    for title in ("post_prefix_urls", "post_dir_urls"):
        posts = [document[title][name] for name in directories]
        assert all(isinstance(value, str) for post in posts for value in post["fields"].values())
        assert all(post["url"].startswith("https://") for post in posts)
    address = urlsplit(document["self_url"])
    finished = conveyor.call("PATCH", address.path, {"uploaded": True})
    assert (finished.status_code, finished["Content-Type"]) == (200, "application/json")
    assert finished.json()["uploaded"] is True
    assert address.scheme == "https"


def test_requester_is_null_where_nobody_was_named(conveyor: Conveyor) -> None:
    for sent in ({}, {"github_requester": None}, {"github_requester": ""}):
        document = conveyor.register("guide", git_refs=["main"], **sent).json()
        assert document["github_requester"] is None
    document = conveyor.register("guide", git_refs=["main"], github_requester="octocat").json()
    assert document["github_requester"] == "octocat"


REFUSALS: dict[str, tuple[str, dict[str, Any], int]] = {
    "unknown product": ("nothing", {"git_refs": ["main"]}, 404),
    "another's product": ("secret", {"git_refs": ["main"]}, 403),
    "no git refs": ("guide", {}, 400),
    "slug that is taken": ("guide", {"git_refs": ["main"], "slug": "taken"}, 409),
    "directory that climbs": ("guide", {"git_refs": ["main"], "directories": ["../"]}, 400),
}


def test_refusal_is_json_and_the_product_is_then_asked_for(
    conveyor: Conveyor, make_product: Any
) -> None:
    """On any status but 201, uploaders ask for the product and print both bodies."""
    make_product("secret")
    conveyor.call("POST", BUILDS, {"git_refs": ["main"], "slug": "taken"})
    for product, body, status in REFUSALS.values():
        refused = conveyor.register(product, **body)
        document = refused.json()
        assert (refused.status_code, refused["Content-Type"]) == (status, MEDIA_TYPE)
        assert (document["status"], bool(document["message"])) == (status, True)
        asked = conveyor.call("GET", f"/products/{product}", HTTP_ACCEPT=V2)
        assert asked.status_code == (200 if product == "guide" else status)
        assert asked.json()


def test_store_that_takes_no_posts_says_what_to_do(conveyor: Conveyor) -> None:
    Store.objects.update(post_support="broken")
    refused = conveyor.register("guide", git_refs=["main"], directories=["/"])
    assert refused.status_code == 422
    assert "presigned POSTs" in refused.json()["message"]
    assert not Build.objects.exists()


def test_lists_are_addresses_that_answer(conveyor: Conveyor) -> None:
    conveyor.register("guide", git_refs=["main"])
    [product] = conveyor.call("GET", "/products/").json()["products"]
    assert conveyor.call("GET", urlsplit(product).path).json()["self_url"] == product
    [build] = conveyor.call("GET", BUILDS).json()["builds"]
    assert conveyor.call("GET", urlsplit(build).path).json()["self_url"] == build


def test_wrong_password_is_json_with_a_challenge() -> None:
    answer = APIClient().get("/token", HTTP_AUTHORIZATION=basic("ci", "wrong"))
    assert (answer.status_code, answer["Content-Type"]) == (401, MEDIA_TYPE)
    assert answer["WWW-Authenticate"].startswith("Basic")
    assert answer.json()["message"]
