"""Calls that break a rule, as findings: those of one session are one, with a few of them.

The copies of an event, in several files or accounts, count once as long as their group is held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from builds.names import escape_controls
from credentials.operations.findings import Finding, Severity
from credentials.rules.cloudtrail import Breach, Call, LedgerSession, is_outside

EXAMPLES, LONGEST = 3, 160

# What broke the rule, and what to do.
TEXTS: dict[Breach, tuple[str, str]] = {
    Breach.UNKNOWN: (
        "The ledger has no such session of an upload role.",
        "Someone else has the vendor's key or can assume the role: revoke the store's "
        "sessions (manage.py revoke store NAME --before TIME), replace the key, and "
        "run manage.py doctor.",
    ),
    Breach.AFTER_REVOCATION: (
        "The session was used after it was revoked.",
        "Check when the store enforced the revocation (manage.py find), and what was written.",
    ),
    Breach.AFTER_EXPIRY: (
        "The session was used after it had expired.",
        "Compare the clocks of this service and of the store. If they agree, the row's expiry is "
        "wrong.",
    ),
    Breach.OUTSIDE_ROOT: (
        "The session reached more than its build.",
        "Run manage.py check_isolation and manage.py doctor; restore what was changed.",
    ),
    Breach.DENIED: (
        "The store denied a call.",
        "Inside its build, the uploader needs a right it does not have. Elsewhere, "
        "find out which job it was (manage.py find) and revoke its credentials.",
    ),
    Breach.OTHER_ADDRESS: (
        "The session was used from an address other than the one that requested it.",
        "Unless the CI system's machines share a pool of addresses, revoke the session.",
    ),
    Breach.ACCOUNT_CHANGED: (
        "The upload role, a policy of it or the bucket was changed.",
        "If it was not you, undo it and find out who has that identity; manage.py doctor says what "
        "differs.",
    ),
    Breach.CHAINED: (
        "The session assumed a role.",
        "Run manage.py check_isolation: the role's policy must deny that. Check what the new "
        "session did.",
    ),
}


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


class Groups:
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
    """What a finding is about, the same whenever the same records are read. Who is refused a role
    again on another day is another: an event that was acknowledged does not return.
    """
    if breach is Breach.ACCOUNT_CHANGED:
        return f"{_short(f'{call.target} {call.action}')} {_plain(call.at)}"
    if session:
        return session.ledger_id
    return _short(call.access_key_id) or f"{_short(call.caller)} {call.at[:10]}"


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
