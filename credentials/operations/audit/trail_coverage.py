"""What CloudTrail's files prove: for which time all events are there, and what is then missing.

With log file validation, AWS writes a digest every hour, which holds the hash of every log that
it delivered in that hour, the hash of the digest before it, and a signature (AWS CloudTrail user
guide, "CloudTrail digest file structure" and "Custom implementations of CloudTrail log file
integrity validation"; hashes are of uncompressed contents). An unbroken chain proves that no log is
missing or changed. Where a region has no digests, logs whose deliveries lie at most a quarter of an
hour apart have to do: that shows no single log that is missing.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import cast

import boto3
import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Struct, field

from builds.models import Store
from credentials.models import IssuedSession
from credentials.operations.audit.trail_files import NO_GZIP, UNREADABLE, Fetched, TrailFile, gunzip
from credentials.operations.findings import Finding, Rule
from credentials.rules.cloudtrail import Call, Kind, Time, moment
from credentials.vending.store_clients import UNATTENDED, Endpoint, store_client
from credentials.vending.store_errors import CALL_FAILED, loggable

# AWS delivers an event within minutes as a rule, and promises nothing.
LATE = timedelta(hours=1)
LONGEST_GAP, HOUR = timedelta(minutes=15), timedelta(hours=1)
HOUR_LENGTH = len("2026-11-23T12")
# Sessions are remembered until a digest of the next hour has come, hashes of logs likewise.
REMEMBERED, MOST_HASHES = timedelta(hours=6), 20_000
LARGEST_DIGEST = 64 << 20
# Since when AWS signs digests; without a time it gives the newest key alone.
FIRST_KEYS = datetime(2015, 1, 1, tzinfo=UTC)
NAMED = (IssuedSession.Status.ISSUED, IssuedSession.Status.WITHHELD)

NO_DIGEST: tuple[type[Exception], ...] = (ValueError, *NO_GZIP, *UNREADABLE)

log = structlog.get_logger(__name__)

Place = tuple[str, str]  # account and region
Stretches = list[tuple[datetime, datetime]]
PublicKeys = Callable[[str], Mapping[str, bytes]]  # of a region, by fingerprint


class Log(Struct, rename="camel"):
    s3_object: str = field(name="s3Object")
    hash_value: str


class Digest(Struct, rename="camel"):
    """One hour of one trail in one region."""

    digest_start_time: Time
    digest_end_time: Time
    digest_s3_bucket: str = field(name="digestS3Bucket")
    digest_s3_object: str = field(name="digestS3Object")
    digest_public_key_fingerprint: str
    log_files: list[Log]
    previous_digest_hash_value: str | None = None
    previous_digest_signature: str | None = None


class SignedDigest(Struct):
    """A digest with its hash and its file. Its signature comes with it from a bucket; else the next
    digest has it.
    """

    digest: Digest
    sha256: str
    fetched: Fetched

    def is_signed(self, signature: str, keys: PublicKeys) -> bool | None:
        """None where AWS's keys are not known. A key that is none of them is somebody else's."""
        digest, known = self.digest, keys(self.fetched.file.region)
        if not known:
            return None
        path = f"{digest.digest_s3_bucket}/{digest.digest_s3_object}"
        previous = digest.previous_digest_signature or "null"
        text = f"{digest.digest_end_time}\n{path}\n{self.sha256}\n{previous}"
        try:
            key = load_der_public_key(known[digest.digest_public_key_fingerprint])
            cast("RSAPublicKey", key).verify(
                bytes.fromhex(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except (InvalidSignature, KeyError, ValueError):
            return False
        return True


_digest = msgspec.json.Decoder(Digest)


class Coverage:
    """Stretches of deliveries that are whole, by account and region; which sessions were seen to be
    assumed meanwhile; and which were not, as soon as that is certain.
    """

    def __init__(self, *, digested: set[Place], since: datetime | None, keys: PublicKeys) -> None:
        self.verified = 0
        self._digested = digested
        self._since, self._keys = since, cache(keys)
        self._chained: dict[Place, Stretches] = {}
        self._gapless: dict[Place, Stretches] = {}
        self._last: dict[tuple[str, str, str], SignedDigest] = {}
        self._hashes: dict[str, str] = {}
        self._seen: defaultdict[str, set[int]] = defaultdict(set)
        self._looked: dict[Place, datetime] = {}
        self._stores: defaultdict[Place, list[int]] = defaultdict(list)
        for store in Store.objects.order_by("pk"):
            self._stores[store.role_arn.split(":")[4], store.region].append(store.pk)

    def stretches(self, place: Place) -> Stretches:
        """Logs by themselves prove nothing about a region that has digests."""
        known = self._chained if place in self._digested else self._gapless
        return known.get(place, [])

    def proven(self) -> Iterator[tuple[str, datetime, datetime]]:
        """For each region of a store, from when until when every event has been read."""
        for place in self._stores:
            how = "digests" if place in self._digested else "gapless"
            for start, end in self.stretches(place):
                if end - LATE > start:
                    yield f"{' '.join(place)} {how}", start, end - LATE

    def add_calls(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if call.kind is Kind.ASSUMED and not call.error:
                self._seen[call.at[:HOUR_LENGTH]].add(hash(call.access_key_id))

    def add_log(self, file: TrailFile, sha256: str) -> Iterator[Finding]:
        """Note a log that was read to its end, or was not: then it has no hash."""
        if not file.delivered:
            return
        place, at = (file.account, file.region), file.delivered_at
        self._hashes[file.short_name] = sha256
        if len(self._hashes) > MOST_HASHES:  # which no digest names
            del self._hashes[next(iter(self._hashes))]
        stretches = self._gapless.setdefault(place, [])
        is_next = sha256 and stretches and at - stretches[-1][1] <= LONGEST_GAP
        start = stretches.pop()[0] if is_next else at
        stretches.append((start, at))
        yield from self._missing(place)
        old = moment(at - REMEMBERED)[:HOUR_LENGTH]
        for hour in [hour for hour in self._seen if hour < old]:
            del self._seen[hour]

    def add_digest(self, fetched: Fetched) -> Iterator[Finding]:
        """What is wrong with a digest, with the one before it, and with the logs that it names."""
        file = fetched.file
        try:
            content = gunzip(fetched.data).read(LARGEST_DIGEST)
            digest = _digest.decode(content)
            times = digest.digest_start_time, digest.digest_end_time
            start, end = (datetime.fromisoformat(each) for each in times)
        except NO_DIGEST:
            yield bad_file(file.short_name, "It is not a CloudTrail digest.", file.name)
            return
        if self._since and start < self._since:
            return  # its logs were read by an earlier run
        signed = SignedDigest(digest, hashlib.sha256(content).hexdigest(), fetched)
        problems = [*self._problems_of_chain(signed), *self._problems_of_logs(digest)]
        yield from (bad_file(name, problem, file.name) for name, problem in problems)
        place = (file.account, file.region)
        stretches = self._chained.setdefault(place, [])
        if not problems:
            is_next = bool(stretches and digest.previous_digest_hash_value)
            is_next = is_next and stretches[-1][1] == start
            stretches.append((stretches.pop()[0] if is_next else start, end))
            yield from self._missing(place)

    def _problems_of_chain(self, signed: SignedDigest) -> Iterator[tuple[str, str]]:
        digest, file = signed.digest, signed.fetched.file
        trail = (file.account, file.region, file.trail)
        before, self._last[trail] = self._last.get(trail), signed
        if before and digest.previous_digest_hash_value not in {None, before.sha256}:
            yield file.short_name, "The digest before it is missing, or was changed."
        signatures = [(signed, signed.fetched.signature)]
        is_next = before and digest.previous_digest_hash_value == before.sha256
        if before and is_next and before.fetched.signature is None:
            signatures.append((before, digest.previous_digest_signature or ""))
        for each, signature in signatures:
            is_signed = None if signature is None else each.is_signed(signature, self._keys)
            self.verified += bool(is_signed)
            if is_signed is False:
                yield each.fetched.file.short_name, "It is not signed by AWS."

    def _problems_of_logs(self, digest: Digest) -> Iterator[tuple[str, str]]:
        for log in digest.log_files:
            name = log.s3_object.rpartition("/")[2]
            found = self._hashes.pop(name, None)
            if found is None:
                yield name, "Its digest names it, but it is missing."
            elif found != log.hash_value:
                yield name, "It is not what its digest says: it was changed, or cannot be read."

    def _missing(self, place: Place) -> Iterator[Finding]:
        """Sessions that STS gave while every event is known, and that are in none."""
        if place not in self._stores or not self.stretches(place):
            return
        start, end = self.stretches(place)[-1]
        since = max(start, self._looked.get(place, start))
        while since < end - LATE:
            until = min(since + HOUR, end - LATE)
            rows = IssuedSession.objects.filter(
                store__in=self._stores[place],
                requested_at__gte=since,
                requested_at__lt=until,
                status__in=NAMED,
                signed_by_identity=False,
            ).exclude(access_key_id="")
            yield from (_not_in_trail(row) for row in rows if not self._is_seen(row))
            self._looked[place] = since = until

    def _is_seen(self, row: IssuedSession) -> bool:
        return any(hash(row.access_key_id) in hour for hour in self._seen.values())


def bad_file(name: str, problem: str, where: str) -> Finding:
    return Finding(
        rule=Rule.BAD_FILE,
        subject=name,
        what=f"{problem} It was read from {where}.",
        change="Fetch it again. If the trail's bucket has the same, find out who can write there.",
        is_event=True,
    )


def _not_in_trail(row: IssuedSession) -> Finding:
    return Finding(
        rule=Rule.NOT_IN_TRAIL,
        subject=row.pk,
        what=f"The ledger has {row.session_name}, requested {row.requested_at:%F %T} UTC, and "
        "CloudTrail, of which everything is there for that time, does not.",
        change="Check that the trail logs management events of the store's region and that "
        "STS is called there; otherwise someone inserted the row or removed the event.",
        access_key_id=row.access_key_id,
        session_id=row.pk,
        build_id=row.build_id,
        is_event=True,
    )


def public_keys(session: boto3.session.Session) -> PublicKeys:
    """AWS's own keys, with which it signs digests; none where they cannot be had."""

    def of_region(region: str) -> dict[str, bytes]:
        endpoint = Endpoint(region=region, endpoint_url="")
        try:
            client = store_client(endpoint, "cloudtrail", session, UNATTENDED)
            pages = client.get_paginator("list_public_keys").paginate(StartTime=FIRST_KEYS)
            keys = pages.build_full_result()["PublicKeyList"]
        except CALL_FAILED as err:
            log.warning("public_keys_unknown", region=region, error=loggable(err))
            return {}
        return {key["Fingerprint"]: key["Value"] for key in keys}

    return of_region
