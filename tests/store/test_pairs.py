"""Builds whose names begin alike: neither's session reaches or sees the other."""

from typing import Any

import pytest

from tests.store.answers import ACCEPTED, REFUSED, answer_to, answers_to
from tests.store.calls import READS, WRITES, Hand
from tests.store.conftest import HandOf, with_sources
from tests.store.differences import Expectations
from tests.store.places import PAGE, assert_untouched, body_of, prepare
from tests.store.uploader import Uploader

# Product and slug of the session's build, then of its neighbour's.
PAIRS = {
    "a digit more": (("numbers", "1"), ("numbers", "10")),
    "a digit less": (("numbers", "20"), ("numbers", "2")),
    "a point more": (("numbers", "v1"), ("numbers", "v1.1")),
    "a hyphen more": (("numbers", "main"), ("numbers", "main-2")),
    "dots before": (("numbers", "a"), ("numbers", "..a")),
    "other case": (("numbers", "rc"), ("numbers", "RC")),
    "product a letter more": (("doc", "v1"), ("docs", "v1")),
    "product a letter less": (("docs", "v2"), ("doc", "v2")),
    "slug as folder": (("builds", "builds"), ("builds", "b")),
    "product as slug": (("docs", "docs"), ("docs", "doc")),
}
PRODUCTS = ("numbers", "doc", "docs", "builds")


@pytest.fixture(scope="session")
def products(uploader: Uploader) -> None:
    for product in PRODUCTS:
        uploader.create_product(product)


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(("mine", "theirs"), PAIRS.values(), ids=PAIRS)
def test_neighbour_is_out_of_reach(
    mine: tuple[str, str],
    theirs: tuple[str, str],
    hand_of: HandOf,
    uploader: Uploader,
    admin: Any,
    expect: Expectations,
) -> None:
    hand = with_sources(hand_of(uploader.register(*mine)))
    root = uploader.register(*theirs).root
    place = prepare(admin, bucket=hand.bucket, key=f"{root}/{PAGE}")
    calls = WRITES | READS
    assert answers_to(calls, hand, place) == expect.refusals(calls, where="outside")
    assert_untouched(admin, place)
    assert answer_to(lambda: hand.s3.put_object(**hand.own(PAGE), Body=b"mine")) == ACCEPTED
    assert body_of(admin, hand.bucket, f"{hand.root}/{PAGE}") == b"mine"


@pytest.fixture(scope="session")
def chosen(hand_of: HandOf, uploader: Uploader, products: None) -> Hand:
    """A build whose slug was chosen by its client, with a page in it."""
    hand = hand_of(uploader.register("numbers", "5"))
    hand.s3.put_object(**hand.own(PAGE))
    return hand


@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
def test_chosen_slug_may_not_list_without_the_slash(call: str, chosen: Hand) -> None:
    listing = getattr(chosen.s3, call)
    assert answer_to(lambda: listing(Bucket=chosen.bucket, Prefix=chosen.root)) == REFUSED


def test_chosen_slug_may_list_with_the_slash(chosen: Hand) -> None:
    found = chosen.s3.list_objects_v2(Bucket=chosen.bucket, Prefix=f"{chosen.root}/")["Contents"]
    assert [item["Key"] for item in found] == [f"{chosen.root}/{PAGE}"]
