"""Presigned POSTs of the service: what they store, and what they must not."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.store.answers import Answer, http_answer
from tests.store.differences import Expectations
from tests.store.places import body_of, is_missing
from tests.store.posting import PRODUCT, PROFILE, SHORT, Desk, send_post
from tests.store.stage import isolation_of
from tests.store.uploader import RegisteredBuild

STORED = Answer(204)
REFUSED = Answer(403, "AccessDenied")
# Of the policy, or of the session that signed it: both end at the same moment.
EXPIRED = {REFUSED, Answer(400, "ExpiredToken")}
NOT_SUPPORTED = Answer(422, "post_not_supported")
BODY = b"<p>Posted.</p>"
MARGIN_SECONDS = 1.2

Post = dict[str, Any]


@pytest.fixture(scope="module")
def found(desk: Desk) -> str:
    """What the check finds of the store, before anything else was tried on it."""
    [run] = json.loads(isolation_of(desk.service))
    return str(run["post_support"])


@pytest.fixture(params=["session", "identity"])
def signer(
    request: pytest.FixtureRequest, desk: Desk, found: str, expect: Expectations
) -> Iterator[str]:
    """Who signs. A store that stores nothing of a session's POST is left to the identity."""
    who = str(request.param)
    desk.set_store(
        post_support="works" if who == "session" else "broken", post_signer_profile=PROFILE
    )
    yield who
    desk.set_store(post_support=found, post_signer_profile="")


@pytest.fixture
def stores(signer: str, expect: Expectations) -> bool:
    """Whether what this signer signs is stored."""
    return bool(expect.of(f"POST signed by {signer}, stored", on_aws=True))


@pytest.fixture
def build(desk: Desk, signer: str) -> RegisteredBuild:
    return desk.uploader.register(PRODUCT)


@pytest.fixture
def posts(desk: Desk, build: RegisteredBuild) -> Callable[..., Any]:
    def ask(*directories: str) -> Any:
        answer = desk.posts(build, *directories)
        assert answer.ok, answer.text
        return answer.json()

    return ask


def at(build: RegisteredBuild, name: str) -> dict[str, str]:
    return {"Bucket": build.bucket, "Key": f"{build.root}/{name}" if name else build.root}


def test_check_finds_out_whether_posts_of_a_session_are_stored(
    found: str, expect: Expectations
) -> None:
    stores = expect.of("POST signed by session, stored", on_aws=True)
    assert found == ("works" if stores else "broken")


def test_store_that_was_not_tried_or_is_broken_is_not_posted_to(desk: Desk, found: str) -> None:
    build = desk.uploader.register(PRODUCT)
    for support in ("unknown", "broken"):
        desk.set_store(post_support=support)
        assert http_answer(desk.posts(build, "/")) == NOT_SUPPORTED
    desk.set_store(post_support=found)


@pytest.mark.parametrize(
    ("directory", "key"),
    [
        ("/", "a.html"),
        ("x/y/", "x/y/a.html"),
        ("\u0dc1\u0dca\u200d\u0dbb/\ue000/", "\u0dc1\u0dca\u200d\u0dbb/\ue000/a.html"),
    ],
)
def test_file_is_stored_in_its_directory(
    *,
    directory: str,
    key: str,
    posts: Callable[..., Any],
    build: RegisteredBuild,
    stores: bool,
    admin: Any,
    expect: Expectations,
) -> None:
    post = posts(directory)["post_prefix_urls"][directory]
    assert send_post(post, "a.html", BODY, content_type="text/html") == STORED
    if not stores:
        assert is_missing(admin, at(build, key))
        return
    head = admin.head_object(**at(build, key))
    kept = expect.of("POST, cache control", "max-age=31536000")
    assert (head["ContentType"], head.get("CacheControl")) == ("text/html", kept)
    assert set(head["Metadata"]) == {"surrogate-key"}
    assert body_of(admin, build.bucket, f"{build.root}/{key}") == BODY


@pytest.mark.parametrize(("directory", "key"), [("/", ""), ("x/y/", "x/y")])
def test_directory_is_stored_under_its_own_name(
    *,
    directory: str,
    key: str,
    posts: Callable[..., Any],
    build: RegisteredBuild,
    stores: bool,
    admin: Any,
) -> None:
    post = posts(directory)["post_dir_urls"][directory]
    assert send_post(post, "", b"", content_type=None) == STORED
    if not stores:
        assert is_missing(admin, at(build, key))
        return
    head = admin.head_object(**at(build, key))
    assert set(head["Metadata"]) == {"surrogate-key", "dir-redirect"}
    assert head["ContentLength"] == 0


def test_row_says_who_signed(posts: Callable[..., Any], desk: Desk, signer: str) -> None:
    answer = posts("/")
    credential = answer["post_prefix_urls"]["/"]["fields"]["x-amz-credential"]
    assert credential.partition("/")[0] in desk.ledger("access_key_id", "post")
    has_token = "x-amz-security-token" in answer["post_prefix_urls"]["/"]["fields"]
    assert has_token is (signer == "session")


def other_root(root: str) -> str:
    return f"{root.rpartition('/')[0]}/{'0' * 26}"


OUTSIDE: dict[str, Callable[[RegisteredBuild], str]] = {
    "another build's root": lambda build: f"{other_root(build.root)}/${{filename}}",
    "beside the root": lambda build: f"{build.root}-x/${{filename}}",
    "another product": lambda build: "handbook/builds/1/${filename}",
    "another directory": lambda build: f"{build.root}/other/${{filename}}",
    "top of the bucket": lambda build: "${filename}",
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_key_outside_of_the_directory_is_refused(
    case: str,
    posts: Callable[..., Any],
    build: RegisteredBuild,
    admin: Any,
) -> None:
    post = posts("x/")["post_prefix_urls"]["x/"]
    key = OUTSIDE[case](build)
    assert send_post(post, "a.html", BODY, key=key) == REFUSED
    where = {"Bucket": build.bucket, "Key": key.replace("${filename}", "a.html")}
    assert is_missing(admin, where)


CHANGED = {
    "acl": "public-read",
    "Cache-Control": "no-cache",
    "x-amz-meta-surrogate-key": "0" * 32,
    "success_action_status": "201",
    "x-amz-meta-more": "1",
    "x-amz-website-redirect-location": "/elsewhere",
}


@pytest.mark.parametrize("field", CHANGED)
def test_field_that_is_not_as_it_was_signed_is_refused(
    field: str, posts: Callable[..., Any], build: RegisteredBuild, admin: Any
) -> None:
    post = posts("/")["post_prefix_urls"]["/"]
    assert send_post(post, "a.html", BODY, **{field: CHANGED[field]}) == REFUSED
    assert is_missing(admin, at(build, "a.html"))


def test_policy_that_was_changed_is_refused(
    posts: Callable[..., Any], build: RegisteredBuild, admin: Any, expect: Expectations
) -> None:
    post = posts("/")["post_prefix_urls"]["/"]
    text = base64.b64decode(post["fields"]["policy"]).decode()
    widened = text.replace(build.root, other_root(build.root))
    policy = base64.b64encode(widened.encode()).decode()
    key = f"{other_root(build.root)}/${{filename}}"
    answer = send_post(post, "a.html", BODY, policy=policy, key=key)
    assert answer == expect.of("POST, policy changed", Answer(403, "SignatureDoesNotMatch"))
    assert is_missing(admin, {"Bucket": build.bucket, "Key": f"{other_root(build.root)}/a.html"})


def test_file_over_the_limit_is_refused(
    posts: Callable[..., Any],
    build: RegisteredBuild,
    admin: Any,
    signer: str,
    expect: Expectations,
) -> None:
    """The suite's service takes 1000 bytes a file."""
    post = posts("/")["post_prefix_urls"]["/"]
    assert send_post(post, "small", b"x" * 1000) == STORED
    too_large = expect.of(f"POST signed by {signer}, too large", Answer(400, "EntityTooLarge"))
    assert send_post(post, "large", b"x" * 1001) == too_large
    assert is_missing(admin, at(build, "large"))


def test_post_works_after_its_build_was_finished(
    *,
    posts: Callable[..., Any],
    build: RegisteredBuild,
    desk: Desk,
    stores: bool,
    admin: Any,
) -> None:
    """Until it expires: a store takes nothing back that was signed."""
    post = posts("/")["post_prefix_urls"]["/"]
    desk.uploader.finish(build)
    assert send_post(post, "late", BODY) == STORED
    assert is_missing(admin, at(build, "late")) is not stores
    assert http_answer(desk.posts(build, "/")) == Answer(409, "build_closed")


def test_post_is_refused_once_it_has_expired(
    *, desk: Desk, stores: bool, admin: Any, signer: str
) -> None:
    build = desk.uploader.register(SHORT)
    answer = desk.posts(build, "/").json()
    post = answer["post_prefix_urls"]["/"]
    assert send_post(post, "early", BODY) == STORED
    assert is_missing(admin, at(build, "early")) is not stores
    until = datetime.fromisoformat(answer["post_expires_at"]).timestamp()
    time.sleep(max(0.0, until - time.time()) + MARGIN_SECONDS)
    assert send_post(post, "late", BODY) in EXPIRED
    assert is_missing(admin, at(build, "late"))
