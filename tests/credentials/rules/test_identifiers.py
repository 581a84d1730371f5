"""Pasted texts and what they may be, by their form alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.identifiers import AROUND, Identifier, Kind, recognise
from tests.builds.name_samples import build_slugs, product_slugs

LEDGER_ID = "01kb0zdjqbn7dy9bt33wk8h4xa"
NAME = f"{LEDGER_ID}-guide"
ROOT = "guide/builds/v1"
KEY_NAME, JOB_NAME = "ltdk_y8jw59d6g3it", "ltdj_0123456789ab"
SECRET = "0f" * 32
ARN = f"arn:aws:sts::123456789012:assumed-role/upload/{NAME}"
UUID = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"
BARE = [Kind.ACCESS_KEY_ID, Kind.REQUEST_ID]
SLUGS = [Kind.PRODUCT_SLUG, Kind.BUILD_SLUG]

# text -> the kinds, and what is looked up where that is not the text itself
PASTES: dict[str, tuple[str, list[Kind], str]] = {
    "access key id of a session": ("ASIA5YGZIDLCJQ2VM7PX", [*BARE, Kind.BUILD_SLUG], ""),
    "access key id of a user": ("AKIAIOSFODNN7EXAMPLE", [*BARE, Kind.BUILD_SLUG], ""),
    "access key id of another store": ("k3y+with/=".replace("/", "=") * 2, [BARE[0]], ""),
    "longest access key id": ("A" * 128, BARE, ""),
    "too long for an access key id": ("A" * 129, [], ""),
    "too short for an access key id": ("A" * 15, [Kind.BUILD_SLUG], ""),
    "ledger id": (LEDGER_ID, [Kind.LEDGER_ID, *BARE, Kind.BUILD_SLUG], ""),
    "session name": (NAME, [Kind.SESSION_NAME, *BARE, Kind.BUILD_SLUG], ""),
    "session name that was cut": (
        f"{LEDGER_ID}-{'g' * 36}-",
        [Kind.SESSION_NAME, *BARE, Kind.BUILD_SLUG],
        "",
    ),
    "longer than a session name": (f"{LEDGER_ID}-{'g' * 38}", BARE, ""),
    "assumed-role id": (f"AROA3XFRBF535PLBIFPI4:{NAME}", [Kind.ASSUMED_ROLE_ID], ""),
    "assumed-role id of Ceph": (f"{UUID}:{NAME}", [Kind.ASSUMED_ROLE_ID], ""),
    "assumed-role ARN": (ARN, [Kind.ASSUMED_ROLE_ARN], ""),
    "assumed-role ARN in China": (
        ARN.replace("aws", "aws-cn", 1),
        [Kind.ASSUMED_ROLE_ARN],
        "",
    ),
    "assumed-role ARN without an account": (
        ARN.replace("123456789012", ""),
        [Kind.ASSUMED_ROLE_ARN],
        "",
    ),
    "ARN of a role": ("arn:aws:iam::123456789012:role/upload", [], ""),
    "request id of AWS": (UUID, [*BARE, *SLUGS], ""),
    "request id of Ceph": ("tx00000d5-006926f-1037-default", [*BARE, *SLUGS], ""),
    "build root": (ROOT, [Kind.BUILD_ROOT], ""),
    "build root as a folder": (f"{ROOT}/", [Kind.BUILD_ROOT], ROOT),
    "object key": (f"{ROOT}/a/index.html", [Kind.OBJECT_KEY], ROOT),
    "object key with anything below": (f"{ROOT}/\u00fc b\n?*", [Kind.OBJECT_KEY], ROOT),
    "key of no build": ("guide/v/main/index.html", [], ""),
    "key of no legal product": ("Guide/builds/v1/index.html", [], ""),
    "product or build": ("guide", SLUGS, ""),
    "build slug": ("v1.0", [Kind.BUILD_SLUG], ""),
    "name of a key": (KEY_NAME, [Kind.TOKEN], ""),
    "name of an access token": ("ltds_y8jw59d6g3it", [Kind.TOKEN], ""),
    "name of a job token": (JOB_NAME, [Kind.TOKEN], ""),
    "name in the ledger": (f"{KEY_NAME}/{JOB_NAME}", [Kind.TOKEN], ""),
    "whole token": (f"{KEY_NAME}_{SECRET}", [Kind.TOKEN], KEY_NAME),
    "whole token in a header": (
        f"Authorization: Bearer {KEY_NAME}_{SECRET}",
        [Kind.TOKEN],
        KEY_NAME,
    ),
    "whole token in an address": (
        f"https://ci:{KEY_NAME}_{SECRET}@keeper.example.org/token",
        [Kind.TOKEN],
        KEY_NAME,
    ),
    "nothing": ("", [], ""),
    "blanks": (" \n", [], ""),
    "sentence": ("who wrote this?", [], ""),
    "digits that are not ASCII": ("\u0660" * 26, [], ""),
    "letters that are not ASCII": ("\u00e4" * 20, [], ""),
}


def test_form_says_what_a_paste_may_be() -> None:
    for case, (text, kinds, looked_up) in PASTES.items():
        expected = tuple(Identifier(kind=kind, text=looked_up or text) for kind in kinds)
        assert recognise(text) == expected, case


@pytest.mark.parametrize("key", [ROOT, f"{ROOT}/", f"{ROOT}/index.html"])
def test_s3_address_has_a_bucket(key: str) -> None:
    [found] = recognise(f"s3://docs-bucket/{key}")
    assert (found.text, found.bucket) == (ROOT, "docs-bucket")


@pytest.mark.parametrize("text", ["s3://docs-bucket", "s3://docs-bucket/", "s3://", "s3:/guide"])
def test_address_of_no_build_is_nothing(text: str) -> None:
    assert recognise(text) == ()


@given(st.text())
def test_any_text_is_recognised_or_not_without_an_error(text: str) -> None:
    found = recognise(text)
    assert all(each.text.isascii() and each.text.isprintable() for each in found)
    assert len({each.kind for each in found}) == len(found)


@given(st.sampled_from([text for text, _, _ in PASTES.values()]), st.text(AROUND), st.text(AROUND))
def test_what_surrounds_a_paste_does_not_matter(text: str, before: str, after: str) -> None:
    assert recognise(f"{before}{text}{after}") == recognise(text)


@given(product_slugs, build_slugs, st.text())
def test_every_key_below_a_root_leads_to_it(product: str, build: str, rest: str) -> None:
    root = f"{product}/builds/{build}"
    assert {each.text for each in recognise(f"{root}/{rest}")} == {root}


@given(st.text(), st.sampled_from("ksj"), st.text())
def test_secret_is_dropped_wherever_the_token_stands(before: str, kind: str, after: str) -> None:
    name = f"ltd{kind}_y8jw59d6g3it"
    assert recognise(f"{before}{name}_{SECRET}{after}") == (Identifier(kind=Kind.TOKEN, text=name),)
