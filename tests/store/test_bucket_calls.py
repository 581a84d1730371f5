"""Calls about a whole bucket, its own and another: refused but for one."""

from typing import Any

import pytest

from tests.store.answers import ACCEPTED, REFUSED, answer_to, answers_to
from tests.store.bucket_calls import CALLS, READS
from tests.store.calls import Hand
from tests.store.differences import Expectations
from tests.store.stage import Account


def settings_of(admin: Any, bucket: str) -> list[object]:
    """What the operator sees of a bucket that the writes above would have changed."""
    readers = {name: READS[name] for name in ("get ACL", "get versioning")}
    # Not every bucket has one, and stores differ in what they then say.
    block = {"get public access block": READS["get public access block"]}
    if set(answers_to(block, admin, bucket).values()) == {ACCEPTED}:
        readers |= block
    found = [reader(admin, bucket) for reader in readers.values()]
    contents = [{k: v for k, v in each.items() if k != "ResponseMetadata"} for each in found]
    return [answers_to(READS, admin, bucket), *contents]


@pytest.mark.parametrize("which", ["own", "another"])
def test_every_call_about_a_bucket_is_refused(
    which: str, hand: Hand, account: Account, expect: Expectations
) -> None:
    bucket = account.bucket if which == "own" else account.elsewhere
    before = settings_of(account.admin, bucket)
    assert answers_to(CALLS, hand.s3, bucket) == expect.refusals(CALLS, where="bucket")
    assert settings_of(account.admin, bucket) == before


def test_location_of_another_bucket_is_refused(hand: Hand, account: Account) -> None:
    call = hand.s3.get_bucket_location
    assert answer_to(lambda: call(Bucket=account.elsewhere)) == REFUSED


def test_buckets_are_not_listed(hand: Hand, account: Account, expect: Expectations) -> None:
    assert answer_to(hand.s3.list_buckets) == expect.of("list buckets", REFUSED)


def test_no_bucket_is_made(hand: Hand, account: Account, expect: Expectations) -> None:
    name = f"{account.bucket}-more"
    assert answer_to(lambda: hand.s3.create_bucket(Bucket=name)) == REFUSED
    assert answer_to(lambda: account.admin.head_bucket(Bucket=name)).status == 404
