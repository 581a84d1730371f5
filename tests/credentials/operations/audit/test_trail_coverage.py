"""What digests prove, what breaks the proof, and which sessions are then missing."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builds.models import Store
from credentials.operations.audit.trail_coverage import Coverage
from credentials.operations.audit.trail_files import Fetched, TrailFile, trail_file
from credentials.operations.findings import Finding, Rule
from credentials.rules.cloudtrail import Record, recognise
from tests.credentials.ledger_rows import issued_row
from tests.credentials.operations.audit.trail_records import (
    ACCOUNT,
    BUCKET,
    ROLE,
    WATCHED,
    Json,
    assumed,
)

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PRIVATE = rsa.generate_private_key(65537, 2048)
KEYS = {"f1": PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)}
PLACE = (ACCOUNT, "us-east-1")


@pytest.fixture(autouse=True)
def _watched(store: Store) -> None:
    Store.objects.update(role_arn=ROLE, bucket=BUCKET, region="us-east-1", endpoint_url="")


def log_at(at: datetime) -> TrailFile:
    file = trail_file(f"{ACCOUNT}_CloudTrail_us-east-1_{at:%Y%m%dT%H%M}Z_AbC.json.gz")
    assert file is not None
    return file


class Chain:
    """Digests of one log an hour, each a step in a chain that may be broken."""

    def __init__(self) -> None:
        self.previous: Json = {}

    def digest(self, hour: int, *, is_signed: bool = True, **changes: Any) -> Fetched:
        start, end = START + hour * HOUR, START + (hour + 1) * HOUR
        name = f"{ACCOUNT}_CloudTrail-Digest_us-east-1_t_us-east-1_{end:%Y%m%dT%H%M%S}Z.json.gz"
        log = {"s3Object": f"x/{log_at(start + 5 * MINUTE).name}", "hashValue": f"hash{hour}"}
        content = {
            "digestStartTime": f"{start:%FT%TZ}",
            "digestEndTime": f"{end:%FT%TZ}",
            "digestS3Bucket": "trail",
            "digestS3Object": name,
            "digestPublicKeyFingerprint": "f1",
            "logFiles": [log],
            "previousDigestHashValue": None,
            "previousDigestSignature": None,
        }
        data = json.dumps(content | self.previous | changes).encode()
        sha256 = hashlib.sha256(data).hexdigest()
        before = (self.previous | changes).get("previousDigestSignature") or "null"
        text = f"{end:%FT%TZ}\ntrail/{name}\n{sha256}\n{before}".encode()
        signature = PRIVATE.sign(text, padding.PKCS1v15(), hashes.SHA256()).hex()
        self.previous = {"previousDigestHashValue": sha256, "previousDigestSignature": signature}
        file = trail_file(name)
        assert file is not None
        return Fetched(file, gzip.compress(data), signature=signature if is_signed else None)


def coverage(keys: Mapping[str, bytes] = KEYS, **changes: Any) -> Coverage:
    return Coverage(**{"digested": {PLACE}, "since": None, "keys": lambda _region: keys, **changes})


def walk(
    kept: Coverage, hours: int, change: Callable[[int], Json] = lambda hour: {}, **options: Any
) -> Iterator[Finding]:
    """Read a log and its digest for each hour; `log` is the hash of what was read."""
    chain = Chain()
    for hour in range(hours):
        changes = change(hour)
        if (found := changes.pop("log", f"hash{hour}")) is not None:
            yield from kept.add_log(log_at(START + hour * HOUR + 5 * MINUTE), found)
        fetched = chain.digest(hour, **options, **changes.pop("digest", {}))
        if not changes.pop("is_lost", False):
            yield from kept.add_digest(fetched._replace(**changes))


def proven(kept: Coverage) -> list[tuple[int, int]]:
    """Hours after the start."""
    return [
        (round((since - START) / HOUR), round((until - START) / HOUR))
        for _, since, until in kept.proven()
    ]


def test_unbroken_chain_proves_all_but_the_last_hour() -> None:
    kept = coverage()
    assert list(walk(kept, 4)) == []
    assert (proven(kept), kept.verified) == ([(0, 3)], 4)


def test_in_a_directory_the_next_digest_has_the_signature() -> None:
    kept = coverage()
    assert list(walk(kept, 4, is_signed=False)) == []
    assert (proven(kept), kept.verified) == ([(0, 3)], 3)


def test_without_keys_hashes_hold_the_chain() -> None:
    kept = coverage({})
    assert list(walk(kept, 4)) == []
    assert (proven(kept), kept.verified) == ([(0, 3)], 0)


BROKEN: dict[str, tuple[Json, str]] = {
    "log changed": ({"log": "other"}, "is not what its digest says"),
    "log unreadable": ({"log": ""}, "is not what its digest says"),
    "log missing": ({"log": None}, "it is missing"),
    "digest missing": ({"is_lost": True}, "The digest before it is missing"),
    "digest is none": ({"data": b"x"}, "It is not a CloudTrail digest"),
    "digest of another form": (
        {"data": gzip.compress(b'{"logFiles":[]}')},
        "It is not a CloudTrail digest",
    ),
    "digest of no time": (
        {"digest": {"digestStartTime": "2026-11-23T11:00:00"}},
        "It is not a CloudTrail digest",
    ),
    "digest signed by another": ({"signature": "00"}, "It is not signed by AWS"),
    "digest signed with a key of nobody": (
        {"digest": {"digestPublicKeyFingerprint": "f2"}},
        "It is not signed by AWS",
    ),
    "digest without a signature": ({"signature": ""}, "It is not signed by AWS"),
    "digest forged": ({"digest": {"digestPublicKeyFingerprint": "f1"}, "signature": "zz"}, "It is"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_break_is_a_finding_and_ends_the_proof(name: str) -> None:
    change, problem = BROKEN[name]
    kept = coverage()
    findings = list(walk(kept, 6, lambda hour: dict(change) if hour == 2 else {}))
    assert {each.rule for each in findings} == {Rule.BAD_FILE}
    assert problem in " ".join(each.what for each in findings)
    assert (0, 1) in proven(kept)
    assert (0, 5) not in proven(kept)


def test_trail_that_was_stopped_begins_a_new_chain() -> None:
    kept = coverage()
    begins = {"previousDigestHashValue": None, "previousDigestSignature": None}
    assert list(walk(kept, 6, lambda hour: {"digest": begins} if hour == 3 else {})) == []
    assert proven(kept) == [(0, 2), (3, 5)]


def test_digest_of_an_hour_that_was_not_read_proves_nothing() -> None:
    kept = coverage(since=START + HOUR)
    assert list(walk(kept, 4, lambda hour: {"log": None} if hour == 0 else {})) == []
    assert proven(kept) == [(1, 3)]


def test_logs_without_digests_prove_what_is_without_a_gap() -> None:
    kept = coverage(digested=set())
    for minutes in (*range(0, 181, 15), *range(200, 381, 15)):
        assert list(kept.add_log(log_at(START + minutes * MINUTE), "h")) == []
    assert proven(kept) == [(0, 2), (3, 5)]


def test_log_that_was_not_read_is_a_gap() -> None:
    session(START + 90 * MINUTE)
    kept = coverage(digested=set())
    for minutes in range(0, 361, 10):
        assert (
            list(kept.add_log(log_at(START + minutes * MINUTE), "" if minutes == 100 else "h"))
            == []
        )
    assert [(since - START, until - START) for _, since, until in kept.proven()] == [
        (0 * MINUTE, 30 * MINUTE),
        (100 * MINUTE, 300 * MINUTE),
    ]


def session(at: datetime, **changes: Any) -> str:
    row = issued_row(
        store=Store.objects.get(),
        requested_at=at,
        completed_at=at,
        expires_at=at + HOUR,
        **changes,
    )
    return row.pk


@pytest.mark.parametrize("status", ["issued", "withheld"])
def test_session_that_no_log_has_is_found_once(status: str) -> None:
    pk = session(START + HOUR + MINUTE, status=status)
    [finding] = walk(coverage(), 6)
    assert (finding.rule, finding.subject, finding.is_event) == (Rule.NOT_IN_TRAIL, pk, True)


def test_session_that_a_log_has_is_none() -> None:
    session(START + HOUR + MINUTE, access_key_id="ASIASEEN")
    kept = coverage()
    raw = msgspec.json.encode(assumed("ASIASEEN") | {"eventTime": "2026-11-23T10:01:00Z"})
    call = recognise(msgspec.json.decode(raw, type=Record), WATCHED)
    assert call is not None
    kept.add_calls([call])
    assert list(walk(kept, 6)) == []


QUIET: dict[str, Json] = {
    "before the proof": {"at": START - MINUTE},
    "after the proof": {"at": START + 5 * HOUR},
    "signed by an identity": {
        "at": START + HOUR,
        "signed_by_identity": True,
        "delivery": "post",
    },
}


@pytest.mark.parametrize("name", QUIET)
def test_session_that_need_not_be_there_is_none(name: str) -> None:
    changes = dict(QUIET[name])
    session(changes.pop("at"), **changes)
    assert list(walk(coverage(), 6)) == []


def test_store_of_another_region_is_not_judged() -> None:
    session(START + HOUR)
    Store.objects.update(region="eu-west-1")
    kept = coverage()
    assert list(walk(kept, 6)) == []
    assert proven(kept) == []
