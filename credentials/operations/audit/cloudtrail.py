"""Compare CloudTrail's records with the ledger, in memory that grows with neither.

A file's pieces, the calls that wait for the ledger's rows, the rows that are remembered and the
events that findings are made of: each is bounded. When `MOST_HELD` events are held, their findings
are given; what follows belongs to the same findings again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import boto3
from django.db.models import Max

from builds.models import Store
from builds.names import partition_of
from credentials.models import Delivery, IssuedSession, JobRun, LedgerExport
from credentials.operations.account.requirements import wanted_account
from credentials.operations.audit.trail_coverage import LATE, Coverage, PublicKeys, bad_file
from credentials.operations.audit.trail_engines import Engine, QueryFailed, parameters_of
from credentials.operations.audit.trail_files import DELIVERED, Read, Source, TrailFile, read_files
from credentials.operations.audit.trail_findings import Groups
from credentials.operations.findings import EXPIRY_TOLERANCE, Finding
from credentials.operations.runs import RecordedRun
from credentials.rules.cloudtrail import (
    Breach,
    Call,
    LedgerSession,
    Record,
    Watched,
    judge,
    moment,
    recognise,
)
from credentials.rules.durations import STUCK_AFTER
from credentials.vending.store_clients import UNATTENDED, store_client

# How far a run reads back: a digest lists the logs of an hour and comes after it, and logs may be
# late by another.
WINDOW = 3 * LATE
MOST_RUNS = 200
# Calls that are joined at a time, ids of one query, sessions that are remembered.
BATCH, IDS, MOST_KNOWN = 5_000, 500, 20_000
MOST_HELD = 50_000
PROBES = (Delivery.PROBE, Delivery.VERIFY)
COLUMNS = (
    "pk",
    "access_key_id",
    "assumed_role_id",
    "role_arn",
    "status",
    "delivery",
    "bucket_name",
    "root",
    "build_id",
    "caller_ip_hex",
    "requested_at",
    "completed_at",
    "expires_at",
    "revoked_at",
)


def watched_stores() -> Watched:
    """The roles, managed policies and buckets of all stores."""
    roles, policies, buckets = {}, set(), set()
    for store in Store.objects.order_by("pk"):
        account = wanted_account(store)
        account_id = store.role_arn.split(":")[4]
        sessions = f"arn:{partition_of(store.role_arn)}:sts::{account_id}:assumed-role"
        roles[f"{sessions}/{account.role_name}"] = store.role_arn
        policies |= {
            account.boundary_arn,
            account.upload_policy_arn,
            account.auditor_policy_arn,
        }
        buckets.add(store.bucket)
    return Watched(roles=roles, policy_arns=frozenset(policies - {""}), buckets=frozenset(buckets))


def trail_client(service: Literal["s3", "athena"], auditor: boto3.session.Session) -> Any:
    """A client of where AWS answers the first store; or else of where the first store does.

    Raises BotoCoreError.
    """
    store = Store.objects.order_by("endpoint_url", "pk").first() or Store()
    return store_client(store, service, auditor, UNATTENDED)


@dataclass(frozen=True, kw_only=True)
class TrailAudit:
    """One look at the logs of a source.

    Without `since` it reads on where the last finished run ended, less the time in which logs may
    come late and digests prove what is missing. `until` is a time of events.
    """

    source: Source
    run: RecordedRun
    since: datetime | None = None
    until: datetime | None = None
    addresses: bool = False
    jobs: int = 1
    keys: PublicKeys = field(default=lambda _region: {})

    def files(self) -> list[TrailFile]:
        """In the order of their delivery; of a file its names alone are in memory."""
        begin = self.since or read_on(self.run, self.source.name)
        first = f"{begin:{DELIVERED}}" if begin else ""
        last = f"{self.until + LATE:{DELIVERED}}" if self.until else "9"
        return sorted(file for file in self.source.files(first) if file.delivered <= last)

    def findings(self, files: Sequence[TrailFile], read: Iterable[TrailFile]) -> Iterator[Finding]:
        """Every finding about the files; `read` are the same, as they are asked for."""
        watched, evaluation = watched_stores(), Evaluation(addresses=self.addresses)
        coverage = Coverage(
            digested={(file.account, file.region) for file in files if file.trail},
            since=next((file.delivered_at for file in files if file.delivered), None),
            keys=self.keys,
        )
        for found in read_files(self.source, read, watched=watched, jobs=self.jobs):
            yield from self._findings_of(found, coverage, evaluation)
        yield from evaluation.end()
        self._note(files, coverage)

    def _findings_of(
        self, read: Read, coverage: Coverage, evaluation: "Evaluation"
    ) -> Iterator[Finding]:
        file, sha256 = read.fetched.file, ""
        for part in read.parts:
            calls = [call for call in part.calls if self._is_asked_for(call)]
            self.run.looked_at(records=part.records, calls=len(calls))
            coverage.add_calls(part.calls)
            yield from evaluation.add(calls)
            if part.problem:
                yield bad_file(file.short_name, part.problem, file.name)
            sha256 = part.sha256
        self.run.looked_at(files=1)
        if file.trail:
            yield from coverage.add_digest(read.fetched)
        else:
            yield from coverage.add_log(file, sha256)

    def _is_asked_for(self, call: Call) -> bool:
        is_early = self.since and call.at < moment(self.since)
        return not is_early and not (self.until and call.at >= moment(self.until))

    def _note(self, files: Sequence[TrailFile], coverage: Coverage) -> None:
        """What has been read, and for which time that is everything."""
        if (named := [file.delivered_at for file in files if file.delivered]) and not (
            self.since or self.until
        ):
            self.run.covers(since=named[0], until=named[-1], source=self.source.name)
        for proof, since, until in coverage.proven():
            self.run.covers(since=since, until=until, proof=proof)
        self.run.looked_at(signatures=coverage.verified)


def read_on(run: RecordedRun, source: str) -> datetime | None:
    """Where a run begins: where the last finished one of the source ended, less what may be late.

    Runs that were asked for a time may have left something out before it.
    """
    runs = JobRun.objects.of(run.row.job).finished()
    for coverage in runs.values_list("coverage", flat=True)[:MOST_RUNS]:
        for each in coverage:
            if each.get("source") == source:
                return datetime.fromisoformat(each["until"]) - WINDOW
    return None


@dataclass(frozen=True, kw_only=True)
class QueryAudit:
    """One look at what an engine finds in logs between two times of events. It sees no files:
    neither what is wrong with one, nor whether all are there.

    Without `since` it reads on where the last run ended. A run that leaves a gap moves nothing, nor
    does one that reads again what was read. It covers no time after its own start.
    """

    engine: Engine
    run: RecordedRun
    until: datetime
    since: datetime | None = None
    addresses: bool = False

    def findings(self) -> Iterator[Finding]:
        """Raises QueryFailed, and what the engine's calls raise."""
        last = read_on(self.run, self.engine.name)
        since = self.since or last
        if since is None:
            raise QueryFailed("No run has read this yet: give a start with --since.")
        until = min(self.until, self.run.row.started_at)
        if since >= until:
            raise QueryFailed(
                f"Runs read on from {since:%F %T} UTC, so nothing was audited: give --since."
            )
        asked = parameters_of(watched_stores(), since=since, until=until)
        yield from evaluate(self._records(asked), addresses=self.addresses)
        if last is None or since <= last:
            until = max(until, last + WINDOW) if last else until
            self.run.covers(since=since, until=until, source=self.engine.name)

    def _records(self, asked: Sequence[str]) -> Iterator[Record]:
        for row in self.engine.rows(asked):
            self.run.looked_at(records=1)
            yield row.record()


def evaluate(records: Iterable[Record], *, addresses: bool = False) -> Iterator[Finding]:
    """The findings about records, wherever they come from; whole files of them or chosen rows.

    `addresses` also reports sessions that are used from other addresses than they were asked for.
    """
    watched, evaluation = watched_stores(), Evaluation(addresses=addresses)
    for record in records:
        if call := recognise(record, watched):
            yield from evaluation.add([call])
    yield from evaluation.end()


class Evaluation:
    """Calls that were recognised are added as they are read; findings come when many are held."""

    def __init__(self, *, addresses: bool) -> None:
        self._addresses = addresses
        self._waiting: list[Call] = []
        self._sessions = _Sessions()
        self._groups = Groups()

    def add(self, calls: Iterable[Call]) -> Iterator[Finding]:
        self._waiting.extend(calls)
        if len(self._waiting) >= BATCH:
            self._judge()
        if self._groups.held > MOST_HELD:
            yield from self._groups.take()

    def end(self) -> Iterator[Finding]:
        self._judge()
        yield from self._groups.take()

    def _judge(self) -> None:
        self._sessions.load(self._waiting)
        for call in self._waiting:
            session = self._sessions.of(call)
            for breach in judge(call, session):
                if self._is_reported(breach, call):
                    self._groups.add(breach, call, session)
        self._waiting.clear()

    @cached_property
    def _pruned_until(self) -> str:
        last = LedgerExport.objects.aggregate(last=Max("until"))["last"]
        return moment(last) if last else ""

    def _is_reported(self, breach: Breach, call: Call) -> bool:
        """What the ledger does not know any more, since its rows were pruned, is no finding."""
        if breach is Breach.UNKNOWN:
            return call.at >= self._pruned_until
        return self._addresses or breach is not Breach.OTHER_ADDRESS


class _Sessions:
    """The ledger's rows that calls name, by access key id or by ledger id; a few are remembered."""

    def __init__(self) -> None:
        self.known: dict[str, LedgerSession | None] = {}

    def of(self, call: Call) -> LedgerSession | None:
        return self.known.get(call.access_key_id) or self.known.get(call.ledger_id)

    def load(self, calls: Iterable[Call]) -> None:
        if len(self.known) > MOST_KNOWN:
            self.known.clear()
        self._load("access_key_id", {call.access_key_id for call in calls})
        unknown = (call for call in calls if not self.known.get(call.access_key_id))
        self._load("pk", {call.ledger_id for call in unknown})

    def _load(self, column: str, ids: set[str]) -> None:
        """No database is asked for what cannot be an id: logs may be forged."""
        wanted = iter(sorted(each for each in ids - self.known.keys() if each.isalnum()))
        rows = IssuedSession.objects.filter(signed_by_identity=False).order_by()
        while some := list(islice(wanted, IDS)):
            self.known.update(dict.fromkeys(some))
            for row in rows.filter(**{f"{column}__in": some}).values_list(*COLUMNS, named=True):
                self.known[getattr(row, column)] = _session_of(row)


def _session_of(row: Any) -> LedgerSession:
    answered_at = row.completed_at or row.requested_at + STUCK_AFTER
    return LedgerSession(
        ledger_id=row.pk,
        access_key_id=row.access_key_id,
        assumed_role_id=row.assumed_role_id,
        role_arn=row.role_arn,
        is_issued=row.status == IssuedSession.Status.ISSUED,
        is_probe=row.delivery in PROBES,
        bucket=row.bucket_name,
        root=row.root,
        build_id=row.build_id,
        ip_hex=row.caller_ip_hex,
        asked_from=moment(row.requested_at - EXPIRY_TOLERANCE),
        asked_until=moment(answered_at + EXPIRY_TOLERANCE),
        expires_at=moment(row.expires_at + EXPIRY_TOLERANCE) if row.expires_at else "",
        revoked_at=moment(row.revoked_at) if row.revoked_at else "",
    )
