"""Every endpoint of the API with a request that succeeds, for tables that go through them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A method, a path (`{build}` is the id of the build at hand) and a body that is accepted."""

    method: str
    path: str
    body: Any = None


TOKEN = Endpoint(method="GET", path="/token")
LIST_PRODUCTS = Endpoint(method="GET", path="/products/")
CREATE_PRODUCT = Endpoint(method="POST", path="/products/", body={"slug": "fresh", "store": "main"})
READ_PRODUCT = Endpoint(method="GET", path="/products/guide")
LIST_BUILDS = Endpoint(method="GET", path="/products/guide/builds/")
REGISTER_BUILD = Endpoint(
    method="POST", path="/products/guide/builds/", body={"git_refs": ["main"]}
)
READ_BUILD = Endpoint(method="GET", path="/builds/{build}")
FINISH_BUILD = Endpoint(method="PATCH", path="/builds/{build}", body={"uploaded": True})
DELETE_BUILD = Endpoint(method="DELETE", path="/builds/{build}")
ISSUE = Endpoint(method="POST", path="/builds/{build}/credentials", body={})
REFRESH = Endpoint(method="GET", path="/builds/{build}/credentials")
REFRESH_OPEN_BUILD = Endpoint(method="GET", path="/credentials")
PRESIGN_POSTS = Endpoint(
    method="POST", path="/builds/{build}/presigned-posts", body={"directories": ["/", "_static/"]}
)
PRESIGN_URLS = Endpoint(
    method="POST", path="/builds/{build}/presigned-urls", body={"files": [{"key": "index.html"}]}
)

ENDPOINTS = {
    "token": TOKEN,
    "list products": LIST_PRODUCTS,
    "create product": CREATE_PRODUCT,
    "read product": READ_PRODUCT,
    "list builds": LIST_BUILDS,
    "register build": REGISTER_BUILD,
    "read build": READ_BUILD,
    "finish build": FINISH_BUILD,
    "delete build": DELETE_BUILD,
    "issue credentials": ISSUE,
    "refresh credentials": REFRESH,
    "refresh open build": REFRESH_OPEN_BUILD,
    "presign posts": PRESIGN_POSTS,
    "presign urls": PRESIGN_URLS,
}
OF_A_PRODUCT = {name: ENDPOINTS[name] for name in ("read product", "list builds", "register build")}
OF_A_BUILD = {
    name: ENDPOINTS[name]
    for name in (
        "read build",
        "finish build",
        "delete build",
        "issue credentials",
        "refresh credentials",
        "presign posts",
        "presign urls",
    )
}
CHANGING_A_BUILD = {name: case for name, case in OF_A_BUILD.items() if name != "read build"}
CREDENTIALS = {"issue credentials": ISSUE, "refresh credentials": REFRESH}
PRESIGNING = {"presign posts": PRESIGN_POSTS, "presign urls": PRESIGN_URLS}
ISSUING = CREDENTIALS | PRESIGNING
WITH_A_BODY = {name: case for name, case in ENDPOINTS.items() if case.body is not None}
