"""Every call about an object, everywhere but inside: refused, and nothing happens."""

import pytest

from tests.store.answers import answers_to
from tests.store.calls import EVERY_CALL, Hand
from tests.store.differences import Expectations
from tests.store.places import (
    ELSEWHERE,
    OTHER_PRODUCT,
    PLACES,
    SIBLING,
    Place,
    Surroundings,
    assert_untouched,
    is_missing,
)


def assert_refused(hand: Hand, place: Place, expect: Expectations, admin: object) -> None:
    expected = expect.refusals(EVERY_CALL, where="outside")
    if place.bucket == hand.bucket and "/builds/" in place.key:
        expected |= {n: expect.of(f"{n}, where the role reads", expected[n]) for n in expected}
    assert answers_to(EVERY_CALL, hand, place) == expected
    assert_untouched(admin, place)
    assert is_missing(admin, hand.own("fetched"))


@pytest.mark.parametrize("name", PLACES)
def test_every_call_outside_is_refused(
    name: str, hand: Hand, surroundings: Surroundings, expect: Expectations, admin: object
) -> None:
    assert_refused(hand, surroundings.place(name), expect, admin)


@pytest.mark.parametrize("name", ["beside", "top of the bucket", SIBLING, OTHER_PRODUCT, ELSEWHERE])
def test_syncing_reaches_no_further(
    name: str,
    synced: Hand,
    surroundings_of_synced: Surroundings,
    expect: Expectations,
    admin: object,
) -> None:
    assert_refused(synced, surroundings_of_synced.place(name), expect, admin)
