"""What a session may do below its own root: each act is checked with the operator's eyes."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.store.answers import ACCEPTED, REFUSED, Answer, answer_to, answers_to
from tests.store.calls import EVERY_CALL, READS, WRITES, Call, Hand
from tests.store.differences import Expectations
from tests.store.names import MORE_NAMES, NAMES
from tests.store.places import (
    ORIGINAL,
    PAGE,
    SIBLING,
    Surroundings,
    assert_untouched,
    body_of,
    prepare,
)

BODY = b"<p>Mine.</p>"
PART_BYTES = 5 * 1024 * 1024
# What is allowed inside; the rest of all calls is refused there as well.
ALLOWED = {
    "put", "put, empty", "put, ACL private", "put, only if missing",
    "begin upload", "upload part", "complete upload", "abort upload",
    "list parts", "list, version 1", "list, version 2",
}  # fmt: skip
REFUSED_INSIDE: dict[str, Call] = {
    name: call for name, call in EVERY_CALL.items() if name not in ALLOWED
}


@pytest.mark.parametrize("name", REFUSED_INSIDE)
def test_what_is_not_for_uploading_is_refused_inside_too(
    name: str, hand: Hand, admin: Any, expect: Expectations
) -> None:
    place = prepare(admin, bucket=hand.bucket, key=f"{hand.root}/kept/{name}")
    answers = answers_to({name: REFUSED_INSIDE[name]}, hand, place)
    assert answers == expect.refusals([name], where="inside")
    if answers[name] != ACCEPTED:
        assert_untouched(admin, place)


def test_put_without_a_body_empties_the_object(hand: Hand, admin: Any) -> None:
    place = prepare(admin, bucket=hand.bucket, key=f"{hand.root}/emptied")
    assert answer_to(lambda: WRITES["put, empty"](hand, place)) == ACCEPTED
    assert body_of(admin, hand.bucket, place.key) == b""


def test_put_only_if_missing_writes_once(hand: Hand, admin: Any) -> None:
    where = hand.own("once")

    def put(body: bytes) -> Answer:
        return answer_to(lambda: hand.s3.put_object(**where, Body=body, IfNoneMatch="*"))

    assert (put(BODY), put(b"again").status) == (ACCEPTED, 412)
    assert body_of(admin, hand.bucket, where["Key"]) == BODY


def test_upload_that_somebody_began_can_be_completed(hand: Hand, admin: Any) -> None:
    """Its parts are below the own root, whoever sent them."""
    place = prepare(admin, bucket=hand.bucket, key=f"{hand.root}/begun", part=BODY)
    assert answer_to(lambda: READS["list parts"](hand, place)) == ACCEPTED
    assert answer_to(lambda: WRITES["complete upload"](hand, place)) == ACCEPTED
    assert body_of(admin, hand.bucket, place.key) == BODY


@pytest.mark.parametrize("name", [PAGE, "_static/css/theme.css", "a b+c&d=e;f,g.html"])
def test_put_arrives(name: str, hand: Hand, admin: Any) -> None:
    hand.s3.put_object(**hand.own(name), Body=BODY, ContentType="text/html")
    assert body_of(admin, hand.bucket, f"{hand.root}/{name}") == BODY


def test_put_replaces_what_lies_there(hand: Hand, admin: Any) -> None:
    place = prepare(admin, bucket=hand.bucket, key=f"{hand.root}/replaced")
    hand.s3.put_object(**place.where, Body=BODY)
    assert body_of(admin, hand.bucket, place.key) == BODY


def test_root_itself_is_a_key_that_may_be_put(hand: Hand, admin: Any) -> None:
    hand.s3.put_object(Bucket=hand.bucket, Key=hand.root, Body=BODY)
    assert body_of(admin, hand.bucket, hand.root) == BODY


def test_headers_of_uploaders_arrive(hand: Hand, admin: Any) -> None:
    sent = {"CacheControl": "max-age=60", "ContentType": "text/css", "Metadata": {"dir": "true"}}
    hand.s3.put_object(**hand.own("headers"), Body=BODY, **sent)
    arrived = admin.head_object(**hand.own("headers"))
    assert {name: arrived[name] for name in sent} == sent


ODD = NAMES | {name: MORE_NAMES[name] for name in ("empty", "NUL")}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_odd_name_is_stored_as_written_and_stays_inside(
    name: str, hand: Hand, admin: Any, expect: Expectations, request: pytest.FixtureRequest
) -> None:
    folder = f"{hand.root}/odd/{request.node.callspec.id}"
    key = f"{folder}/{name}"
    answer = answer_to(lambda: hand.s3.put_object(Bucket=hand.bucket, Key=key, Body=BODY))
    case = f"put, {request.node.callspec.id}, inside"
    assert answer == expect.of(case, ACCEPTED)
    if answer == ACCEPTED:
        assert keys_below(admin, hand.bucket, f"{folder}/") == [key]
        assert body_of(admin, hand.bucket, key) == BODY
        # Not every listing of every store can tell such a name.
        admin.delete_object(Bucket=hand.bucket, Key=key)


CLIMBING: dict[str, Callable[[str], str]] = {
    "dots": lambda sibling: f"../{sibling}/{PAGE}",
    "more dots": lambda sibling: f"a/../../{sibling}/{PAGE}",
    "escaped dots": lambda sibling: f"%2e%2e/{sibling}/{PAGE}",
    "escaped slash": lambda sibling: f"..%2f{sibling}%2f{PAGE}",
    "backslashes": lambda sibling: f"..\\{sibling}\\{PAGE}",
    "slash": lambda sibling: f"/../{sibling}/{PAGE}",
}


@pytest.mark.parametrize("climb", CLIMBING.values(), ids=CLIMBING)
def test_climbing_name_is_a_key_of_its_own(
    climb: Callable[[str], str], hand: Hand, surroundings: Surroundings, admin: Any
) -> None:
    """What is written is written below the root, letter by letter; the neighbour's page stays."""
    place = surroundings.place(SIBLING)
    key = f"{hand.root}/{climb(surroundings.sibling.rpartition('/')[2])}"
    assert answer_to(lambda: hand.s3.put_object(Bucket=hand.bucket, Key=key, Body=BODY)) == ACCEPTED
    assert body_of(admin, hand.bucket, key) == BODY
    assert_untouched(admin, place)


def test_longest_key_arrives(hand: Hand, admin: Any) -> None:
    key = f"{hand.root}/".ljust(1024, "k")
    hand.s3.put_object(Bucket=hand.bucket, Key=key, Body=BODY)
    assert body_of(admin, hand.bucket, key) == BODY


def test_key_that_is_longer_is_refused(hand: Hand, admin: Any, expect: Expectations) -> None:
    key = f"{hand.root}/".ljust(1025, "l")
    answer = answer_to(lambda: hand.s3.put_object(Bucket=hand.bucket, Key=key, Body=BODY))
    assert answer == expect.of("put, 1025 characters, inside", Answer(400, "KeyTooLongError"))
    assert keys_below(admin, hand.bucket, key[:1024]) == ([key] if answer == ACCEPTED else [])


def test_names_that_look_alike_are_two(hand: Hand, admin: Any) -> None:
    """Composed and decomposed letters, as file systems mix them up."""
    names = [NAMES["e acute, composed"], NAMES["e acute, decomposed"], "CAFE", "cafe"]
    for name in names:
        hand.s3.put_object(**hand.own(f"alike/{name}"), Body=name.encode())
    bodies = [body_of(admin, hand.bucket, f"{hand.root}/alike/{name}") for name in names]
    assert bodies == [name.encode() for name in names]


def keys_below(s3: Any, bucket: str, prefix: str) -> list[str]:
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for item in found.get("Contents", [])]


def test_multipart_upload_arrives(hand: Hand, admin: Any) -> None:
    where = hand.own("large.bin")
    upload = where | {"UploadId": hand.s3.create_multipart_upload(**where)["UploadId"]}
    bodies = {1: b"a" * PART_BYTES, 2: b"end"}
    etags = {
        number: hand.s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
        for number, body in bodies.items()
    }
    assert [part["ETag"] for part in hand.s3.list_parts(**upload)["Parts"]] == [*etags.values()]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in etags.items()]
    hand.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert body_of(admin, hand.bucket, where["Key"]) == b"".join(bodies.values())


def test_multipart_upload_can_be_given_up(hand: Hand, admin: Any, expect: Expectations) -> None:
    place = prepare(admin, bucket=hand.bucket, key=f"{hand.root}/given-up")
    hand.s3.abort_multipart_upload(**place.upload)
    answer = answer_to(lambda: admin.list_parts(**place.upload))
    assert answer == expect.of("list parts of an aborted upload", Answer(404, "NoSuchUpload"))
    assert body_of(admin, hand.bucket, place.key) == ORIGINAL


LISTINGS: dict[str, Callable[[Hand], Any]] = {
    "root with a slash": lambda h: f"{h.root}/",
    "root without a slash": lambda h: h.root,
    "folder with a slash": lambda h: f"{h.root}/listed/",
    "folder without a slash": lambda h: f"{h.root}/listed",
}


@pytest.mark.parametrize("prefix", LISTINGS.values(), ids=LISTINGS)
@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
def test_own_objects_are_listed(
    call: str, prefix: Callable[[Hand], str], hand: Hand, admin: Any
) -> None:
    key = f"{hand.root}/listed/{PAGE}"
    admin.put_object(Bucket=hand.bucket, Key=key, Body=BODY)
    list_them = getattr(hand.s3, call)
    found = list_them(Bucket=hand.bucket, Prefix=prefix(hand))["Contents"]
    assert key in [item["Key"] for item in found]
    assert all(item["Key"].startswith(hand.root) for item in found)
    assert list_them(Bucket=hand.bucket, Prefix=prefix(hand), Delimiter="/")


BEYOND: dict[str, Callable[[Hand], dict[str, str]]] = {
    "everything": lambda h: {},
    "empty prefix": lambda h: {"Prefix": ""},
    "slash": lambda h: {"Prefix": "/"},
    "product": lambda h: {"Prefix": h.root.partition("/")[0]},
    "builds of the product": lambda h: {"Prefix": h.root.rpartition("/")[0] + "/"},
    "root less a character": lambda h: {"Prefix": h.root[:-1]},
    "root and more": lambda h: {"Prefix": f"{h.root}-"},
    "folders only": lambda h: {"Prefix": "", "Delimiter": "/"},
}


@pytest.mark.parametrize("beyond", BEYOND.values(), ids=BEYOND)
@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_listing_beyond_the_root_is_refused(
    call: str, beyond: Callable[[Hand], dict[str, str]], hand: Hand
) -> None:
    assert answer_to(lambda: getattr(hand.s3, call)(Bucket=hand.bucket, **beyond(hand))) == REFUSED


def test_location_of_the_bucket_is_told(hand: Hand) -> None:
    """s3fs and minio ask it before anything else."""
    assert answer_to(lambda: hand.s3.get_bucket_location(Bucket=hand.bucket)) == ACCEPTED
