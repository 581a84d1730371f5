"""How audits report what they found: a line or a member of a document each, then the figures."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from credentials.operations.runs import Kept
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand

# As wide as the longest rule.
WIDTH = 29


def report_findings(
    command: ServiceCommand, kept: Iterable[Kept], *, is_json: bool, **rest: Any
) -> ExitCode:
    """Write findings as they come, in memory that does not grow. JSON has `rest` at its end.

    Findings that somebody acknowledged are shown, and are no reason to fail.
    """
    counts: Counter[str] = Counter()
    acknowledged = 0
    if is_json:
        with command.json_list(
            "findings", lambda: {"counts": counts, "acknowledged": acknowledged, **rest}
        ) as add:
            for each in kept:
                counts[str(each.finding.rule)] += 1
                acknowledged += each.is_acknowledged
                add(_members(each))
    else:
        for each in kept:
            counts[str(each.finding.rule)] += 1
            acknowledged += each.is_acknowledged
            command.stdout.write(_line(each))
        command.stdout.write(_summary(counts, acknowledged))
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
