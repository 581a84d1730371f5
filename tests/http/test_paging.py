"""Lists: newest first, in pages that link to each other, and only what the caller may see."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.models import Grant
from ltdkeeper.api.wire import SearchPagination
from tests.conftest import api_for, raw_key
from tests.http.conftest import Send
from tests.http.endpoints import LIST_BUILDS, LIST_PRODUCTS, READ_BUILD

pytestmark = pytest.mark.django_db

HOME = "https://keeper.example.org"


def pages(send: Send, address: str, link: str = "next") -> Iterator[dict[str, Any]]:
    """All pages from an address on, following one of the links."""
    path: str | None = address
    while path:
        page = send(replace(LIST_BUILDS, path=path.removeprefix(HOME))).json()
        yield page
        path = page[link]


@pytest.fixture
def eight(register: Callable[..., Build], build: Build) -> list[str]:
    """The addresses of eight builds, newest first."""
    builds = [build, *(register() for _ in range(7))]
    return [f"{HOME}/builds/{build.pk}" for build in reversed(builds)]


PAGES = {1: 8, 3: 3, 4: 2, 7: 2, 8: 1, 1000: 1}  # size -> how many there are of eight builds


def test_pages_hold_every_build_once(send: Send, eight: list[str]) -> None:
    for size, count in PAGES.items():
        found = list(pages(send, f"/products/guide/builds/?page_size={size}"))
        assert [url for page in found for url in page["builds"]] == eight, size
        assert len(found) == count, size
        assert set(found[0]) == {"builds", "next", "previous"}, size


def test_pages_lead_back_to_the_first(send: Send, eight: list[str]) -> None:
    *_, last = pages(send, "/products/guide/builds/?page_size=3")
    *_, first = pages(send, last["previous"], "previous")
    assert (first["builds"], first["previous"]) == (eight[:3], None)


def test_links_keep_the_page_size_and_the_public_address(send: Send, eight: list[str]) -> None:
    link = next(pages(send, "/products/guide/builds/?page_size=3"))["next"]
    assert link.startswith(f"{HOME}/products/guide/builds/?")
    assert "page_size=3" in link


def test_links_come_from_the_setting(send: Send, eight: list[str], settings: Any) -> None:
    settings.LTD_PUBLIC_URL = "https://front.example.net"
    page = send(replace(LIST_BUILDS, path="/products/guide/builds/?page_size=3")).json()
    urls = [page["next"], *page["builds"]]
    assert all(url.startswith("https://front.example.net/") for url in urls)


def test_new_builds_do_not_shift_the_pages(
    send: Send, eight: list[str], register: Callable[..., Build]
) -> None:
    found: list[str] = []
    for page in pages(send, "/products/guide/builds/?page_size=3"):
        found += page["builds"]
        register()
    assert found == eight


@pytest.fixture
def thousand(build: Build) -> None:
    """A thousand builds more."""
    copied = {"product": build.product, "server_made": False}
    copied |= {"registered_at": build.registered_at, "open_until": build.open_until}
    slugs = [f"b{number}" for number in range(1000)]
    Build.objects.bulk_create(
        Build(slug=slug, root=f"guide/builds/{slug}", **copied) for slug in slugs
    )


@pytest.mark.parametrize(("query", "length"), [("", 100), ("?page_size=1000", 1000)])
def test_page_has_a_usual_and_a_largest_size(
    query: str, length: int, send: Send, thousand: None
) -> None:
    page = send(replace(LIST_BUILDS, path=f"/products/guide/builds/{query}")).json()
    assert len(page["builds"]) == length


def test_builds_of_other_products_are_not_listed(
    send: Send, build: Build, make_product: Callable[..., Product], make_caller: Any, register: Any
) -> None:
    other = make_product("other")
    register(product=other, caller=make_caller("neighbour", other))
    assert send(LIST_BUILDS).json()["builds"] == [f"{HOME}/builds/{build.pk}"]


def test_only_granted_products_are_listed(send: Send, make_product: Callable[..., Product]) -> None:
    make_product("other")
    assert send(LIST_PRODUCTS).json()["products"] == [f"{HOME}/products/guide"]


def test_each_client_lists_its_own_products(
    send: Send, make_product: Callable[..., Product], make_caller: Callable[..., Caller]
) -> None:
    neighbour = make_caller("neighbour", make_product("other"))
    found = api_for(raw_key(neighbour)).get("/products/").json()
    assert found["products"] == [f"{HOME}/products/other"]


def test_product_is_gone_from_the_list_with_its_grant(send: Send) -> None:
    Grant.objects.all().delete()
    assert send(LIST_PRODUCTS).json() == {"products": [], "next": None, "previous": None}


def test_products_are_paged(
    send: Send, make_product: Callable[..., Product], caller: Caller
) -> None:
    for number in range(4):
        Grant.objects.create(client=caller.client, product=make_product(f"p{number}"))
    found = [page["products"] for page in pages(send, "/products/?page_size=2")]
    slugs = [[url.rpartition("/")[2] for url in page] for page in found]
    assert slugs == [["p3", "p2"], ["p1", "p0"], ["guide"]]


@pytest.fixture
def varied(eight: list[str], now: datetime) -> dict[str, str]:
    """The newest of the eight by what they are; all of them are of main, the last ran out."""
    kinds = {
        "open": {},
        "deleted": {"deleted_at": now, "finished_at": now},
        "finished": {"finished_at": now},
        "superseded": {"superseded_at": now},
        "preview": {"git_ref": "refs/pull/7/merge"},
        "expired": {"open_until": now, "registered_at": now - timedelta(hours=12)},
        "old": {"registered_at": now - timedelta(days=30)},
    }
    named = dict(zip(kinds, eight, strict=False))
    for kind, url in named.items():
        Build.objects.filter(pk=url.rpartition("/")[2]).update(**kinds[kind])
    return named


SEARCHES = {
    "state=deleted": ["deleted"],
    "state=finished": ["finished"],
    "state=superseded": ["superseded"],
    "state=expired": ["expired"],
    "git_ref=refs/pull/7/merge": ["preview"],
    "git_ref=refs/heads/main&state=deleted": ["deleted"],
    "git_ref=other": [],
    "registered_before=2000-01-01T00:00:00Z": [],
    "registered_before={long_ago}": ["old"],
    "state=finished&registered_before={long_ago}": [],
}


@pytest.mark.parametrize("looked_at", [2, 10_000])
def test_search_finds_all_that_matches_whatever_a_page_looks_at(
    looked_at: int, send: Send, varied: dict[str, str], now: datetime, monkeypatch: Any
) -> None:
    monkeypatch.setattr(SearchPagination, "LOOKED_AT", looked_at)
    long_ago = f"{now - timedelta(days=29):%Y-%m-%dT%H:%M:%SZ}"
    for query, names in SEARCHES.items():
        address = f"/products/guide/builds/?{query.format(long_ago=long_ago)}&page_size=1"
        with time_machine.travel(now, tick=False):
            found = list(pages(send, address))
        urls = [url for page in found for url in page["builds"]]
        assert urls == [varied[name] for name in names], query
        assert {page["previous"] for page in found} == {None}, query
        assert len(found) <= 1 + 8 // looked_at + len(names), query


@pytest.mark.parametrize("query", ["", "&state=open"])
def test_whole_builds_are_listed_when_asked_for(query: str, send: Send, build: Build) -> None:
    page = send(replace(LIST_BUILDS, path=f"/products/guide/builds/?expand=true{query}")).json()
    assert page["builds"] == [send(READ_BUILD).json()]


BACK = base64.b64encode(b"r=1&p=3").decode()


REFUSED = {
    **dict.fromkeys(("state=gone", "registered_before=x", "expand=x", "git_ref="), 400),
    **dict.fromkeys(("git_ref=a%00", "ref=main"), 400),
    f"state=open&cursor={BACK}": 404,
}


def test_search_that_would_not_be_heeded_is_refused(send: Send) -> None:
    for query, status in REFUSED.items():
        response = send(replace(LIST_BUILDS, path=f"/products/guide/builds/?{query}"))
        assert response.status_code == status, response.content
