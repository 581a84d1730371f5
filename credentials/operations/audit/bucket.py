"""Check the contents of a store's bucket against the builds.

The listing is read once, in the order of keys and in memory that does not grow with it; each page
is joined with the builds that it names in one statement, by their roots. What a database sorts by
depends on its locale, and the keys of `a` lie around those of `a-b`: no order is relied on there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any

import boto3
from botocore.exceptions import ClientError
from django.conf import settings
from django.db.models import Max, OuterRef, Subquery

from builds.models import Build, Store
from credentials.errors import ListingUnusable
from credentials.models import IssuedSession, JobRun, LedgerExport
from credentials.operations.findings import Finding, Rule, Severity
from credentials.rules.bucket_layout import is_allowed, may_lie_in, place_of, shown_key, shown_place
from credentials.vending.listing import (
    MOST_OF_A_PRODUCT,
    listed_folders,
    listed_pages,
    listed_uploads,
)
from credentials.vending.store_clients import UNATTENDED, store_client
from credentials.vending.store_errors import error_code

# Clocks differ, and a store may date an object at the end of its upload. What a multipart upload
# made has the time of its beginning on AWS (S3 user guide, ListObjectsV2): it may be later than it
# looks, never earlier.
MARGIN = timedelta(minutes=5)
# Nothing is issued for a build past its `open_until`, and no session lives longer.
LONGEST_SESSION = timedelta(hours=12)
UNFINISHED_FOR = timedelta(days=1)
EXAMPLES = 3

# Of each rule: what is wrong, after a number; what to do, how bad it is.
TEXTS: dict[Rule, tuple[str, str, Severity]] = {
    Rule.OBJECT_OUTSIDE: (
        "objects lie where no build is, and LTD_ALLOWED_PREFIXES does not allow it",
        "Find out who wrote them. Allow the prefix, or remove them.",
        Severity.ERROR,
    ),
    Rule.OBJECT_OF_UNKNOWN_BUILD: (
        "objects lie at the root of a build that was never registered",
        "Find out who wrote them; `import_ltd` imports the builds of an LTD Keeper.",
        Severity.ERROR,
    ),
    Rule.OBJECT_OF_PURGED_BUILD: (
        "objects lie in a build that was deleted and purged",
        "Find out who wrote them after the purge, then remove them.",
        Severity.ERROR,
    ),
    Rule.OBJECT_OF_DELETED_BUILD: (
        "objects lie in a build that was deleted longer ago than LTD_PURGED_WITHIN_DAYS",
        "Run manage.py purge_builds, or find out why it fails.",
        Severity.WARNING,
    ),
    Rule.OBJECT_WITHOUT_SESSION: (
        "objects lie in a build for which no session that can write was ever issued",
        "Look for static AWS keys in the uploader's environment.",
        Severity.ERROR,
    ),
    Rule.OBJECT_AFTER_SESSIONS: (
        "objects were written after the last session of their build had ended",
        "Look for other credentials that can write, and check the store's own log.",
        Severity.ERROR,
    ),
    Rule.OBJECT_AFTER_CLOSE: (
        "objects were written after their build was finished, superseded or deleted",
        "Look for the session in the store's own log, and revoke it if it is live.",
        Severity.ERROR,
    ),
    Rule.UPLOAD_UNFINISHED: (
        "multipart uploads were begun over a day ago and neither completed nor aborted",
        "Run manage.py audit_bucket --abort, or let a lifecycle rule of the bucket end them.",
        Severity.WARNING,
    ),
}


@dataclass(kw_only=True)
class Usage:
    """What lies below the folder of a product."""

    objects: int = 0
    bytes: int = 0


def usage_of(run: JobRun) -> list[dict[str, Any]]:
    """What each folder held, and how much more that is than a finished run found before."""
    before = JobRun.objects.of(run.job, run.store).finished().exclude(usage=None)
    earlier = before.filter(pk__lt=run.pk).first() if run.usage else None
    return usage_since(run.usage or {}, earlier.usage if earlier else None)


def usage_since(
    usage: Mapping[str, Sequence[int]], before: Mapping[str, Sequence[int]] | None
) -> list[dict[str, Any]]:
    """Objects and bytes of each folder; folders that are gone too.

    Without a look before, nothing is said about growth.
    """
    rows = []
    for folder in sorted({*usage, *(before or {})}):
        objects, size = usage.get(folder, (0, 0))
        row = {"folder": folder or "/", "objects": objects, "bytes": size}
        if before is not None:
            objects_before, size_before = before.get(folder, (0, 0))
            row |= {"more_objects": objects - objects_before, "more_bytes": size - size_before}
        rows.append(row)
    return rows


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What may lie in a build. `always` is broken by any object; a time that is None, by none."""

    build_id: int
    always: Rule | None = None
    sessions_end_at: datetime | None = None
    closed_at: datetime | None = None

    def broken_rule(self, written_at: datetime) -> Rule | None:
        if self.always:
            return self.always
        if self.sessions_end_at and written_at > self.sessions_end_at + MARGIN:
            return Rule.OBJECT_AFTER_SESSIONS
        if self.closed_at and written_at > self.closed_at + MARGIN:
            return Rule.OBJECT_AFTER_CLOSE
        return None


@dataclass(kw_only=True)
class Tally:
    """The objects of one place that break one rule."""

    count: int = 0
    newest_at: datetime | None = None
    examples: list[str] = field(default_factory=list)

    def add(self, key: str, at: datetime) -> None:
        self.count += 1
        self.newest_at = max(self.newest_at or at, at)
        if len(self.examples) < EXAMPLES:
            self.examples.append(key)

    def finding(self, rule: Rule, place: str, build_id: int | None = None) -> Finding:
        what, change, severity = TEXTS[rule]
        examples = ", ".join(f'"{shown_key(key)}"' for key in self.examples)
        return Finding(
            rule=rule,
            subject=shown_place(place),
            build_id=build_id,
            severity=severity,
            what=f"{self.count} {what}; the newest {self.newest_at:%F %T} UTC: {examples}.",
            change=change,
        )


@dataclass(kw_only=True)
class Place:
    """The root of a build, or a folder, of which keys are being listed."""

    name: str
    expectation: Expectation | None
    tallies: dict[Rule, Tally] = field(default_factory=dict)

    def add(self, key: str, written_at: datetime) -> None:
        if rule := self._broken_rule(key, written_at):
            self.tallies.setdefault(rule, Tally()).add(key, written_at)

    def _broken_rule(self, key: str, written_at: datetime) -> Rule | None:
        if self.expectation:
            return self.expectation.broken_rule(written_at)
        if is_allowed(key, settings.LTD_ALLOWED_PREFIXES):
            return None
        is_folder = self.name[-1:] in {"", "/"}
        return Rule.OBJECT_OUTSIDE if is_folder else Rule.OBJECT_OF_UNKNOWN_BUILD

    def findings(self) -> Iterator[Finding]:
        build_id = self.expectation.build_id if self.expectation else None
        for rule, tally in sorted(self.tallies.items()):
            yield tally.finding(rule, self.name, build_id)


@dataclass(kw_only=True)
class BucketAudit:
    """One look at a bucket with the auditor's credentials. `usage` is filled by folder;
    `on_objects` is called with how many objects were read.
    """

    store: Store
    auditor: boto3.session.Session
    now: datetime
    product: str = ""
    jobs: int = 4
    usage: dict[str, Usage] = field(default_factory=dict)
    on_objects: Callable[[int], object] = int

    @cached_property
    def s3(self) -> Any:
        return store_client(self.store, "s3", self.auditor, UNATTENDED)

    @property
    def _prefix(self) -> str:
        return f"{self.product}/" if self.product else ""

    def findings(self) -> Iterator[Finding]:
        """Every finding, of the product or of all; those of each in the order of its keys.

        Raises ListingOutsideBuild, ListingUnusable, and botocore's errors.
        """
        top: list[Place] = []
        open_places: dict[str, list[Place]] = {}
        folders = iter([self._prefix]) if self.product else self._folders(top)
        for folder, page in listed_at_once(self.s3, self.store.bucket, folders, self.jobs):
            places = open_places.setdefault(folder, [])
            if page is None:
                yield from _close(open_places.pop(folder))
            elif page:
                yield from self._read(folder, page, places)
        yield from _close(top)
        yield from self._uploads()

    def _folders(self, top: list[Place]) -> Iterator[str]:
        """The folders of products, after what lies beside them was added to `top`."""
        for entries, folders in listed_folders(self.s3, bucket=self.store.bucket):
            if entries:
                list(self._read("", entries, top))  # the one place ends with the listing
            yield from folders

    def _read(self, folder: str, page: list[Any], places: list[Place]) -> Iterator[Finding]:
        """The findings of the places that the page went past."""
        usage = self.usage.setdefault(folder, Usage())
        self.on_objects(len(page))
        builds = self._expectations({place_of(entry["Key"]) for entry in page})
        for entry in sorted(page, key=itemgetter("Key")):
            if not (written_at := entry.get("LastModified")):
                raise ListingUnusable
            usage.objects, usage.bytes = usage.objects + 1, usage.bytes + entry["Size"]
            key, name = entry["Key"], place_of(entry["Key"])
            while places and not may_lie_in(key, places[-1].name):
                yield from places.pop().findings()
            if not places or places[-1].name != name:
                places.append(Place(name=name, expectation=builds.get(name)))
            places[-1].add(key, written_at)

    def _expectations(self, roots: set[str]) -> dict[str, Expectation]:
        """What may lie in the builds of those roots that there are, in one statement."""
        sessions = IssuedSession.objects.filter(build=OuterRef("pk")).issued().writing()
        ends = sessions.order_by().values("build").annotate(last=Max("expires_at")).values("last")
        builds = Build.objects.filter(
            root__in=roots,
            bucket_name=self.store.bucket,
            product__store__endpoint_url=self.store.endpoint_url,
        )
        rows: Any = builds.select_related("registration").annotate(ends=Subquery(ends))
        return {row.root: self._expectation(row, row.ends) for row in rows}

    def _expectation(self, build: Build, last_session_ends_at: datetime | None) -> Expectation:
        if build.root_is_shared:
            return Expectation(build_id=build.pk)
        if build.purged_at and build.purged_at <= self.now:
            return Expectation(build_id=build.pk, always=Rule.OBJECT_OF_PURGED_BUILD)
        due = self.now - timedelta(days=settings.LTD_PURGED_WITHIN_DAYS)
        if build.deleted_at and build.deleted_at < due:
            return Expectation(build_id=build.pk, always=Rule.OBJECT_OF_DELETED_BUILD)
        if not hasattr(build, "registration"):  # taken over with its objects
            return Expectation(build_id=build.pk)
        if not last_session_ends_at and self._is_in_the_ledger(build):
            return Expectation(build_id=build.pk, always=Rule.OBJECT_WITHOUT_SESSION)
        closed = [build.finished_at, build.superseded_at, build.deleted_at]
        return Expectation(
            build_id=build.pk,
            sessions_end_at=last_session_ends_at or build.open_until + LONGEST_SESSION,
            closed_at=min((moment for moment in closed if moment), default=None),
        )

    def _is_in_the_ledger(self, build: Build) -> bool:
        """Whether the rows of its sessions, if it had any, were not pruned yet."""
        return not self._pruned_until or build.registered_at >= self._pruned_until

    @cached_property
    def _pruned_until(self) -> datetime | None:
        pruned: datetime | None = LedgerExport.objects.aggregate(last=Max("until"))["last"]
        return pruned

    def _uploads(self) -> Iterator[Finding]:
        tallies: dict[str, Tally] = {}
        for upload in self._old_uploads():
            tally = tallies.setdefault(place_of(upload["Key"]), Tally())
            tally.add(upload["Key"], upload["Initiated"])
        for place, tally in sorted(tallies.items()):
            yield tally.finding(Rule.UPLOAD_UNFINISHED, place)

    def _old_uploads(self) -> Iterator[Any]:
        for upload in listed_uploads(self.s3, bucket=self.store.bucket, prefix=self._prefix):
            if upload["Initiated"] < self.now - UNFINISHED_FOR:
                yield upload

    def abort_uploads(self) -> int:
        """Abort the multipart uploads that would be findings; how many. Raises as `findings`.

        One that ended meanwhile is none.
        """
        aborted = 0
        for upload in self._old_uploads():
            try:
                self.s3.abort_multipart_upload(
                    Bucket=self.store.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
            except ClientError as err:
                if error_code(err) != "NoSuchUpload":
                    raise
            else:
                aborted += 1
        return aborted


def listed_at_once(
    s3: Any, bucket: str, folders: Iterator[str], jobs: int
) -> Iterator[tuple[str, list[Any] | None]]:
    """The pages of several folders, those of each in their order, and None at its end.

    One page of each is read ahead, by threads that touch no database.
    """
    running: dict[Future[list[Any] | None], tuple[str, Iterator[list[Any]]]] = {}
    with ThreadPoolExecutor(jobs) as pool:

        def read_on(folder: str, pages: Iterator[list[Any]]) -> None:
            running[pool.submit(next, pages, None)] = folder, pages

        def begin(count: int) -> None:
            for folder in islice(folders, count):
                most = MOST_OF_A_PRODUCT
                read_on(folder, listed_pages(s3, bucket=bucket, prefix=folder, most=most))

        begin(jobs)
        while running:
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                folder, pages = running.pop(done)
                if (page := done.result()) is None:
                    begin(1)
                else:
                    read_on(folder, pages)
                yield folder, page


def _close(places: list[Place]) -> Iterator[Finding]:
    """The findings of the places that are open at the end of a listing."""
    while places:
        yield from places.pop().findings()
