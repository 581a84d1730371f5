"""CloudTrail's log files, in a directory or a bucket, read in the order of their delivery.

A file is read in pieces, so that memory does not grow with it. Its name carries the minute of its
delivery (AWS CloudTrail user guide, "CloudTrail log file name format"); the events in it are older.
Whatever a file holds, reading it does not fail: what is wrong is said, and what came before counts.
"""

import hashlib
import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from isal import igzip
from isal.igzip_lib import IsalError
from msgspec import Raw, Struct

from credentials.rules.cloudtrail import Call, Record, Watched, recognise

# Pieces of this size stay in a processor's cache: four times as large ones took twice as long.
PIECE = 256 * 1024
# Files of AWS have a few MB, its records up to 1 MB. More is no log, or a bomb.
LARGEST_FILE, LARGEST_RECORD, LARGEST_CONTENT = 64 << 20, 8 << 20, 4 << 30

ENDING = ".json.gz"
DELIVERED = "%Y%m%dT%H%M%S"
_REGION = r"(?P<region>[a-z0-9-]+)"
_NAME = re.compile(
    rf"(?P<account>\d{{12}})_CloudTrail_{_REGION}_(?P<at>\d{{8}}T\d{{4}})Z_\w+\.json\.gz"
)
_DIGEST = re.compile(
    rf"(?P<account>\d{{12}})_CloudTrail-Digest_{_REGION}_(?P<trail>.+)_(?P<at>\d{{8}}T\d{{6}})Z"
    r"\.json\.gz"
)
# The folders between what is given and the files: of an organization, an account, a region.
_FOLDER = re.compile(r"AWSLogs|o-[a-z0-9]+|\d{12}|CloudTrail(-Digest)?")
_BEGIN = re.compile(rb"\s*\{\s*\"Records\"\s*:\s*\[")
_END = re.compile(rb"\]\s*\}\s*\Z")
# AWS begins every record with its version. Within a text, its quotes would have backslashes.
_FIRST_MEMBER = b'"eventVersion"'
_BETWEEN = re.compile(rb"\}\s*(,)\s*\{\s*\Z")
_LONGEST_BETWEEN = 200
# Who writes logs anew, to sort them or to replace values, begins with any of these (met).
_AS_AWS = re.compile(rb'\s*(\{\s*"eventVersion"|\])')
_BEFORE_ANY = re.compile(
    rb'\}\s*(,)\s*\{\s*"(additionalEventData|apiVersion|awsRegion|error(Code|Message)|event(Category'
    rb"|ID|Name|Source|Time|Type|Version)|managementEvent|readOnly|recipientAccountId|request(ID"
    rb'|Parameters)|resources|responseElements|sharedEventID|sourceIPAddress|user(Agent|Identity))"'
)

_records = msgspec.json.Decoder(list[Record])
_raw_records = msgspec.json.Decoder(list[Raw])
_record = msgspec.json.Decoder(Record)
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
# The stub of the last one does not say that it is a class.
NO_GZIP: tuple[type[Exception], ...] = (EOFError, OSError, IsalError)  # type: ignore[assignment]


class BadFileError(Exception):
    """A sentence about what is wrong with a file."""


class TrailFile(NamedTuple):
    """A file by what its name says; sorted by delivery, `20261123T120500`. A digest has the name of
    its trail and comes after the logs that it lists. What has another name has no time.
    """

    delivered: str
    trail: str
    name: str
    account: str = ""
    region: str = ""

    @property
    def delivered_at(self) -> datetime:
        return datetime.fromisoformat(f"{self.delivered}Z")

    def is_due(self, since: str) -> bool:
        """Whether it may have been delivered from that time on."""
        return not self.delivered or self.delivered >= since

    @property
    def short_name(self) -> str:
        return self.name.rpartition("/")[2]


class Part(Struct, gc=False):
    """What a piece of a log holds: all records, those about us, and what could not be read. The
    last one of a log that was read to its end has the hash of it all.
    """

    records: int = 0
    calls: list[Call] = []
    problem: str = ""
    sha256: str = ""


class Fetched(NamedTuple):
    """A file as it is stored. AWS signs digests in the metadata of their objects, which only a
    bucket has.
    """

    file: TrailFile
    data: bytes
    signature: str | None = None
    problem: str = ""


class Read(NamedTuple):
    """A file with its parts. A digest has its content instead."""

    fetched: Fetched
    parts: Iterable[Part]


class Source(Protocol):
    """Where files are. `name` is what it is known by, from one run to the next."""

    name: str

    def files(self, since: str) -> Iterator[TrailFile]: ...

    def fetch(self, file: TrailFile) -> Fetched: ...


class Directory:
    """A directory with files at any depth, such as `aws s3 sync` makes."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.name = str(self.path)

    def files(self, since: str) -> Iterator[TrailFile]:
        """Raises BadFileError where a folder cannot be listed: what is in it would go unseen."""
        for folder, _, names in os.walk(self.path, onerror=_fail):
            found = (trail_file(f"{folder}/{name}") for name in names if name.endswith(ENDING))
            yield from (file for file in found if file and file.is_due(since))

    def fetch(self, file: TrailFile) -> Fetched:
        try:
            size = Path(file.name).stat().st_size
            if size > LARGEST_FILE:
                return _too_large(file, size)
            return Fetched(file, Path(file.name).read_bytes())
        except OSError as err:
            return Fetched(file, b"", problem=f"It cannot be read: {err.strerror}.")


class Bucket:
    """A bucket, or what lies below a prefix that holds, or is, a part of `AWSLogs/ACCOUNT/...`."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self.client, self.bucket = client, bucket
        self.prefix = f"{prefix.strip('/')}/".lstrip("/")

    def files(self, since: str) -> Iterator[TrailFile]:
        """Folders of regions hold one of each day, so a listing can begin where another ended."""
        day = f"{since[:4]}/{since[4:6]}/{since[6:8]}" if since else ""
        for folder in self._regions(self.prefix):
            for page in self._pages(Prefix=folder, StartAfter=f"{folder}{day}"):
                keys = (each["Key"] for each in page.get("Contents", []))
                found = (trail_file(key) for key in keys if key.endswith(ENDING))
                yield from (file for file in found if file and file.is_due(since))

    def _regions(self, prefix: str) -> Iterator[str]:
        parent = prefix.rstrip("/").rpartition("/")[2]
        above = prefix.rstrip("/").split("/")[-2:-1]
        if above in (["CloudTrail"], ["CloudTrail-Digest"]):
            yield prefix
            return
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for each in page.get("CommonPrefixes", []):
                name = each["Prefix"].rstrip("/").rpartition("/")[2]
                if parent in {"CloudTrail", "CloudTrail-Digest"} or _FOLDER.fullmatch(name):
                    yield from self._regions(each["Prefix"])

    def _pages(self, **where: Any) -> Iterator[dict[str, Any]]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, **where)
        yield from pages

    def fetch(self, file: TrailFile) -> Fetched:
        answer = self.client.get_object(Bucket=self.bucket, Key=file.name)
        if answer["ContentLength"] > LARGEST_FILE:
            answer["Body"].close()
            return _too_large(file, answer["ContentLength"])
        signature = answer["Metadata"].get("signature", "")
        return Fetched(file, answer["Body"].read(), signature=signature)


def _fail(err: OSError) -> None:
    raise BadFileError(f"{err.filename}: {err.strerror}.") from err


def _too_large(file: TrailFile, size: int) -> Fetched:
    return Fetched(file, b"", problem=f"It has {size} bytes, and was not read.")


def trail_file(name: str) -> TrailFile | None:
    """A log, a digest, or a file of another name. Nothing for what is kept beside logs: digests
    that were made good later, and insights.
    """
    short = name.rpartition("/")[2]
    if found := _NAME.fullmatch(short):
        return TrailFile(_time(f"{found['at']}00"), "", name, found["account"], found["region"])
    if found := _DIGEST.fullmatch(short):
        return TrailFile(
            _time(found["at"]), found["trail"], name, found["account"], found["region"]
        )
    return None if "CloudTrail-" in short else TrailFile("", "", name)


def _time(text: str) -> str:
    """The same, or nothing where there is no such time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return ""
    return text


def read_files(
    source: Source, files: Iterable[TrailFile], *, watched: Watched, jobs: int
) -> Iterator[Read]:
    """Files in their order, as many at once as there are jobs.

    One job reads in this process, piece by piece. With more, each has a process of its own, which
    gives back what it found in a whole file: decoding holds the interpreter's lock.
    """
    with ExitStack() as stack:
        fetching = stack.enter_context(ThreadPoolExecutor(jobs))
        fetched = _in_order(fetching, source.fetch, files, jobs)
        if jobs == 1:
            yield from (read_file(each, watched) for each in fetched)
            return
        reading = stack.enter_context(ProcessPoolExecutor(jobs, mp_context=get_context("spawn")))
        yield from _in_order(reading, partial(_read_whole, watched=watched), fetched, jobs)


def _in_order(
    executor: Executor, act: Callable[[Any], Any], items: Iterable[Any], ahead: int
) -> Iterator[Any]:
    """The results of an action, some of which are made ahead of their time."""
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(act, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for each in waiting:
            each.cancel()


def _read_whole(fetched: Fetched, watched: Watched) -> Read:
    read = read_file(fetched, watched)
    data = fetched.data if fetched.file.trail else b""
    return Read(fetched._replace(data=data), list(read.parts))


def read_file(fetched: Fetched, watched: Watched) -> Read:
    """The parts of a log, the last of which may say what is wrong; none of a digest."""
    return Read(fetched, () if fetched.file.trail else _parts(fetched, watched))


def gunzip(data: bytes) -> Any:
    """A file of what was compressed. Reading raises one of NO_GZIP."""
    return igzip.IGzipFile(fileobj=io.BytesIO(data))  # type: ignore[no-untyped-call]


def _parts(fetched: Fetched, watched: Watched) -> Iterator[Part]:
    try:
        if fetched.problem:
            raise BadFileError(fetched.problem)  # noqa: TRY301 - one way for all that is wrong
        yield from _pieces(gunzip(fetched.data), watched)
    except BadFileError as err:
        yield Part(problem=str(err))
    except NO_GZIP:
        yield Part(problem="It is not a complete gzip file.")


def _pieces(content: Any, watched: Watched) -> Iterator[Part]:
    """Read up to the beginning of the last record that is there, again and again."""
    rest, size, digest, last_end = b"", 0, hashlib.sha256(), _last_end
    while piece := content.read(PIECE):
        digest.update(piece)
        if not size:
            piece = _after_begin(piece)
            last_end = _last_end if _AS_AWS.match(piece) else _last_end_of_any
        size, rest = size + PIECE, rest + piece
        if (end := last_end(rest)) and (part := _read(rest[:end], watched)):
            yield part
            rest = rest[end + 1 :]
        if len(rest) > LARGEST_RECORD or size > LARGEST_CONTENT:
            raise BadFileError("It is larger than any CloudTrail log, so the rest was not read.")
    ending = _END.search(rest)
    part = _read(rest[: ending.start()], watched) if ending else None
    if part is None:
        raise BadFileError("It is truncated, or not JSON.")
    part.sha256 = digest.hexdigest()
    yield part


def _after_begin(piece: bytes) -> bytes:
    if (begin := _BEGIN.match(piece)) is None:
        raise BadFileError("It does not start like a CloudTrail log.")
    return piece[begin.end() :]


def _last_end(data: bytes) -> int:
    """Where the comma before the last record stands; 0 where no record is known to end."""
    at = len(data)
    while (at := data.rfind(_FIRST_MEMBER, 0, at)) > 0:
        start = max(0, at - _LONGEST_BETWEEN)
        if between := _BETWEEN.search(data[start:at]):
            return start + between.start(1)
    return 0


def _last_end_of_any(data: bytes) -> int:
    """The same, in a log that AWS did not write."""
    ends = [each.start(1) for each in _BEFORE_ANY.finditer(data)]
    return ends[-1] if ends else 0


def _read(data: bytes, watched: Watched) -> Part | None:
    """Records with commas between them; None if they are no JSON, such as the half of one."""
    if not any(needle in data for needle in watched.needles):
        return Part(records=data.count(_FIRST_MEMBER))
    try:
        records, problem = _decoded(b"[%b]" % data)
    except UNREADABLE:
        return None
    calls = (recognise(record, watched) for record in records)
    return Part(records=len(records), calls=[call for call in calls if call], problem=problem)


def _decoded(data: bytes) -> tuple[list[Record], str]:
    """Records; where some have another form, the others, and a sentence. Raises UNREADABLE."""
    try:
        return _records.decode(data), ""
    except msgspec.ValidationError:
        records, strange = [], 0
    for raw in _raw_records.decode(data):
        try:
            records.append(_record.decode(raw))
        except UNREADABLE:
            strange += 1
    return records, f"{strange} of its records have another form than those of CloudTrail."
