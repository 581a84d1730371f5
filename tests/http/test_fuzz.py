"""Whatever anybody sends, in every text and number of a request: an answer, never a failure."""

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client as Browser
from hypothesis import given
from hypothesis import strategies as st

from builds.models import Build
from ltdkeeper.middleware import GuardedRequest
from tests.fuzz.cases import TEXTS, VALUES, fuzzed
from tests.http.conftest import Send, basic
from tests.http.endpoints import ENDPOINTS, LIST_BUILDS, LIST_PRODUCTS, TOKEN, WITH_A_BODY, Endpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("s3"), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _request_as_served(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's test client makes requests of its own class; the server makes ours."""
    settings.LTD_TRUSTED_PROXIES = 1
    monkeypatch.setattr("django.test.client.WSGIRequest", GuardedRequest)


MEMBERS = [
    "slug", "store", "title", "doc_repo", "root_domain", "git_refs", "github_requester",
    "directories", "files", "uploaded", "empty", "duration_seconds", "token", "products",
    "expires_in", "format", "delivery",
]  # fmt: skip
PARAMETERS = ["cursor", "page_size", "product", "format", "expires_in", "delivery", "next", "q"]
HEADERS = [
    "HTTP_USER_AGENT", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_ACCEPT",
    "HTTP_ACCEPT_LANGUAGE", "HTTP_HOST", "HTTP_COOKIE", "HTTP_IF_NONE_MATCH", "HTTP_RANGE",
    "HTTP_IF_MODIFIED_SINCE", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_EXPECT", "REMOTE_ADDR",
    "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_X_HTTP_METHOD_OVERRIDE",
]  # fmt: skip
PARTS = [
    *(f"charset={name}" for name in ("utf-16", "rot13", "zlib", "idna", "undefined", "x", "ü")),
    "charset*=x''a", "charset*=rot13''a", "charset*0=utf; charset*1=-16", "boundary=x", ";;=", "\0",
]  # fmt: skip
MEDIA_TYPES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", ""]
OPEN = ["/", "/livez", "/readyz", "/metrics", "/oidc/audience", "/token", "/nowhere", "/admin/"]
OIDC = Endpoint(method="POST", path="/oidc/token", body={"token": "a.b.c"})
BODIES = {**WITH_A_BODY, "mint job token": OIDC}
GETS = [Endpoint(method="GET", path=path) for path in OPEN]
V2 = {"HTTP_ACCEPT": "application/vnd.ltdkeeper.v2+json"}


def latin(text: str) -> str:
    """As a header arrives: bytes, each a character."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def queries() -> st.SearchStrategy[str]:
    names = st.sampled_from(PARAMETERS) | TEXTS
    pairs = st.lists(st.tuples(names, TEXTS | st.integers().map(str)), min_size=1, max_size=4)
    read = pairs.map(lambda pairs: "&".join(f"{escaped(n)}={escaped(v)}" for n, v in pairs))
    return read | st.sampled_from(["a&" * 1001, "product=a&" * 1001, "%", "&", "=", "%ff=%ff", ";"])


def cursors() -> st.SearchStrategy[str]:
    parts = st.fixed_dictionaries({}, optional={"p": TEXTS, "o": TEXTS, "r": TEXTS})
    read = parts.map(lambda parts: "&".join(f"{n}={escaped(v)}" for n, v in parts.items()))
    plain = read | st.sampled_from(["p=" + "9" * 4400, "p=-9", "o=" + "9" * 4400, "p=%d9%a3"])
    return plain.map(lambda text: base64.b64encode(text.encode()).decode())


def is_answered(response: Any) -> None:
    assert response.status_code < 500, response.content[:300]


@fuzzed
@given(name=st.sampled_from(sorted(BODIES)), member=st.sampled_from(MEMBERS) | TEXTS, value=VALUES)
def test_members_of_bodies(name: str, member: str, value: Any, send: Send) -> None:
    body = {**BODIES[name].body, member: value}
    is_answered(send(BODIES[name], json.dumps(body), **V2))


@fuzzed
@given(name=st.sampled_from(sorted(BODIES)), raw=st.binary(max_size=60) | VALUES.map(json.dumps))
def test_bodies(name: str, raw: bytes, send: Send) -> None:
    is_answered(send(BODIES[name], raw))


@fuzzed
@given(file=st.dictionaries(st.sampled_from(["key", "size", "sha256", "content_type"]), VALUES))
def test_files_to_presign(file: dict[str, Any], send: Send) -> None:
    body = {"files": [{"key": "index.html", **file}]}
    is_answered(send(ENDPOINTS["presign urls"], json.dumps(body)))


@fuzzed
@given(name=st.sampled_from(sorted(ENDPOINTS)), text=TEXTS | st.integers().map(str))
def test_paths(name: str, text: str, send: Send, build: Build) -> None:
    endpoint = ENDPOINTS[name]
    path = endpoint.path.replace("{build}", escaped(text)).replace("guide", escaped(text))
    is_answered(send(replace(endpoint, path=path)))
    is_answered(send(replace(endpoint, path=f"/{escaped(text)}{endpoint.path}")))


@fuzzed
@given(endpoint=st.sampled_from([*ENDPOINTS.values(), *GETS, OIDC]), query=queries())
def test_queries(endpoint: Endpoint, query: str, send: Send) -> None:
    is_answered(send(replace(endpoint, path=f"{endpoint.path}?{query}")))


@fuzzed
@given(endpoint=st.sampled_from([LIST_BUILDS, LIST_PRODUCTS]), cursor=cursors(), size=TEXTS)
def test_pages(endpoint: Endpoint, cursor: str, size: str, send: Send) -> None:
    query = f"cursor={escaped(cursor)}&page_size={escaped(size)}"
    is_answered(send(replace(endpoint, path=f"{endpoint.path}?{query}")))


@fuzzed
@given(header=st.one_of(
    TEXTS,
    st.tuples(st.sampled_from(["Bearer", "Basic", "basic", "Digest"]), TEXTS).map(" ".join),
    st.tuples(TEXTS, TEXTS).map(lambda pair: basic(*map(latin, pair))),
    TEXTS.map(lambda text: f"Bearer ltdk_{text}_{'0' * 64}"),
))  # fmt: skip
def test_authorization(header: str, send: Send) -> None:
    for endpoint in (TOKEN, GETS[3]):
        is_answered(send(endpoint, HTTP_AUTHORIZATION=latin(header)))


@fuzzed
@given(
    endpoint=st.sampled_from([*ENDPOINTS.values(), *GETS, OIDC]),
    name=st.sampled_from(HEADERS),
    value=TEXTS,
)
def test_headers(endpoint: Endpoint, name: str, value: str, send: Send) -> None:
    is_answered(send(endpoint, **{name: latin(value)}))


@fuzzed
@given(
    endpoint=st.sampled_from([*ENDPOINTS.values(), *GETS, OIDC]),
    media_type=st.sampled_from(MEDIA_TYPES),
    part=st.sampled_from(PARTS) | TEXTS,
    length=TEXTS | st.none(),
)
def test_content(
    endpoint: Endpoint, media_type: str, part: str, length: str | None, send: Send
) -> None:
    told = {} if length is None else {"CONTENT_LENGTH": latin(length)}
    path = f"{endpoint.path}?a=%ff"
    content_type = f"{media_type}; {latin(part)}"
    is_answered(send(replace(endpoint, path=path), content_type=content_type, **told))


LOGIN = ["username", "password", "next", "csrfmiddlewaretoken"]


@fuzzed
@given(
    fields=st.dictionaries(st.sampled_from(LOGIN), TEXTS),
    cookie=st.tuples(st.sampled_from(["sessionid", "csrftoken", "messages"]), TEXTS),
    media_type=st.sampled_from(MEDIA_TYPES),
    part=st.sampled_from(PARTS),
    query=queries(),
)
def test_login(
    fields: dict[str, str],
    cookie: tuple[str, str],
    media_type: str,
    part: str,
    query: str,
    db: None,
) -> None:
    browser = Browser(raise_request_exception=False)
    name, value = cookie
    octal = "".join(f"\\{byte:03o}" for byte in value.encode("utf-8", "surrogatepass")[:60])
    shown = {"HTTP_COOKIE": f'{name}="{octal}"', "HTTP_X_FORWARDED_PROTO": "https"}
    body = "&".join(f"{escaped(name)}={escaped(text)}" for name, text in fields.items())
    content_type = f"{media_type}; {latin(part)}"
    for path in ("/admin/login/", "/admin/"):
        is_answered(browser.get(f"{path}?{query}", secure=True, **shown))
        answer = browser.generic(
            "POST", f"{path}?{query}", body, content_type=content_type, secure=True, **shown
        )
        is_answered(answer)
