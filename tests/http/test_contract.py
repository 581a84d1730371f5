"""LTD Keeper's contract: status, `Location` and every member, as real clients read them."""

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from builds.models import Build, Product
from tests.conftest import undone
from tests.http.conftest import Send
from tests.http.endpoints import (
    CREATE_PRODUCT,
    DELETE_BUILD,
    READ_BUILD,
    READ_PRODUCT,
    REGISTER_BUILD,
    TOKEN,
    Endpoint,
)

pytestmark = pytest.mark.django_db

HOME = "https://keeper.example.org"
ROOT = Endpoint(method="GET", path="/")
V2 = {"HTTP_ACCEPT": "application/vnd.ltdkeeper.v2+json"}
BUILD_MEMBERS = {
    "self_url": str,
    "product_url": str,
    "slug": str,
    "date_created": str,
    "date_ended": type(None),
    "uploaded": bool,
    "bucket_name": str,
    "bucket_root_dir": str,
    "git_refs": list,
    "github_requester": type(None),
    "published_url": str,
    "surrogate_key": str,
}
PRODUCT_MEMBERS = (
    "self_url slug title doc_repo bucket_name published_url domain root_domain surrogate_key"
)


def test_root_says_what_clients_look_for(send: Send) -> None:
    document = send(ROOT, HTTP_AUTHORIZATION="").json()
    assert set(document["data"]) == {"server_version", "documentation", "message"}
    assert document["links"] == {
        "self": f"{HOME}/",
        "token": f"{HOME}/token",
        "products": f"{HOME}/products/",
    }


def test_version_keeps_clients_from_the_second_api(send: Send) -> None:
    version = send(ROOT).json()["data"]["server_version"]
    assert re.fullmatch(r"1\.\d+\.\d+", version)


def test_token_answer_has_one_member(send: Send) -> None:
    response = send(TOKEN)
    document = response.json()
    assert (response.status_code, list(document)) == (200, ["token"])
    assert re.fullmatch(r"ltds_[a-z0-9]{12}_[0-9a-f]{64}", document["token"])


def test_created_product_is_found_at_its_location(send: Send) -> None:
    response = send(CREATE_PRODUCT)
    assert (response.status_code, response["Location"]) == (201, f"{HOME}/products/fresh")
    found = send(replace(READ_PRODUCT, path="/products/fresh"))
    assert found.json() == response.json()


def test_product_has_every_member_as_text(send: Send) -> None:
    body = {
        "slug": "fresh",
        "store": "main",
        "title": "Fresh",
        "doc_repo": "https://git.example.org/fresh",
        "root_domain": "docs.example.org",
    }
    document = send(replace(CREATE_PRODUCT, body=body)).json()
    assert {name: type(document[name]) for name in PRODUCT_MEMBERS.split()} == dict.fromkeys(
        PRODUCT_MEMBERS.split(), str
    )
    assert document.items() >= body.items()


def test_product_knows_its_address_and_bucket(send: Send) -> None:
    Product.objects.update(root_domain="docs.example.org")
    document = send(READ_PRODUCT).json()
    assert document["self_url"] == f"{HOME}/products/guide"
    assert (document["domain"], document["published_url"]) == (
        "guide.docs.example.org",
        "https://guide.docs.example.org",
    )
    assert document["bucket_name"] == "docs-bucket"
    assert re.fullmatch(r"[0-9a-f]{32}", document["surrogate_key"])


@pytest.mark.parametrize("accept", [{}, V2], ids=["v1", "v2"])
def test_registered_build_has_every_member(accept: dict[str, str], send: Send) -> None:
    response = send(REGISTER_BUILD, **accept)
    document = response.json()
    assert response.status_code == 201
    assert {name: type(document[name]) for name in BUILD_MEMBERS} == BUILD_MEMBERS


def test_registered_build_is_found_at_its_location(send: Send) -> None:
    response = send(REGISTER_BUILD)
    document = response.json()
    assert response["Location"] == document["self_url"]
    path = document["self_url"].removeprefix(HOME)
    assert send(replace(READ_BUILD, path=path)).json() == document


def test_registered_build_tells_what_uploaders_use(send: Send) -> None:
    body = {"git_refs": ["main", "tickets/DM-1"], "github_requester": "octocat", "slug": "v1"}
    document = send(replace(REGISTER_BUILD, body=body)).json()
    build = Build.objects.get(slug="v1")
    assert document.items() >= body.items()
    assert document["self_url"] == f"{HOME}/builds/{build.pk}"
    assert document["product_url"] == f"{HOME}/products/guide"
    assert document["bucket_root_dir"] == "guide/builds/v1"
    assert (document["bucket_name"], document["uploaded"]) == ("docs-bucket", False)
    assert document["surrogate_key"] == build.surrogate_key
    assert re.fullmatch(r"[0-9a-f]{32}", build.surrogate_key)


def test_times_are_utc_and_say_so(send: Send) -> None:
    document = send(REGISTER_BUILD).json()
    for name in ("date_created", "open_until"):
        assert document[name].endswith("Z")
        datetime.fromisoformat(document[name])


def test_build_is_published_below_its_product(send: Send, build: Build) -> None:
    Product.objects.update(root_domain="docs.example.org")
    expected = f"https://guide.docs.example.org/builds/{build.slug}"
    assert send(READ_BUILD).json()["published_url"] == expected
    Product.objects.update(published_url_template="https://{product}.example.net/{build}/")
    expected = f"https://guide.example.net/{build.slug}/"
    assert send(READ_BUILD).json()["published_url"] == expected


def test_deleting_answers_with_the_build(send: Send) -> None:
    response = send(DELETE_BUILD)
    document = response.json()
    assert (response.status_code, document["state"]) == (200, "deleted")
    assert document["date_ended"].endswith("Z")


def test_deleting_again_changes_nothing(send: Send) -> None:
    first, second = send(DELETE_BUILD), send(DELETE_BUILD)
    assert (second.status_code, second.content) == (200, first.content)


def addresses(value: Any) -> list[str]:
    """All absolute addresses of this service in a document."""
    return re.findall(r'https?://[^"]*/(?:products|builds|token)[^"]*', json.dumps(value))


ANSWERS = [ROOT, CREATE_PRODUCT, READ_PRODUCT, REGISTER_BUILD, READ_BUILD, DELETE_BUILD]


def test_addresses_come_from_the_setting_not_from_the_request(send: Send, settings: Any) -> None:
    for endpoint in ANSWERS:
        with undone():
            settings.LTD_PUBLIC_URL = "https://front.example.net"
            response = send(
                endpoint, HTTP_HOST="keeper.example.org", HTTP_X_FORWARDED_HOST="evil.example"
            )
            found = addresses([response.json(), response.get("Location", "")])
            assert found, endpoint
            assert all(address.startswith("https://front.example.net/") for address in found), (
                endpoint
            )
