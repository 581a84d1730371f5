"""S3 Select is refused like every other call that reads, and is asked of a store of its own.

On Ceph 16.2.15 one such request, refused or not even signed, damages the gateway's process: later
calls of IAM with nothing wrong are told MalformedPolicyDocument, or it ends
(docs/explanation/security.rst).
So this file starts another store and ends it, and sets up everything before the first such call.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.store.answers import answers_to
from tests.store.calls import SELECT, Hand
from tests.store.conftest import PRODUCT, SYNCED, hand_for, surroundings_for, uploader_of
from tests.store.differences import Expectations
from tests.store.places import PAGE, PLACES, Place, Surroundings, assert_untouched, prepare
from tests.store.stage import Account, prepared_account, service_for
from tests.store.started import store_under_test
from tests.store.test_pairs import PAIRS, PRODUCTS
from tests.store.uploader import Uploader


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Two builds on a store that nobody else uses, with what lies around each.

    The product of `synced` may be read and deleted as well. `pairs` are builds with a page of a
    neighbour whose name begins alike.
    """

    admin: Any
    plain: Hand
    synced: Hand
    around: dict[Hand, Surroundings]
    pairs: dict[str, tuple[Hand, Place]]


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    folder = tmp_path_factory.mktemp("apart")
    with (
        store_under_test() as store,
        prepared_account(store) as account,
        service_for(account, folder) as service,
        uploader_of(service, account, folder) as uploader,
    ):
        plain, synced = (
            hand_for(store, uploader, uploader.register(product)) for product in (PRODUCT, SYNCED)
        )
        around = {hand: surroundings_for(account, uploader, hand) for hand in (plain, synced)}
        pairs = pairs_on(account, uploader)
        yield Apart(admin=account.admin, plain=plain, synced=synced, around=around, pairs=pairs)


def pairs_on(account: Account, uploader: Uploader) -> dict[str, tuple[Hand, Place]]:
    for product in PRODUCTS:
        uploader.create_product(product)
    pairs = {}
    for name, (mine, theirs) in PAIRS.items():
        hand = hand_for(account.store, uploader, uploader.register(*mine))
        key = f"{uploader.register(*theirs).root}/{PAGE}"
        pairs[name] = hand, prepare(account.admin, bucket=account.bucket, key=key)
    return pairs


def assert_refused(
    apart: Apart, hand: Hand, place: Place, expect: Expectations, *, where: str
) -> None:
    assert answers_to(SELECT, hand, place) == expect.refusals(SELECT, where=where)
    assert_untouched(apart.admin, place)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("access", ["plain", "synced"])
def test_selecting_outside_is_refused(
    name: str, access: str, apart: Apart, expect: Expectations
) -> None:
    hand = getattr(apart, access)
    assert_refused(apart, hand, apart.around[hand].place(name), expect, where="outside")


@pytest.mark.parametrize("name", PAIRS)
def test_neighbour_cannot_be_selected(name: str, apart: Apart, expect: Expectations) -> None:
    hand, place = apart.pairs[name]
    assert_refused(apart, hand, place, expect, where="outside")


def test_selecting_is_refused_inside_too(apart: Apart, expect: Expectations) -> None:
    hand = apart.plain
    place = prepare(apart.admin, bucket=hand.bucket, key=f"{hand.root}/kept/select")
    assert_refused(apart, hand, place, expect, where="inside")
