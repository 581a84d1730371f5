"""Hold CloudTrail's records against the ledger, in memory that grows with neither.

Calls of one session that break the same rule are one finding, with their number and a few of them.
The copies of an event, in several files or accounts, count once among the `MOST_HELD` events that
are held at a time; whatever follows after that belongs to the same finding again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from builds.models import Store
from builds.names import escape_controls, partition_of
from credentials.models import Delivery, IssuedSession
from credentials.operations.account.requirements import wanted_account
from credentials.operations.findings import EXPIRY_TOLERANCE, Finding, Severity
from credentials.rules.cloudtrail import (
    Breach,
    Call,
    LedgerSession,
    Record,
    Watched,
    is_outside,
    judge,
    moment,
    recognise,
)
from credentials.rules.durations import STUCK_AFTER

# Calls that are joined at a time, ids of one query, sessions that are remembered.
BATCH, IDS, MOST_KNOWN = 5_000, 500, 20_000
MOST_HELD, EXAMPLES, LONGEST = 50_000, 3, 160
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

# What broke the rule, and what to do.
TEXTS: dict[Breach, tuple[str, str]] = {
    Breach.UNKNOWN: (
        "The ledger handed out no such session of an upload role.",
        "Somebody else holds the vendor's key, or may assume the role: revoke the store's sessions "
        "(manage.py revoke store NAME --before TIME), replace the key, and run manage.py doctor.",
    ),
    Breach.AFTER_REVOCATION: (
        "The session was used after it was revoked.",
        "Look when the store took the revocation (manage.py find), and check what was written.",
    ),
    Breach.AFTER_EXPIRY: (
        "The session was used after it had expired.",
        "Compare the clocks of this service and of the store; else the row's expiry is wrong.",
    ),
    Breach.OUTSIDE_ROOT: (
        "The session reached more than its build.",
        "Run manage.py check_isolation and manage.py doctor; restore what was changed.",
    ),
    Breach.DENIED: (
        "The store refused what was tried.",
        "Inside its build, the uploader asks for a right it does not have. Elsewhere, find out "
        "whose job it was (manage.py find) and revoke what it holds.",
    ),
    Breach.OTHER_ADDRESS: (
        "The session was used from another address than it was asked for from.",
        "Unless the CI system's machines share a pool of addresses, revoke the session.",
    ),
    Breach.ACCOUNT_CHANGED: (
        "The upload role, a policy of it or the bucket was changed.",
        "If it was not you, undo it and look who holds that identity; manage.py doctor says what "
        "differs.",
    ),
    Breach.CHAINED: (
        "The session assumed a role.",
        "Run manage.py check_isolation: the role's policy must deny that. Look what the new "
        "session did.",
    ),
}


def watched_stores() -> Watched:
    """The roles, managed policies and buckets of all stores."""
    roles, policies, buckets = {}, set(), set()
    for store in Store.objects.order_by("pk"):
        account = wanted_account(store)
        account_id = store.role_arn.split(":")[4]
        sessions = f"arn:{partition_of(store.role_arn)}:sts::{account_id}:assumed-role"
        roles[f"{sessions}/{account.role_name}"] = store.role_arn
        policies |= {account.boundary_arn, account.upload_policy_arn}
        buckets.add(store.bucket)
    return Watched(roles=roles, policy_arns=frozenset(policies - {""}), buckets=frozenset(buckets))


def evaluate(records: Iterable[Record], *, addresses: bool = False) -> Iterator[Finding]:
    """The findings about records, wherever they come from; whole files of them or chosen rows.

    `addresses` also reports sessions that are used from other addresses than they were asked for.
    """
    watched = watched_stores()
    calls = (recognise(record, watched) for record in records)
    yield from evaluate_calls(filter(None, calls), addresses=addresses)


def evaluate_calls(calls: Iterable[Call], *, addresses: bool = False) -> Iterator[Finding]:
    """The findings about calls that were recognised already."""
    calls, sessions, groups = iter(calls), _Sessions(), _Groups()
    while batch := list(islice(calls, BATCH)):
        sessions.load(batch)
        for call in batch:
            session = sessions.of(call)
            for breach in judge(call, session):
                if addresses or breach is not Breach.OTHER_ADDRESS:
                    groups.add(breach, call, session)
        if groups.held > MOST_HELD:
            yield from groups.take()
    yield from groups.take()


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


@dataclass(kw_only=True)
class _Group:
    """Calls that are one finding."""

    breach: Breach
    subject: str
    session: LedgerSession | None
    access_key_id: str
    first: str
    last: str
    severity: Severity = Severity.WARNING
    events: set[str] = field(default_factory=set)
    examples: dict[str, None] = field(default_factory=dict)

    def add(self, call: Call) -> None:
        self.events.add(call.event_id)
        self.first, self.last = min(self.first, call.at), max(self.last, call.at)
        if len(self.examples) < EXAMPLES:
            self.examples[_describe(call)] = None
        is_harmless = self.breach is Breach.OTHER_ADDRESS or (
            self.breach is Breach.DENIED and self.session and not is_outside(call, self.session)
        )
        if not is_harmless:
            self.severity = Severity.ERROR

    def finding(self) -> Finding:
        what, change = TEXTS[self.breach]
        number = len(self.events)
        times = _plain(self.first) if number == 1 else f"{_plain(self.first)} to {self.last[11:-1]}"
        calls = "1 call" if number == 1 else f"{number} calls"
        return Finding(
            rule=self.breach,
            subject=self.subject,
            what=f"{what} {calls}, {times} UTC: {'; '.join(self.examples)}.",
            change=change,
            severity=self.severity,
            access_key_id=self.access_key_id,
            session_id=self.session.ledger_id if self.session else "",
            build_id=self.session.build_id if self.session else None,
            is_event=True,
        )


class _Groups:
    """Groups by rule and subject, and how many events they hold."""

    def __init__(self) -> None:
        self.groups: dict[tuple[Breach, str], _Group] = {}
        self.held = 0

    def add(self, breach: Breach, call: Call, session: LedgerSession | None) -> None:
        if breach is Breach.UNKNOWN:
            session = None
        subject = _subject(breach, call, session)
        group = self.groups.setdefault(
            (breach, subject),
            _Group(
                breach=breach,
                subject=subject,
                session=session,
                access_key_id=call.access_key_id or (session.access_key_id if session else ""),
                first=call.at,
                last=call.at,
            ),
        )
        group.add(call)
        self.held += 1

    def take(self) -> Iterator[Finding]:
        yield from (group.finding() for group in self.groups.values())
        self.groups, self.held = {}, 0


def _subject(breach: Breach, call: Call, session: LedgerSession | None) -> str:
    """What a finding is about, the same whenever the same records are read."""
    if breach is Breach.ACCOUNT_CHANGED:
        return _short(f"{call.target} {call.action} {_plain(call.at)}")
    return session.ledger_id if session else _short(call.access_key_id or call.caller)


def _describe(call: Call) -> str:
    """One call. Keys, names and messages are texts of whoever called."""
    by = "" if call.session_name and not call.error else f" by {call.caller}"
    error = f" ({call.error})" if call.error else ""
    source = f" from {call.source}" if call.source else ""
    return _short(f"{call.action} {call.target}{source}{error}{by}, {call.address}")


def _short(text: str) -> str:
    text = escape_controls(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _plain(at: str) -> str:
    return at.replace("T", " ").rstrip("Z")
