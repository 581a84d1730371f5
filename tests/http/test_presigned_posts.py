"""Presigned POSTs over HTTP: exactly LTD Keeper's fields, for exactly the directories sent."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Build, Product, Store
from credentials.models import IssuedSession
from tests.conftest import undone
from tests.fake_sts import FakeSts
from tests.http.conftest import Refused, Send
from tests.http.endpoints import PRESIGN_POSTS, REGISTER_BUILD
from tests.http.problem import assert_problem

pytestmark = pytest.mark.django_db

V2 = {"HTTP_ACCEPT": "application/vnd.ltdkeeper.v2+json"}
DIRECTORIES = ["/", "_static/", "a/b c/ü/"]
# What a signature adds to the fields.
SIGNED = {
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "policy",
    "x-amz-signature",
}

Posts = dict[str, dict[str, Any]]


@pytest.fixture
def ask(send: Send) -> Callable[..., dict[str, Any]]:
    def call(directories: list[str] | None = None) -> dict[str, Any]:
        body = {"directories": DIRECTORIES if directories is None else directories}
        response = send(replace(PRESIGN_POSTS, body=body))
        assert response.status_code == 200, response.content
        document: dict[str, Any] = response.json()
        return document

    return call


@pytest.fixture
def register_with(send: Send) -> Callable[..., Any]:
    """Register a build as clients of the second media type do."""

    def call(directories: Any, accept: dict[str, str] | None = None, **fields: Any) -> Any:
        body = REGISTER_BUILD.body | {"directories": directories} | fields
        return send(replace(REGISTER_BUILD, body=body), **(V2 if accept is None else accept))

    return call


def policy_of(post: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(base64.b64decode(post["fields"]["policy"]))
    return document


def own_fields(post: dict[str, Any]) -> dict[str, str]:
    """The fields without those of the signature."""
    return {name: value for name, value in post["fields"].items() if name not in SIGNED}


def conditions_of(post: dict[str, Any]) -> list[Any]:
    """The conditions without those of the signature."""
    return [
        condition
        for condition in policy_of(post)["conditions"]
        if not (isinstance(condition, dict) and SIGNED & set(condition))
    ]


def test_answer_has_two_posts_for_exactly_each_directory(ask: Callable[..., Any]) -> None:
    document = ask()
    assert list(document) == ["post_prefix_urls", "post_dir_urls", "post_expires_at", "session_id"]
    for title in ("post_prefix_urls", "post_dir_urls"):
        assert list(document[title]) == DIRECTORIES
        assert all(set(post) == {"url", "fields"} for post in document[title].values())


KEYS = {
    "/": ("{root}/${filename}", "{root}"),
    "_static/": ("{root}/_static/${filename}", "{root}/_static"),
    "a/b c/ü/": ("{root}/a/b c/ü/${filename}", "{root}/a/b c/ü"),
}


def test_fields_are_exactly_these(ask: Callable[..., Any], build: Build) -> None:
    document = ask()
    for directory, keys in KEYS.items():
        file_key, own_key = (key.replace("{root}", build.root) for key in keys)
        common = {
            "Cache-Control": "max-age=31536000",
            "x-amz-meta-surrogate-key": build.surrogate_key,
            "success_action_status": "204",
        }
        file, own = (document[title][directory] for title in ("post_prefix_urls", "post_dir_urls"))
        assert own_fields(file) == {"key": file_key, **common}, directory
        assert own_fields(own) == {"key": own_key, **common, "x-amz-meta-dir-redirect": "true"}
        assert set(file["fields"]) - set(own_fields(file)) == SIGNED, directory


def test_policy_holds_every_field_and_no_other_key(ask: Callable[..., Any], build: Build) -> None:
    document = ask()
    for directory, keys in KEYS.items():
        file_key, own_key = (key.replace("{root}", build.root) for key in keys)
        common = [
            {"Cache-Control": "max-age=31536000"},
            {"x-amz-meta-surrogate-key": build.surrogate_key},
            {"success_action_status": "204"},
        ]
        size = ["content-length-range", 0, 5 * 1024**3]
        bucket = {"bucket": "docs-bucket"}
        starts = ["starts-with", "$key", file_key.removesuffix("${filename}")]
        any_type = ["starts-with", "$Content-Type", ""]
        file, own = (document[title][directory] for title in ("post_prefix_urls", "post_dir_urls"))
        assert conditions_of(file) == [bucket, starts, any_type, *common, size], directory
        redirect = {"x-amz-meta-dir-redirect": "true"}
        assert conditions_of(own) == [bucket, {"key": own_key}, *common, redirect, size], directory


def test_signature_is_that_of_the_session(ask: Callable[..., Any], sts: FakeSts) -> None:
    fields = ask()["post_prefix_urls"]["/"]["fields"]
    row = IssuedSession.objects.get()
    assert fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert fields["x-amz-credential"].startswith(f"{row.access_key_id}/")
    assert fields["x-amz-credential"].endswith("/us-east-1/s3/aws4_request")
    assert fields["x-amz-security-token"] == sts.secrets[1]


def test_session_may_only_write_at_and_below_the_root(
    ask: Callable[..., Any], sts: FakeSts, build: Build
) -> None:
    ask()
    [statement] = json.loads(sts.requests[0]["Policy"])["Statement"]
    where = f"arn:aws:s3:::docs-bucket/{build.root}"
    assert (statement["Action"], statement["Resource"]) == ("s3:PutObject", [where, f"{where}/*"])
    assert IssuedSession.objects.get().delivery == "post"


LIFETIMES = {
    "the role's longest": (21_600, 3600, None, 3600),
    "the setting": (21_600, 43_200, None, 21_600),
    "the product's ceiling": (21_600, 43_200, 1200, 1200),
}


def test_life_is_the_setting_as_far_as_it_is_allowed(
    ask: Callable[..., Any], sts: FakeSts, settings: Any
) -> None:
    for case, (chosen, role, product, expected) in LIFETIMES.items():
        with undone():
            settings.LTD_POST_LIFETIME = chosen
            Store.objects.update(role_max_seconds=role)
            Product.objects.update(session_seconds=product)
            document = ask()
            assert sts.requests[-1]["DurationSeconds"] == expected, case
            expires_at = datetime.fromisoformat(document["post_expires_at"])
            assert expires_at == IssuedSession.objects.get().expires_at, case


def test_policy_ends_with_the_build_if_that_is_sooner(
    ask: Callable[..., Any], build: Build
) -> None:
    soon = (timezone.now() + timedelta(minutes=10)).replace(microsecond=0)
    Build.objects.update(open_until=soon)
    document = ask()
    assert datetime.fromisoformat(document["post_expires_at"]) == soon
    expiration = policy_of(document["post_prefix_urls"]["/"])["expiration"]
    assert expiration == f"{soon:%Y-%m-%dT%H:%M:%SZ}"


def test_size_limit_is_the_setting(ask: Callable[..., Any], settings: Any) -> None:
    settings.LTD_POST_MAX_BYTES = 1234
    document = ask(["/"])
    for title in ("post_prefix_urls", "post_dir_urls"):
        assert ["content-length-range", 0, 1234] in conditions_of(document[title]["/"])


def test_public_acl_is_sent_only_where_the_store_says_so(ask: Callable[..., Any]) -> None:
    assert "acl" not in ask(["/"])["post_prefix_urls"]["/"]["fields"]
    Store.objects.update(acl_mode="public-read")
    document = ask(["/"])
    for title in ("post_prefix_urls", "post_dir_urls"):
        post = document[title]["/"]
        assert post["fields"]["acl"] == "public-read"
        assert {"acl": "public-read"} in conditions_of(post)


# Which directories are bad: tests of the rules for object names.
BAD = {
    "parent": ["/", "../"],
    "variable": ["${filename}/"],
    "absolute": ["/a/"],
    "newline": ["a\n/"],
    "no slash behind": ["_static"],
    "empty": [""],
    "twice": ["a/", "/", "a/"],
    "too long": ["x" * 1000 + "/"],
    "none": [],
    "too many": [f"{number}/" for number in range(5001)],
}


def test_bad_directory_is_refused_and_named(refused: Refused) -> None:
    for case, directories in BAD.items():
        body = json.dumps({"directories": directories})
        document = json.loads(refused(PRESIGN_POSTS, 400, "bad_directory", body).content)
        names = [name for name in directories if name != "/"]
        if names and case != "too many":
            assert ascii(names[0])[1:40] in document["detail"], case


def test_directories_that_are_no_list_of_text_are_refused(refused: Refused) -> None:
    for value in (None, "/", ["/", 1], {"/": 1}, [["/"]]):
        refused(PRESIGN_POSTS, 400, "invalid_request", json.dumps({"directories": value}))


def test_build_answer_holds_the_same_maps(register_with: Callable[..., Any]) -> None:
    response = register_with(DIRECTORIES)
    document = response.json()
    build = Build.objects.get(slug=document["slug"])
    assert response.status_code == 201
    assert list(document["post_prefix_urls"]) == list(document["post_dir_urls"]) == DIRECTORIES
    key = document["post_prefix_urls"]["_static/"]["fields"]["key"]
    assert key == f"{build.root}/_static/${{filename}}"
    assert document["post_dir_urls"]["/"]["fields"]["key"] == build.root
    assert response["Location"] == document["self_url"]
    assert response["Cache-Control"] == "no-store"


OTHERS = {
    "no header": {},
    "any": {"HTTP_ACCEPT": "*/*"},
    "v1": {"HTTP_ACCEPT": "application/json"},
}


def test_directories_need_the_second_media_type(
    register_with: Callable[..., Any], sts: FakeSts
) -> None:
    for case, accept in OTHERS.items():
        response = register_with(["/"], accept=accept)
        assert response.status_code == 400, case
        assert "Accept: application/vnd.ltdkeeper.v2+json" in response.json()["message"], case
        assert sts.requests == [], case


def test_media_type_is_found_among_others(register_with: Callable[..., Any]) -> None:
    accept = "text/html, Application/vnd.LTDKeeper.v2+json;q=0.9"
    assert "post_dir_urls" in register_with(["/"], accept={"HTTP_ACCEPT": accept}).json()


def test_second_media_type_without_directories_asks_for_no_session(
    send: Send, sts: FakeSts
) -> None:
    assert send(REGISTER_BUILD, **V2).status_code == 201
    assert sts.requests == []


def test_bad_directory_registers_no_build(refused: Refused) -> None:
    body = json.dumps(REGISTER_BUILD.body | {"directories": ["/", "../"]})
    refused(REGISTER_BUILD, 400, "bad_directory", body, **V2)


def test_build_is_deleted_when_its_session_is_not_issued(
    register_with: Callable[..., Any], sts: FakeSts
) -> None:
    sts.fail_with("Throttling")
    response = register_with(["/"])
    assert (response.status_code, response.json()["code"]) == (503, "sts_throttled")
    assert response.json()["detail"].endswith("is deleted: register again.")
    assert Build.objects.latest("pk").deleted_at is not None


def test_build_with_a_chosen_slug_stays_open_when_its_session_is_not_issued(
    register_with: Callable[..., Any], send: Send, sts: FakeSts
) -> None:
    """It could not be registered again."""
    sts.fail_with("Throttling")
    refused = assert_problem(register_with(["/"], slug="v1"), 503, "sts_throttled")
    path = f"/builds/{Build.objects.get(slug='v1').pk}/presigned-posts"
    assert refused["message"].endswith(f"request its POSTs with POST {path}.")
    sts.error = None
    assert "/" in send(replace(PRESIGN_POSTS, path=path)).json()["post_prefix_urls"]


def test_build_is_deleted_when_signing_fails(
    register_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr("credentials.vending.signing.Signer.sign_post", fail)
    assert register_with(["/"]).status_code == 500
    assert Build.objects.latest("pk").deleted_at is not None


UNSUPPORTED = {
    "broken": {"post_support": "broken"},
    "unknown, not AWS": {"endpoint_url": "https://s3.example.org"},
}


def test_store_that_takes_no_posts_is_told_before_anything_is_made(
    refused: Refused, build: Build
) -> None:
    for fields in UNSUPPORTED.values():
        with undone():
            Store.objects.update(**fields)
            refused(PRESIGN_POSTS, 422, "post_not_supported")
            body = json.dumps(REGISTER_BUILD.body | {"directories": ["/"]})
            refused(REGISTER_BUILD, 422, "post_not_supported", body, **V2)


def test_store_that_was_seen_to_take_posts_is_posted_to(ask: Callable[..., Any]) -> None:
    Store.objects.update(
        post_support="works",
        endpoint_url="http://inside:9000",
        public_endpoint_url="https://s3.example.org",
    )
    assert ask(["/"])["post_prefix_urls"]["/"]["url"] == "https://s3.example.org/docs-bucket"


def test_later_batch_is_signed_by_the_same_session(ask: Callable[..., Any], sts: FakeSts) -> None:
    first, second = ask(["/"]), ask(["more/"])
    assert len(sts.requests) == 1
    assert first["session_id"] == second["session_id"] == IssuedSession.objects.get().pk
    assert list(second["post_dir_urls"]) == ["more/"]
