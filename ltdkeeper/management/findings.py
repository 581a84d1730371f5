"""How commands report findings, those of a run and those that are kept: as lines and in JSON."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from credentials.models import AuditFinding
from credentials.models.audits import ACKNOWLEDGEMENT
from credentials.operations.runs import Kept
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand

# As wide as the longest rule.
WIDTH = 29
# As much of a fingerprint as a line shows, and as names one finding.
SHOWN = 12
MEMBERS = (
    *("fingerprint", "job", "rule", "subject", "severity", "what", "change", "why", "is_event"),
    *("access_key_id", "session_id", "build_id", "first_seen_at", "last_seen_at", "times"),
    *("closed_at", *ACKNOWLEDGEMENT),
)


def in_a_line(row: AuditFinding, now: datetime) -> str:
    """A finding that is kept, with what `manage.py findings --acknowledge` calls it."""
    words = f"{row.state(now)}, {row.severity} {row.rule}"
    return f"{row.fingerprint[:SHOWN]} {words}: {row.subject}: {row.what}"


def members(row: AuditFinding, now: datetime) -> dict[str, Any]:
    """The same for machines."""
    found = {name: getattr(row, name) for name in MEMBERS}
    return found | {"store": row.store.name if row.store else "", "state": row.state(now)}


def report_findings(command: ServiceCommand, kept: Iterable[Kept], **rest: Any) -> ExitCode:
    """Write findings as they come, in memory that does not grow. JSON has `rest` at its end.

    Findings that somebody acknowledged are shown, and are no reason to fail.
    """
    counts: Counter[str] = Counter()
    acknowledged = 0
    with command.write_list(
        "findings", lambda: {"counts": counts, "acknowledged": acknowledged, **rest}
    ) as add:
        for each in kept:
            counts[str(each.finding.rule)] += 1
            acknowledged += each.is_acknowledged
            add(_members(each), _line(each))
    command.say(_summary(counts, acknowledged))
    return ExitCode.FINDINGS if counts.total() > acknowledged else ExitCode.NOTHING_FOUND


def _members(each: Kept) -> dict[str, Any]:
    return asdict(each.finding) | {
        "message": each.finding.message,
        "fingerprint": each.fingerprint,
        "is_new": each.is_new,
        "is_acknowledged": each.is_acknowledged,
    }


def _line(each: Kept) -> str:
    mark = " (acknowledged)" if each.is_acknowledged else ""
    return f"{each.finding.rule:<{WIDTH}} {each.finding.subject}: {each.finding.message}{mark}"


def _summary(counts: Counter[str], acknowledged: int) -> str:
    rules = ", ".join(f"{rule} {count}" for rule, count in counts.items())
    known = f"; acknowledged: {acknowledged}" if acknowledged else ""
    return f"Findings: {counts.total()}{f' ({rules})' if rules else ''}{known}"
