"""Values that are no names: wrong types, illegal slugs, control characters, lengths."""

import json
from typing import Any

import pytest

from builds.models import Build
from tests.http.conftest import Refused, Send
from tests.http.endpoints import CREATE_PRODUCT, REGISTER_BUILD

pytestmark = pytest.mark.django_db

NOT_TEXT: dict[str, Any] = {
    "number": 1,
    "zero": 0,
    "fraction": 1.5,
    "true": True,
    "false": False,
    "empty list": [],
    "list of a name": ["main"],
    "list in a list": [["main"]],
    "empty object": {},
    "object": {"name": "main"},
}
# Which texts are slugs at all: tests/builds/names/test_slugs.py.
NEVER_A_SLUG: dict[str, str] = {
    "empty": "",
    "blank": " ",
    "space after": "ab ",
    "slash": "a/b",
    "dots": "..",
    "escaped slash": "a%2fb",
    "backslash": "a\\b",
    "NUL": "ab\0",
    "newline after": "ab\n",
    "star": "*",
    "policy variable": "${aws:username}",
    "double quote": 'a"b',
    "right-to-left override": "a\u202eb",
    "zero-width space": "a\u200bb",
    "e acute, decomposed": "cafe\u0301",
    "full width": "\uff41\uff42",
    "digit of another script": "a\u0663",
    "half a megabyte": "a" * 500_000,
}
NO_PRODUCT_SLUG = NEVER_A_SLUG | {
    "upper case": "Guide",
    "hyphen last": "guide-",
    "64 characters": "a" * 64,
}
NO_BUILD_SLUG = NEVER_A_SLUG | {"65 characters": "a" * 65}
UNPRINTABLE: dict[str, str] = {
    "NUL": "ma\0in",
    "newline after": "main\n",
    "newline before": "\nmain",
    "tab": "ma\tin",
    "C1 control": "main\x85",
    "right-to-left override": "main\u202e",
    "line separator": "main\u2028",
    "256 characters": "a" * 256,
}
PRODUCT_TEXTS = ["title", "doc_repo", "root_domain"]
LEGAL_SLUGS = ["1", "...", "-", "a" * 64, "DM-1234_x.y-z"]


def product(**fields: Any) -> str:
    return json.dumps({"slug": "fresh", "store": "main"} | fields)


def build(**fields: Any) -> str:
    return json.dumps({"git_refs": ["main"]} | fields)


def test_text_must_be_text(refused: Refused) -> None:
    for value in NOT_TEXT.values():
        response = refused(REGISTER_BUILD, 400, "invalid_request", build(github_requester=value))
        assert list(response.json()["errors"]) == ["github_requester"]
    response = refused(REGISTER_BUILD, 400, "invalid_request", build(slug=7))
    assert list(response.json()["errors"]) == ["slug"]
    for field in ("slug", "store", *PRODUCT_TEXTS):
        for value in (7, None):
            response = refused(CREATE_PRODUCT, 400, "invalid_request", product(**{field: value}))
            assert list(response.json()["errors"]) == [field]


def test_each_git_ref_must_be_text(refused: Refused) -> None:
    for value in (*NOT_TEXT.values(), None, ""):
        response = refused(REGISTER_BUILD, 400, "invalid_request", build(git_refs=["main", value]))
        assert list(response.json()["errors"]) == ["git_refs"]


NO_LIST = {"text": "main", "number": 1, "object": {"0": "main"}, "null": None, "true": True}


def test_git_refs_must_be_a_list_of_one_to_a_hundred(refused: Refused) -> None:
    for value in (*NO_LIST.values(), [], ["main"] * 101, ["main"] * 10_000):
        refused(REGISTER_BUILD, 400, "invalid_request", build(git_refs=value))


def test_illegal_product_slug_is_refused(refused: Refused) -> None:
    for slug in NO_PRODUCT_SLUG.values():
        response = refused(CREATE_PRODUCT, 400, "invalid_request", product(slug=slug))
        assert list(response.json()["errors"]) == ["slug"]
        assert len(response.content) < 1_000


def test_illegal_build_slug_is_refused(refused: Refused) -> None:
    for slug in NO_BUILD_SLUG.values():
        response = refused(REGISTER_BUILD, 400, "invalid_request", build(slug=slug))
        assert list(response.json()["errors"]) == ["slug"]
        assert len(response.content) < 1_000


def test_unprintable_or_long_text_is_refused(refused: Refused) -> None:
    for text in UNPRINTABLE.values():
        refused(REGISTER_BUILD, 400, "invalid_request", build(github_requester=text))
    for text in ("main\n", "a" * 256):
        refused(REGISTER_BUILD, 400, "invalid_request", build(git_refs=[text]))
        for field in ("store", *PRODUCT_TEXTS):
            refused(CREATE_PRODUCT, 400, "invalid_request", product(**{field: text}))


def test_legal_build_slug_becomes_the_root(send: Send) -> None:
    for slug in LEGAL_SLUGS:
        response = send(REGISTER_BUILD, build(slug=slug))
        assert (response.status_code, response.json()["slug"]) == (201, slug)
        assert Build.objects.get(slug=slug).root == f"guide/builds/{slug}"


@pytest.mark.parametrize("raw", [build(), build(slug=None)], ids=["left out", "null"])
def test_build_without_a_slug_is_given_one(raw: str, send: Send) -> None:
    assert len(send(REGISTER_BUILD, raw).json()["slug"]) == 26


def test_human_texts_may_be_in_any_script(send: Send) -> None:
    title = (
        "Anleitung für Größen, 手引き, \u0dc1\u0dca\u200d\u0dbb, \u0645\u200c\u062e \ue000\u0378"
    )
    response = send(CREATE_PRODUCT, product(title=title))
    assert (response.status_code, response.json()["title"]) == (201, title)
    answer = send(REGISTER_BUILD, build(git_refs=[title], github_requester=title)).json()
    assert (answer["git_refs"], answer["github_requester"]) == ([title], title)


ACCESS = {"sync": "sync", "upper case": "UPLOAD", "null": None, "true": True, "list": ["upload"]}


def test_access_that_only_an_operator_gives_is_refused(refused: Refused) -> None:
    for access in ACCESS.values():
        raw = json.dumps(CREATE_PRODUCT.body | {"access": access})
        response = refused(CREATE_PRODUCT, 400, "invalid_request", raw)
        assert response.json()["message"].startswith("The request is not valid: access: ")


def test_access_that_a_new_product_has_anyway_is_taken(send: Send) -> None:
    response = send(CREATE_PRODUCT, json.dumps(CREATE_PRODUCT.body | {"access": "upload"}))
    assert (response.status_code, response.json()["access"]) == (201, "upload")
