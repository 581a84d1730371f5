"""Addresses signed by a session reach what the session reaches, and no more."""

from typing import Any

import requests

from tests.store.calls import Hand
from tests.store.places import SIBLING, Surroundings, assert_untouched, body_of

BODY = b"<p>Signed.</p>"


def send(hand: Hand, where: dict[str, str]) -> requests.Response:
    url = hand.s3.generate_presigned_url("put_object", Params=where, ExpiresIn=600)
    with requests.Session() as session:
        session.trust_env = False
        return session.put(url, data=BODY, timeout=120)


def test_address_inside_takes_the_upload(hand: Hand, admin: Any) -> None:
    assert send(hand, hand.own("signed")).status_code == 200
    assert body_of(admin, hand.bucket, f"{hand.root}/signed") == BODY


def test_address_outside_is_refused(hand: Hand, surroundings: Surroundings, admin: Any) -> None:
    place = surroundings.place(SIBLING)
    answer = send(hand, place.where)
    assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)
    assert_untouched(admin, place)


def test_address_is_good_for_one_key(hand: Hand, surroundings: Surroundings, admin: Any) -> None:
    place = surroundings.place(SIBLING)
    own = hand.s3.generate_presigned_url("put_object", Params=hand.own("signed"), ExpiresIn=600)
    with requests.Session() as session:
        session.trust_env = False
        url = own.replace(f"{hand.root}/signed", place.key)
        answer = session.put(url, data=BODY, timeout=120)
    assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert_untouched(admin, place)
