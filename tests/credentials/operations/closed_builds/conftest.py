"""Builds in each state, and a store in which they have objects."""

from collections.abc import Callable
from datetime import timedelta
from itertools import chain, count, repeat
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Build
from credentials.operations import closed_builds
from credentials.vending import listing
from tests.conftest import EPOCH
from tests.credentials.operations.closed_builds.fake_store import FakeStore, Lie
from tests.fake_sts import FakeSts

MakeBuild = Callable[..., Build]


def _entry(key: str, **changes: Any) -> dict[str, Any]:
    return {"Key": key, "Size": 1, "LastModified": EPOCH, **changes}


# How a store may list what cannot be so, and the code of the failure.
LIES: dict[str, tuple[Lie, str]] = {
    "prefix ignored": (lambda _, own: [own, [_entry("secret/top.txt")]], "listing_outside_build"),
    "all of the bucket": (lambda _, own: [[_entry("a"), *own]], "listing_outside_build"),
    "neighbour alike": (lambda p, _: [[_entry(f"{p[:-1]}0/page")]], "listing_outside_build"),
    "slash before": (lambda p, _: [[_entry(f"/{p}page")]], "listing_outside_build"),
    "key twice": (lambda _, own: [own, own], "listing_unusable"),
    "key twice on a page": (lambda _, own: [own * 2], "listing_unusable"),
    "no key": (lambda _, own: [own, [_entry("")]], "listing_unusable"),
    "no size": (lambda p, _: [[{"Key": f"{p}page"}]], "listing_unusable"),
    "less than nothing": (lambda p, _: [[_entry(f"{p}x", Size=-1)]], "listing_unusable"),
    "larger than anything": (lambda p, _: [[_entry(f"{p}x", Size=2**63)]], "listing_unusable"),
    "page for ever": (lambda _, own: repeat(own), "listing_unusable"),
    "empty pages for ever": (lambda _, own: chain([own], repeat([])), "listing_unusable"),
    "new keys for ever": (
        lambda p, _: ([_entry(f"{p}{number:09}")] for number in count()),
        "listing_unusable",
    ),
}


@pytest.fixture
def lie(
    request: pytest.FixtureRequest, bucket: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Build], str]:
    """Makes the store lie about a build as the parameter says; gives the code of the failure."""
    monkeypatch.setattr(listing, "MOST_OBJECTS", 1000)
    monkeypatch.setattr(listing, "MOST_EMPTY_PAGES", 10)
    pages, code = LIES[request.param]

    def about(build: Build) -> str:
        bucket.lies[f"{build.root}/"] = pages
        return code

    return about


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, sts: FakeSts) -> FakeStore:
    store = FakeStore()
    monkeypatch.setattr(closed_builds, "s3_client", store.client_of)
    return store


@pytest.fixture
def make_build(register: Callable[..., Build], bucket: FakeStore) -> MakeBuild:
    """A build, by default finished, with objects of the sizes."""

    def make(*sizes: int, state: str = "finished") -> Build:
        build = register()
        now = timezone.now()
        moments = {
            "open": {},
            "finished": {"finished_at": now},
            "superseded": {"superseded_at": now},
            "deleted": {"deleted_at": now},
            "finished and deleted": {"finished_at": now, "deleted_at": now},
            "expired": {"registered_at": now - timedelta(hours=2), "open_until": now},
        }
        Build.objects.filter(pk=build.pk).update(**moments[state])
        bucket.objects |= {f"{build.root}/{number}": size for number, size in enumerate(sizes)}
        build.refresh_from_db()
        return build

    return make
